"""The order and grid of slices, from drawn positions."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.imaging.study.stack import Gap, Slice, Stack, stack
from secondread.schema.study import PlaneGeometry, Vector

COLUMN, ROW = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
"""Steps of an axial slice in RAS: to the patient's left, to the back."""


def axial(z: float, x: float = 0.0, y: float = 0.0) -> Slice:
    return Slice(PlaneGeometry(origin=(x, y, z), per_column=COLUMN, per_row=ROW))


def stacked(heights: Sequence[float]) -> Stack:
    return stack([axial(z) for z in heights])


def test_slices_are_sorted_by_height_whatever_the_order_given() -> None:
    found = stacked([6, 0, 4, 2])
    assert found.order == (1, 3, 2, 0)
    assert found.regular and found.problems == ()
    assert found.spacing_mm == pytest.approx((1, 1, 2))
    assert found.plane == "axial"


def test_the_affine_takes_an_index_to_the_place_of_that_pixel() -> None:
    found = stack([axial(z, x=10, y=20) for z in (7, 5, 3)])
    assert found.affine is not None
    i, j, k = 3, 2, 1
    x, y, z, one = np.array(found.affine) @ (i, j, k, 1)
    assert (x, y, z, one) == (10 - 3, 20 - 2, 5, 1)


@pytest.mark.parametrize(
    ("column", "row", "plane", "axis"),
    [
        ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), "axial", 2),
        ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), "coronal", 1),
        ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), "sagittal", 0),
        ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), "sagittal", 0),
    ],
)
def test_slices_of_every_plane_count_from_the_low_end_of_its_axis(
    column: Vector, row: Vector, plane: str, axis: int
) -> None:
    origins = [tuple(float(n == axis) * at for n in range(3)) for at in (5.0, -5.0, 0.0)]
    found = stack([Slice(PlaneGeometry(origin=o, per_column=column, per_row=row)) for o in origins])  # type: ignore[arg-type]  # three numbers
    assert found.plane == plane
    assert found.order == (1, 2, 0)
    assert found.oblique_degrees == 0


def test_an_oblique_stack_has_the_nearest_plane_and_says_the_angle() -> None:
    c, s = math.cos(math.radians(20)), math.sin(math.radians(20))
    slices = [
        Slice(PlaneGeometry(origin=(0, -s * k, c * k), per_column=(-1, 0, 0), per_row=(0, -c, -s))) for k in range(4)
    ]
    found = stack(slices)
    assert found.plane == "axial"
    assert found.oblique_degrees == pytest.approx(20)
    assert found.tilt_degrees == 0
    assert found.spacing_mm is not None and found.spacing_mm[2] == pytest.approx(1)


def test_a_missing_slice_is_a_gap_and_only_the_longer_part_is_one_grid() -> None:
    found = stacked([0, 2, 4, 8, 10, 12, 14])
    assert found.gaps == (Gap(after=2, missing=1, mm=4.0),)
    assert found.run == (3, 7) and not found.regular
    assert found.affine is not None and found.affine[2] == (0, 0, 2, 8)
    assert "1 slice missing: 4.00 mm instead of 2.00 mm after slice 3 of 7." in found.problems
    assert any("slices 4 to 7 of 7" in said for said in found.problems)


def test_several_gaps_are_counted_together() -> None:
    found = stacked([0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17])
    assert [gap.missing for gap in found.gaps] == [2, 1]
    assert any("3 slices missing" in said and "1 more gap" in said for said in found.problems)
    assert found.run == (5, 11)


def test_a_second_slice_at_one_position_is_left_out_and_said() -> None:
    found = stack([axial(0), axial(2), axial(2.004), axial(4), axial(2)])
    assert found.order == (0, 1, 3)
    assert found.duplicates == (2, 4)
    assert found.regular
    assert "2 slices at a position that another slice has" in found.problems[0]


def test_a_spacing_that_changes_is_no_gap_and_the_longer_part_is_kept() -> None:
    heights = [*range(0, 20, 2), *range(20, 80, 5)]
    found = stacked(heights)
    assert found.gaps == ()
    assert not found.regular
    assert found.run == (10, 22)
    assert found.spacing_mm is not None and found.spacing_mm[2] == pytest.approx(5)
    assert any("varies from 2.00 to 5.00 mm" in said for said in found.problems)


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_regular() -> None:
    found = stacked([round(0.625 * k, 1) for k in range(200)])
    assert found.regular and found.problems == ()
    assert found.spacing_mm is not None and found.spacing_mm[2] == pytest.approx(0.625, rel=1e-3)


def test_a_slice_a_fifth_of_the_distance_off_its_place_breaks_the_grid() -> None:
    found = stacked([0, 2, 4, 6.4, 8, 10])
    assert not found.regular


def test_a_drift_that_adds_up_does_not_pass_as_regular() -> None:
    steps = np.linspace(1.0, 1.15, 60)
    assert not stacked(np.concatenate(([0], np.cumsum(steps))).tolist()).regular


