"""Measures of vessels as measurements: units, scale, intervals, refusal."""

from dataclasses import replace

import numpy as np
import pytest

from secondread.tools.measure.error_model import ErrorModel
from secondread.tools.segment.vessels.field import Field
from secondread.tools.segment.vessels.inference import VesselResult
from secondread.tools.segment.vessels.measures import Shape
from secondread.tools.segment.vessels.plausible import judge
from secondread.tools.segment.vessels.values import UNITS, measurements

SHAPE = Shape(density=0.1, calibre=6.0, tortuosity=1.06, curvature=0.012, length=9000.0, segments=100)
MODEL = ErrorModel(bias=1.0, scale_floor=0.5, scale_slope=0, df=None, q90=2.0)


def result(scale: float = 1.0) -> VesselResult:
    ones = np.ones((8, 8), bool)
    return VesselResult(ones, Field(ones, 3.5, 3.5, 8.0), ones.astype(np.float32), 0.3, 0.3, SHAPE, scale, True, ())


def test_lengths_are_said_in_pixels_of_the_photograph() -> None:
    found = measurements(result(2.0), {"retinal_vessel_calibre": MODEL})
    width, bend = found.get("retinal_vessel_calibre"), found.get("retinal_vessel_curvature")
    assert width is not None and width.interval is not None and bend is not None
    assert (width.value, width.unit) == (12.0, "px")
    assert (width.interval.low, width.interval.high) == pytest.approx((2 * (5 - 1), 2 * (5 + 1)))
    assert bend.value == pytest.approx(0.006)


def test_shares_and_ratios_do_not_depend_on_the_scale() -> None:
    for name in ("retinal_vessel_density", "retinal_vessel_tortuosity"):
        one, other = measurements(result(1.0), {}).get(name), measurements(result(3.0), {}).get(name)
        assert one is not None and other is not None and one.value == other.value


def test_no_millimetres_are_given_and_the_caveat_says_so() -> None:
    items = measurements(result(), {}).items
    assert {m.unit for m in items} == {"1", "px", "1/px"}
    assert all(("millimetres" in " ".join(m.caveats)) == ("px" in m.unit) for m in items)


def test_an_implausible_mask_gives_no_number() -> None:
    bad = replace(result(), plausible=False, reasons=("No vessels were found.",), shape=None)
    items = measurements(bad, {}).items
    assert len(items) == len(UNITS)
    assert all(m.value is None and m.not_measurable == "No vessels were found." for m in items)


@pytest.mark.parametrize(
    ("shape", "uncertainty", "reason"),
    [
        (replace(SHAPE, density=0.4), 0.3, "share of the field"),
        (replace(SHAPE, calibre=40.0), 0.3, "calibre"),
        (replace(SHAPE, length=500.0), 0.3, "length"),
        (SHAPE, 0.9, "unsure"),
        (None, 0.3, "No vessels"),
    ],
)
def test_absurd_vessels_are_not_believed(shape: Shape | None, uncertainty: float, reason: str) -> None:
    good, reasons = judge(shape, 918.0, uncertainty)
    assert not good and reason in reasons[0]


def test_usual_vessels_are_believed() -> None:
    assert judge(SHAPE, 918.0, 0.3) == (True, ())
