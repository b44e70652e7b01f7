"""Symmetry, rotation, gap, surrogates, location and the refused measures on drawn anatomy."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secondread.schema.errors import NotMeasurable, UsageError
from secondread.tools.measure.film_rotation import film_rotation, tilt
from secondread.tools.measure.geometry import gap_between, long_axis, main_part, touches, widest_row
from secondread.tools.measure.heart_location import heart_location
from secondread.tools.measure.inspiration import inspiration
from secondread.tools.measure.lung_symmetry import lung_symmetry
from secondread.tools.measure.mediastinal_gap import mediastinal_gap
from secondread.tools.measure.symmetry_axis import mirror_axis
from secondread.tools.measure.unsupported_chest_measures import unsupported_chest_measures

DRAWN = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@DRAWN
@given(turn=st.floats(-25, 25), side=st.sampled_from([256, 512]))
def test_tilt_of_a_drawn_pair_is_within_one_degree(phantom, turn, side):
    masks = phantom(side=side, turn=turn, thorax=1.2).masks()
    axes, mirror = tilt(masks["right_lung"], masks["left_lung"])
    assert axes == pytest.approx(turn, abs=1.0)
    assert mirror == pytest.approx(turn, abs=1.0)


def test_tilt_is_positive_clockwise_and_changes_sign_when_mirrored(phantom, measure):
    masks = phantom(turn=8.0).masks()
    assert measure(film_rotation, masks).get("in_plane_rotation").value == pytest.approx(8.0, abs=1.0)
    flipped = {
        "right_lung": masks["left_lung"][:, ::-1],
        "left_lung": masks["right_lung"][:, ::-1],
    }
    assert measure(film_rotation, flipped).get("in_plane_rotation").value == pytest.approx(-8.0, abs=1.0)


def test_tilt_corrects_for_pixels_that_are_not_square(phantom, measure):
    masks = {n: m[::2] for n, m in phantom(turn=10.0, thorax=1.2).masks().items()}
    found = measure(film_rotation, masks, spacing=(0.4, 0.2)).items[0]
    assert found.value == pytest.approx(10.0, abs=1.0)
    assert not any("aspect" in c for c in found.caveats)
    assert any("aspect" in c for c in measure(film_rotation, masks).items[0].caveats)


def test_tilt_interval_holds_the_value_and_widens_when_the_readings_differ(phantom, measure):
    straight = measure(film_rotation, phantom().masks()).items[0]
    assert straight.interval.low < straight.value < straight.interval.high
    odd = phantom().masks()
    odd["left_lung"][:250] = False
    unsure = measure(film_rotation, odd).items[0]
    assert unsure.interval.high - unsure.interval.low > straight.interval.high - straight.interval.low


def test_long_axis_and_mirror_axis_of_a_whole_pair_agree_with_its_drawing(phantom):
    masks = phantom(turn=-12.0).masks()
    assert long_axis(masks["right_lung"]) == pytest.approx(-12.0, abs=0.5)
    assert mirror_axis(masks["right_lung"] | masks["left_lung"])[1] > 0.97


@DRAWN
@given(
    widths=st.tuples(st.floats(0.2, 0.3), st.floats(0.2, 0.3)),
    heights=st.tuples(st.floats(0.4, 0.7), st.floats(0.4, 0.7)),
)
def test_lung_ratios_of_a_drawn_film_are_within_two_percent(phantom, measure, widths, heights):
    masks = phantom(lung_rx=widths, lung_ry=heights).masks()
    found = measure(lung_symmetry, masks)
    assert found.get("lung_width_ratio").value == pytest.approx(widths[0] / widths[1], rel=0.02)
    assert found.get("lung_height_ratio").value == pytest.approx(heights[0] / heights[1], rel=0.02)
    area = widths[0] * heights[0] / (widths[1] * heights[1])
    assert found.get("lung_area_ratio").value == pytest.approx(area, rel=0.02)


def test_lung_ratios_survive_a_squeeze_and_say_what_does_not(phantom, measure):
    masks = phantom(lung_ry=(0.6, 0.5)).masks()
    squeezed = {n: m[::2] for n, m in masks.items()}
    whole, half = measure(lung_symmetry, masks), measure(lung_symmetry, squeezed, squeezed=True)
    for item, other in zip(whole.items, half.items, strict=True):
        assert other.value == pytest.approx(item.value, rel=0.02)
    assert any("lost its aspect ratio" in c for c in half.get("lung_height_ratio").caveats)
    assert not any("aspect" in c for c in half.get("lung_width_ratio").caveats)


def test_no_threshold_is_invented_for_lung_ratios(phantom, measure):
    assert all(item.threshold is None for item in measure(lung_symmetry, phantom().masks()).items)


def test_gap_of_a_drawn_film_is_within_two_percent(phantom, measure):
    masks = phantom(thorax=1.4, lung_rx=(0.25, 0.25)).masks()
    for name, columns in (("right_lung", slice(60, 200)), ("left_lung", slice(280, 420))):
        masks[name][:] = False
        masks[name][100:450, columns] = True
    masks["heart"][:] = False
    masks["heart"][300:420, 190:320] = True
    found = measure(mediastinal_gap, masks, spacing=(0.5, 0.5)).items[0]
    assert found.value == pytest.approx(80 / 360, rel=0.02)
    assert found.surrogate_for == "mediastinal_width"
    assert found.threshold is None
    left, right = found.landmarks
    assert right.x - left.x == 80
    assert "40 mm in the detector plane, magnified" in found.caveats


def test_gap_without_lung_above_the_heart_is_refused(phantom, measure):
    masks = phantom().masks()
    masks["heart"][:] = False
    masks["heart"][0:60, 200:300] = True
    assert isinstance(measure(mediastinal_gap, masks), NotMeasurable)


def test_surrogates_support_and_never_decide(phantom, measure):
    found = measure(inspiration, phantom(lung_rx=(0.3, 0.2), lung_ry=(0.6, 0.6)).masks(), spacing=(0.2, 0.2))
    assert found.get("inspiration").value == pytest.approx(1.2 / 1.36, rel=0.02)
    assert found.get("obliquity").value == pytest.approx(0.2, rel=0.02)
    assert all(i.surrogate_for and i.threshold is None for i in found.items)


def test_inspiration_needs_the_aspect_ratio(phantom, measure):
    found = measure(inspiration, phantom().masks(), squeezed=True).get("inspiration")
    assert found.value is None
    assert "aspect ratio" in found.not_measurable
    held = measure(inspiration, {n: m[::2] for n, m in phantom().masks().items()}, spacing=(0.4, 0.2))
    assert held.get("inspiration").value == pytest.approx(1.24 / 1.36, rel=0.02)


def test_heart_and_lungs_are_boxed_where_they_were_drawn(phantom, measure):
    found = measure(heart_location, phantom(side=500, ctr=0.5).masks())
    box = found.get("heart").region
    assert (box.x0 + box.x1) / 2 == pytest.approx(250 + 0.08 * 250, abs=1.5)
    assert box.x1 - box.x0 == pytest.approx(0.34 * 500, rel=0.02)
    assert found.get("right_lung").region.x1 < found.get("left_lung").region.x0
    assert "patient's left unless" in found.get("heart").note


def test_heart_on_the_image_left_gets_no_side_verdict(phantom, measure):
    found = measure(heart_location, phantom(heart_shift=-0.1).masks(), heart_side="image_left")
    assert "pixels cannot tell" in found.get("heart").note
    assert found.get("dextrocardia").polarity == "uncertain"
    assert found.get("mirrored_film").polarity == "uncertain"
    assert measure(heart_location, phantom().masks()).get("dextrocardia") is None


@pytest.mark.parametrize("tool", [film_rotation, lung_symmetry, mediastinal_gap, inspiration, heart_location])
def test_empty_and_implausible_anatomy_is_refused(phantom, measure, tool):
    masks = phantom().masks()
    assert isinstance(measure(tool, masks, plausible=False, reasons=("one lung",)), NotMeasurable)
    masks["left_lung"][:] = False
    assert isinstance(measure(tool, masks), NotMeasurable)


def test_measures_without_a_segmenter_are_refused_with_the_reason():
    made = unsupported_chest_measures()
    [found] = made.run_batch([made.Request(names=("clavicle_distance",))], None)
    assert found.items[0].value is None
    assert "no segmenter for clavicles" in found.items[0].not_measurable
    [everything] = made.run_batch([made.Request()], None)
    assert {"rib_count", "tracheal_offset"} <= {i.name for i in everything.items}
    [unknown] = made.run_batch([made.Request(names=("x",))], None)
    assert isinstance(unknown, UsageError)


def test_every_tool_says_its_result_in_one_line(phantom, measure):
    for tool in (film_rotation, lung_symmetry, mediastinal_gap, inspiration, heart_location):
        line = tool().summarise(measure(tool, phantom().masks()))
        assert line and "\n" not in line and "None" not in line


@DRAWN
@given(rows=st.integers(3, 40), columns=st.integers(3, 40), seed=st.integers(0, 99))
def test_mask_geometry_bounds(rows, columns, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.4
    part = main_part(mask)
    assert not (part & ~mask).any()
    assert part.sum() <= mask.sum() and part.any() == mask.any()
    assert widest_row(part) <= columns
    assert set(touches(mask)) <= {"image_left", "image_right", "top", "bottom"}


def test_gap_of_overlapping_masks_is_zero_and_of_absent_ones_none():
    left, right = np.zeros((10, 20), bool), np.zeros((10, 20), bool)
    left[2:8, :12], right[2:8, 8:] = True, True
    assert gap_between(left, right, 0, 10)[0] == 0
    assert gap_between(left, np.zeros_like(right), 0, 10) is None


def test_lung_ratios_carry_the_error_of_the_masks():
    from secondread.tools.measure.lung_symmetry import interval_of

    sure, unsure = interval_of("lung_area_ratio", 1.2, 0.0), interval_of("lung_area_ratio", 1.2, 0.2)
    assert sure.low < 1.2 < sure.high
    assert sure.low == pytest.approx(1.2 / (sure.high / 1.2))
    assert unsure.high - unsure.low > sure.high - sure.low


def test_the_tilt_of_a_large_film_is_that_of_the_same_film_made_small(phantom):
    small, large = (phantom(side=side, turn=7.0).masks() for side in (700, 2100))
    for a, b in zip(*(tilt(m["right_lung"], m["left_lung"]) for m in (small, large)), strict=True):
        assert abs(a - 7.0) < 1.0 and abs(a - b) < 0.3
    speck = np.zeros((2100, 2100), bool)
    speck[[1, 1, 3], [1, 3, 1]] = True
    assert np.isfinite(tilt(speck, speck[:, ::-1])).all()