@pytest.mark.parametrize("degrees", [5.0, -12.5, 20.0])
def test_a_gantry_tilt_shears_the_affine_and_agrees_with_the_header(degrees: float) -> None:
    shift = math.tan(math.radians(degrees))
    slices = [
        Slice(PlaneGeometry(origin=(0, shift * 2 * k, 2 * k), per_column=COLUMN, per_row=ROW), tilt_degrees=degrees)
        for k in range(5)
    ]
    found = stack(slices)
    assert found.tilt_degrees == pytest.approx(abs(degrees))
    assert found.regular
    assert found.affine is not None
    assert [row[2] for row in found.affine[:3]] == pytest.approx([0, 2 * shift, 2])
    assert found.spacing_mm == pytest.approx((1, 1, 2))
    assert len(found.problems) == 1 and "tilted" in found.problems[0]


def test_a_tilt_in_the_header_that_the_positions_do_not_show_is_said() -> None:
    found = stack([Slice(axial(2 * k).geometry, tilt_degrees=15) for k in range(4)])
    assert found.tilt_degrees == 0
    assert any("gantry tilt of 15 degrees, the positions say 0.0" in said for said in found.problems)


def test_a_slice_shifted_in_its_plane_breaks_the_grid() -> None:
    found = stack([axial(2 * k, x=3.0 if k == 3 else 0.0) for k in range(8)])
    assert not found.regular
    assert any("shifted against each other" in said for said in found.problems)


@pytest.mark.parametrize(("thickness", "said"), [(3.0, "overlap"), (1.0, "gaps unseen"), (2.01, None)])
def test_thickness_against_distance_is_said_when_it_matters(thickness: float, said: str | None) -> None:
    found = stack([Slice(axial(2 * k).geometry, thickness_mm=thickness) for k in range(4)])
    assert found.regular
    assert [said in told for told in found.problems if said] == ([True] if said else [])


def test_slices_of_two_orientations_are_no_stack() -> None:
    turned = Slice(PlaneGeometry(origin=(0, 0, 0), per_column=COLUMN, per_row=(0, 0, -1)))
    found = stack([axial(0), turned, axial(2)])
    assert found.affine is None and not found.regular
    assert "no stack" in found.problems[0]


def test_without_positions_slice_location_orders_and_no_millimetre_is_known() -> None:
    found = stack([Slice(None, location=at, number=n) for n, at in enumerate((3.0, 1.0, 2.0))])
    assert found.order == (1, 2, 0)
    assert found.affine is None and found.spacing_mm is None and not found.regular
    assert "Slice Location" in found.problems[0]


def test_without_locations_instance_numbers_order_and_without_those_the_names() -> None:
    assert stack([Slice(None, number=n) for n in (3, 1, 2)]).order == (1, 2, 0)
    found = stack([Slice(None), Slice(None, number=1)])
    assert found.order == (0, 1)
    assert "file names" in found.problems[0]


def test_one_slice_without_position_takes_the_grid_from_all() -> None:
    found = stack([axial(0), Slice(None), axial(4)])
    assert found.affine is None
    assert "some slices lack" in found.problems[0]


def test_a_single_slice_takes_its_thickness_for_the_third_step() -> None:
    found = stack([Slice(axial(5).geometry, thickness_mm=3.0)])
    assert found.affine is not None and found.affine[2] == (0, 0, 3, 5)
    assert stack([axial(5)]).affine is None


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(12)),
    st.floats(0.3, 8),
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    st.floats(-180, 180),
)
def test_any_order_of_any_oblique_stack_gives_back_every_origin(
    order: list[int], step: float, axis: tuple[float, float, float], degrees: float
) -> None:
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(np.array(axis) / np.linalg.norm(axis) * np.radians(degrees)).as_matrix()
    column, row, normal = turn[:, 0] * 0.7, turn[:, 1] * 0.9, turn[:, 2]
    origins = [normal * step * k + (3, 4, 5) for k in range(12)]
    found = stack(
        [
            Slice(PlaneGeometry(origin=tuple(origins[k]), per_column=tuple(column), per_row=tuple(row)))  # type: ignore[arg-type]  # three numbers each
            for k in order
        ]
    )
    assert found.regular and found.affine is not None and not found.duplicates
    affine = np.array(found.affine)
    for k, given_index in enumerate(found.order):
        np.testing.assert_allclose(affine[:3] @ (0, 0, k, 1), origins[order[given_index]], atol=1e-9)
    assert found.spacing_mm == pytest.approx((0.7, 0.9, step))
    upward = affine[:3, 2][["sagittal", "coronal", "axial"].index(found.plane or "")]
    assert upward > 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-500, 500, allow_nan=False), min_size=1, max_size=30))
def test_no_heights_crash_and_the_regular_part_is_regular(heights: list[float]) -> None:
    found = stacked(heights)
    first, end = found.run
    assert 0 <= first < end <= len(found.order)
    assert sorted([*found.order, *found.duplicates]) == list(range(len(heights)))
    if found.affine is not None:
        for k in range(first, end):
            z = np.array(found.affine)[2] @ (0, 0, k - first, 1)
            assert abs(z - heights[found.order[k]]) <= 0.1 * (found.spacing_mm or (0, 0, 0))[2] + 1e-9
