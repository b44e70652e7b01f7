"""Volumes from masks of known size, with their intervals."""

import numpy as np
import pytest

from secondread.tools.measure.error_model import ErrorModel
from secondread.tools.segment.hippocampus.inference import HippocampusResult, Sample
from secondread.tools.segment.hippocampus.volumes import PARTS, measurements, spread, volumes

MODEL = ErrorModel(
    bias=-20, scale_floor=100, scale_slope=1, df=None, q90=1.6, uncertainty_range=(0.1, 0.3), uncertainty_centre=0.2
)


def result(*, plausible: bool = True, uncertainty: float = 0.2) -> HippocampusResult:
    masks = {k: np.zeros((20, 20, 20), bool) for k in ("anterior_hippocampus", "posterior_hippocampus")}
    masks["anterior_hippocampus"][:10, :10, :8] = True
    masks["posterior_hippocampus"][10:, :10, :6] = True
    samples = [
        Sample(m, look, {"anterior_hippocampus": a, "posterior_hippocampus": 1200.0})
        for m, look, a in ((0, "a", 1590.0), (0, "b", 1610.0), (1, "a", 1800.0), (1, "b", 1800.0))
    ]
    reasons = () if plausible else ("Not found: anterior hippocampus.",)
    return HippocampusResult(masks, 2.0, np.zeros((20, 20, 20), np.float32), uncertainty, uncertainty, samples,
                             plausible, reasons)  # fmt: skip


def test_volume_is_voxels_times_their_volume_and_parts_add_up() -> None:
    assert volumes(result()) == {
        "hippocampus_volume": 2800.0,
        "anterior_hippocampus_volume": 1600.0,
        "posterior_hippocampus_volume": 1200.0,
    }


def test_spread_is_taken_within_networks_only() -> None:
    found = spread(result().samples, ("anterior_hippocampus",))
    assert found == pytest.approx(np.sqrt(np.mean([200.0, 0.0])))


def test_interval_is_moved_by_the_bias_and_as_wide_as_the_model_says() -> None:
    found = measurements(result(), {"posterior_hippocampus_volume": MODEL}).get("posterior_hippocampus_volume")
    assert found is not None and found.interval is not None
    assert (found.value, found.unit) == (1200.0, "mm3")
    assert (found.interval.low, found.interval.high) == pytest.approx((1220 - 160, 1220 + 160))
    assert found.interval.level == 0.9


def test_a_volume_without_an_error_model_has_no_interval() -> None:
    assert all(m.interval is None and m.value for m in measurements(result(), {}).items)


def test_masks_less_sure_than_any_of_the_fit_carry_a_caveat() -> None:
    models = dict.fromkeys(PARTS, MODEL)
    assert all(not m.caveats for m in measurements(result(), models).items)
    assert all("less sure" in m.caveats[0] for m in measurements(result(uncertainty=0.4), models).items)


def test_implausible_masks_give_no_number() -> None:
    for found in measurements(result(plausible=False), dict.fromkeys(PARTS, MODEL)).items:
        assert found.value is None and found.not_measurable == "Not found: anterior hippocampus."
