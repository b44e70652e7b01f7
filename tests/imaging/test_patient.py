"""Regions in millimetres of the patient, and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.imaging.coordinates import Geometry
from secondread.imaging.patient import (
    bounding_cuboid,
    cuboid_from_mm,
    cuboid_on_slice,
    cuboid_to_mm,
    mm_to_pixels,
    pixels_to_mm,
    region_from_mm,
    region_on,
    region_to_mm,
)
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import InputError
from secondread.schema.region import Box, Cuboid, Point, Polygon
from secondread.schema.study import PlaneGeometry

place = st.floats(-300, 300)
side = st.floats(0.2, 5)


@st.composite
def planes(draw: st.DrawFn) -> PlaneGeometry:
    """Any plane in space, rows and columns at right angles or sheared by up to some 25 degrees."""
    turn, _ = np.linalg.qr(np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(3, 3)))
    shear = draw(st.floats(-0.45, 0.45))
    along_x, along_y = turn[0] * draw(side), (turn[1] + shear * turn[0]) * draw(side)
    origin = (draw(place), draw(place), draw(place))
    return PlaneGeometry(origin=origin, per_column=tuple(along_x.tolist()), per_row=tuple(along_y.tolist()))


@st.composite
def regions(draw: st.DrawFn) -> Geometry:
    x, y = draw(st.floats(-50, 500)), draw(st.floats(-50, 500))
    kind = draw(st.sampled_from(["point", "box", "polygon"]))
    if kind == "point":
        return Point(grid="a", x=x, y=y, name="n")
    if kind == "box":
        return Box(grid="a", x0=x, y0=y, x1=x + draw(st.floats(0.5, 90)), y1=y + draw(st.floats(0.5, 90)), name="n")
    return Polygon(grid="a", points=((x, y), (x + 7, y + 1), (x + 3, y + 9), (x + 5, y - 4), (x + 2, y - 3)), name="n")


def numbers(region: Geometry) -> list[float]:
    found = region.model_dump(exclude={"grid", "shape", "name"})
    return [float(v) for v in np.ravel([np.ravel(value) for value in found.values()])]


@given(planes(), regions())
@settings(max_examples=80, deadline=None)
def test_regions_return_from_millimetres(plane: PlaneGeometry, region: Geometry) -> None:
    back = region_from_mm(region_to_mm(region, plane), plane, "a", name="n")
    assert type(back) is type(region)
    np.testing.assert_allclose(numbers(back), numbers(region), atol=1e-7)


@given(planes(), st.floats(-20, 20), place, place)
@settings(max_examples=40, deadline=None)
def test_distance_from_a_plane_is_told_in_mm(plane: PlaneGeometry, away: float, x: float, y: float) -> None:
    normal = np.cross(plane.per_column, plane.per_row)
    mm = pixels_to_mm((x, y), plane) + away * normal / np.linalg.norm(normal)
    pixels, distance = mm_to_pixels(mm, plane)
    np.testing.assert_allclose(pixels, (x, y), atol=1e-6)
    assert float(distance) == pytest.approx(away, abs=1e-6)


def axial(z: float, step: float = 1.0, turn: float = 0.0) -> PlaneGeometry:
    angle = np.radians(turn)
    return PlaneGeometry(
        origin=(100, 80, z),
        per_column=(-step * float(np.cos(angle)), -step * float(np.sin(angle)), 0),
        per_row=(step * float(np.sin(angle)), -step * float(np.cos(angle)), 0),
    )


def test_edges_and_centres_of_a_known_plane() -> None:
    box = Box(grid="a", x0=9.5, y0=19.5, x1=11.5, y1=22.5)
    corners = region_to_mm(box, axial(5, 2.0))
    np.testing.assert_allclose(corners, [(81, 41, 5), (77, 41, 5), (77, 35, 5), (81, 35, 5)])


def test_a_box_goes_to_the_same_place_on_another_series() -> None:
    box = Box(grid="a", x0=10, y0=20, x1=30, y1=44, name="lesion")
    finer = region_on(box, axial(5, 1.0), axial(5.2, 0.5), "b")
    assert isinstance(finer, Box) and (finer.grid, finer.name) == ("b", "lesion")
    assert numbers(finer) == pytest.approx([20, 40, 60, 88])
    turned = region_on(box, axial(5), axial(5, turn=30), "b")
    assert isinstance(turned, Polygon)
    again = region_on(turned, axial(5, turn=30), axial(5), "a")
    assert numbers(again) == pytest.approx(numbers(box))
    assert isinstance(region_on(box, axial(5), axial(5, turn=90), "b"), Box)
    with pytest.raises(InputError, match=r"lies 3\.0 mm off this plane"):
        region_on(box, axial(5), axial(8), "b")
    assert isinstance(region_on(box, axial(5), axial(8), "b", off_plane_mm=3), Box)


def test_planes_and_points_that_span_nothing_are_refused() -> None:
    flat = PlaneGeometry(origin=(0, 0, 0), per_column=(1, 0, 0), per_row=(2, 0, 0))
    with pytest.raises(InputError, match="parallel"):
        pixels_to_mm((0, 0), flat)
    with pytest.raises(InputError, match="Two points"):
        region_from_mm([(0, 0, 0), (1, 1, 0)], axial(0), "a")
    with pytest.raises(InputError, match="span no volume"):
        cuboid_from_mm([(0, 0, 0), (1, 1, 0)], np.eye(4), "v")


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.floats(-5, 40)] * 3), st.tuples(*[st.floats(0.5, 30)] * 3))
@settings(max_examples=40, deadline=None)
def test_boxes_of_voxels_return_from_millimetres(
    seed: int, low: tuple[float, float, float], size: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.3, 4, 3)
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    cuboid = Cuboid(grid="v", low=low, high=tuple(a + b for a, b in zip(low, size, strict=True)), name="n")
    back = cuboid_from_mm(cuboid_to_mm(cuboid, affine), affine, "v", "n")
    np.testing.assert_allclose(back.low + back.high, cuboid.low + cuboid.high, atol=1e-9)
    volume = float(abs(np.linalg.det(affine[:3, :3])) * np.prod(size))
    corners = cuboid_to_mm(cuboid, affine)
    assert abs(np.linalg.det(corners[[4, 2, 1]] - corners[0])) == pytest.approx(volume)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SLA"])
def test_a_box_of_voxels_cuts_displayed_slices_where_its_mask_shows(codes: str) -> None:
    from secondread.imaging.volume.regridded import reoriented

    mask = np.zeros((12, 14, 16), bool)
    mask[3:7, 2:9, 5:6] = True
    volume = reoriented(Volume.from_array(mask, np.diag([2.0, 1, 3, 1])), codes).volume
    turned = volume.stored.astype(bool)
    cuboid = bounding_cuboid(turned, "v", "organ")
    assert cuboid is not None and bounding_cuboid(np.zeros((2, 2, 2), bool), "v") is None
    for plane in ("axial", "coronal", "sagittal"):
        for index0 in range(volume.count(plane)):
            shown = volume.shown(turned, plane, index0)
            box = cuboid_on_slice(cuboid, volume, plane, index0, "s")
            if not shown.any():
                assert box is None
                continue
            assert box is not None
            rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
            wanted = (columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5)
            assert (box.x0, box.y0, box.x1, box.y1) == wanted
            corners = region_to_mm(box, volume.slice_geometry(plane, index0))
            inside = cuboid_from_mm(cuboid_to_mm(cuboid, volume.affine), np.eye(4), "mm")
            assert (corners >= np.array(inside.low) - 1e-9).all() and (corners <= np.array(inside.high) + 1e-9).all()


def test_pixel_is_the_inverse_of_voxel() -> None:
    volume = Volume.from_array(np.zeros((4, 5, 6)), np.diag([-1.0, 1, 1, 1]))
    for plane in ("axial", "coronal", "sagittal"):
        assert volume.pixel(plane, volume.voxel(plane, 2, 1.25, 0.5)) == (0.5, 1.25)
