import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secondread.schema.errors import NotMeasurable
from secondread.tools.measure import cardiothoracic_ratio as module
from secondread.tools.measure.cardiothoracic_ratio import cardiothoracic_ratio, ratio
from secondread.tools.measure.error_model import ErrorModel

DRAWN = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@DRAWN
@given(ctr=st.floats(0.35, 0.7), side=st.sampled_from([256, 511, 768]), shift=st.floats(-0.1, 0.15))
def test_ratio_of_a_drawn_film_is_within_two_percent(phantom, ctr, side, shift):
    masks = phantom(side=side, ctr=ctr, heart_shift=shift).masks()
    assert ratio(masks) == pytest.approx(ctr, rel=0.02)


@DRAWN
@given(dx=st.integers(-40, 40), dy=st.integers(-40, 40), flip=st.booleans())
def test_ratio_does_not_depend_on_position_or_mirroring(phantom, dx, dy, flip):
    masks = phantom(side=256, thorax=1.2).masks()
    moved = {n: np.roll(m, (dy, dx), axis=(0, 1))[:, :: -1 if flip else 1] for n, m in masks.items()}
    assert ratio(moved) == ratio(masks)


def test_ratio_holds_when_the_film_was_squeezed(phantom):
    masks = phantom(side=512).masks()
    squeezed = {n: m[::2, :] for n, m in masks.items()}
    assert ratio(squeezed) == pytest.approx(ratio(masks), rel=0.01)


def test_stray_pixels_and_spikes_do_not_widen_the_heart(phantom, measure):
    masks = phantom().masks()
    clean = measure(cardiothoracic_ratio, masks).items[0].value
    row = int(np.flatnonzero(masks["heart"].any(axis=1)).mean())
    masks["heart"][row, :] = True  # a one-pixel spike through the whole film
    masks["heart"][5:8, 5:8] = True
    assert measure(cardiothoracic_ratio, masks).items[0].value == clean


def test_lung_in_two_parts_is_measured_as_one(phantom, measure):
    masks = phantom().masks()
    clean = measure(cardiothoracic_ratio, masks).items[0].value
    masks["right_lung"][:, 140:144] = False
    assert measure(cardiothoracic_ratio, masks).items[0].value == clean


def test_widths_are_in_pixels_without_spacing_and_in_magnified_mm_with_it(phantom, measure):
    masks = phantom(side=512, thorax=1.25).masks()
    bare = measure(cardiothoracic_ratio, masks)
    assert bare.get("thorax_width").unit == "px"
    assert bare.get("thorax_width").value == pytest.approx(320, rel=0.02)
    once = measure(cardiothoracic_ratio, masks, spacing=(1.0, 0.5))
    twice = measure(cardiothoracic_ratio, masks, spacing=(1.0, 1.0))
    assert once.get("thorax_width").unit == "mm"
    assert once.get("thorax_width").value == pytest.approx(160, rel=0.02)
    assert twice.get("heart_width").value == pytest.approx(2 * once.get("heart_width").value)
    assert "magnified" in once.get("heart_width").caveats[0]
    calibrated = measure(cardiothoracic_ratio, masks, spacing=(1.0, 0.5), spacing_kind="calibrated")
    assert "magnified" not in calibrated.get("heart_width").caveats[0]


def test_landmarks_lie_on_the_borders_and_span_the_widths(phantom, measure):
    found = measure(cardiothoracic_ratio, phantom().masks())
    points = {p.name: p for p in found.items[0].landmarks}
    assert points["heart_image_right"].x - points["heart_image_left"].x == found.get("heart_width").value
    assert points["thorax_image_right"].x - points["thorax_image_left"].x == found.get("thorax_width").value
    assert points["heart_image_left"].y == pytest.approx(512 * 0.65, abs=3)


def test_spread_is_taken_within_groups_and_the_difference_between_groups_is_told(phantom, measure):
    masks = phantom(ctr=0.5).masks()
    samples = [
        (group, phantom(ctr=0.5 + offset + step).masks())
        for group, offset in (("fold0", 0.0), ("fold1", 0.1))
        for step in (-0.02, 0.0, 0.02)
    ]
    found = measure(cardiothoracic_ratio, masks, samples=samples).items[0]
    assert found.spread == pytest.approx(0.02, rel=0.15)
    told = next(c for c in found.caveats if c.startswith("networks differ"))
    assert float(told.split()[3]) == pytest.approx(0.1 / np.sqrt(2), rel=0.1)


def test_unusable_samples_are_counted_not_hidden(phantom, measure):
    masks = phantom().masks()
    bad = {**masks, "heart": np.zeros_like(masks["heart"])}
    found = measure(cardiothoracic_ratio, masks, samples=[("a", masks), ("a", masks), ("a", bad)]).items[0]
    assert "1 of 3 mask samples gave no value" in found.caveats
    assert found.spread == 0.0


def test_without_an_error_model_there_is_no_interval(phantom, measure, monkeypatch):
    monkeypatch.setattr(module, "error_model", lambda name: None)
    found = measure(cardiothoracic_ratio, phantom().masks()).items[0]
    assert found.interval is None
    assert any(c.startswith("uncalibrated") for c in found.caveats)


def test_interval_follows_the_error_model(phantom, measure, monkeypatch):
    model = ErrorModel(bias=0.01, scale_floor=0.01, scale_slope=1.0, df=5, q90=2.0)
    monkeypatch.setattr(module, "error_model", lambda name: model)
    monkeypatch.setattr(module, "record", lambda name: type("R", (), {"method": "m", "data": "d"})())
    masks = phantom().masks()
    found = measure(cardiothoracic_ratio, masks, samples=[("a", masks), ("a", masks)]).items[0]
    assert found.interval.low == pytest.approx(found.value - 0.01 - 0.02)
    assert found.interval.high == pytest.approx(found.value - 0.01 + 0.02)
    assert found.interval.level == 0.90


@pytest.mark.parametrize("gone", ["heart", "left_lung", "right_lung"])
def test_a_film_without_a_structure_is_refused_and_says_which(phantom, measure, gone):
    masks = phantom().masks()
    masks[gone][:] = False
    refused = measure(cardiothoracic_ratio, masks)
    assert isinstance(refused, NotMeasurable)
    assert gone.replace("_", " ") in refused.message


def test_implausible_anatomy_is_refused_with_its_reason(phantom, measure):
    refused = measure(cardiothoracic_ratio, phantom().masks(), plausible=False, reasons=("heart above the lungs",))
    assert isinstance(refused, NotMeasurable)
    assert "heart above the lungs" in refused.message


def test_a_thorax_cut_by_the_border_says_so(phantom, measure):
    masks = {n: m[:, 100:] for n, m in phantom().masks().items()}
    caveats = measure(cardiothoracic_ratio, masks).items[0].caveats
    assert any(c == "border cut off: the right lung reaches the image left of the image" for c in caveats)
    assert not any("border" in c for c in measure(cardiothoracic_ratio, phantom().masks()).items[0].caveats)


@pytest.mark.parametrize(
    ("known", "word"),
    [({}, "view unknown"), ({"view": "AP"}, "magnified"), ({"view": "PA", "age_years": 9.0}, "under 18")],
)
def test_what_the_threshold_does_not_hold_for_is_told(phantom, measure, known, word):
    assert any(word in c for c in measure(cardiothoracic_ratio, phantom().masks(), **known).items[0].caveats)
