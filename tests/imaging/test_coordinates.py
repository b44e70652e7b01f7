"""Regions between a crop and what it was cut from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread.imaging.coordinates import (
    bounding_box,
    box_from_relative,
    box_to_relative,
    compose,
    crop_transform,
    down,
    from_relative,
    mask_down,
    mask_up,
    to_relative,
    up,
)
from secondread.schema.errors import InputError
from secondread.schema.region import Box, Point, Polygon

whole = st.integers(0, 60)
inside = st.floats(-50, 500, allow_nan=False)


@st.composite
def parts(draw: st.DrawFn) -> tuple[Box, int]:
    """A box of whole pixels, and an enlargement."""
    x, y, wide, high = draw(whole), draw(whole), draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return Box(grid="p", x0=x - 0.5, y0=y - 0.5, x1=x + wide - 0.5, y1=y + high - 0.5), draw(st.integers(1, 5))


@given(parts(), inside, inside, inside, inside)
def test_regions_return_unchanged(part: tuple[Box, int], x: float, y: float, wide: float, high: float) -> None:
    box, scale = part
    transform = crop_transform(box, round((box.y1 - box.y0) * scale), round((box.x1 - box.x0) * scale))
    regions = (
        Point(grid="p", x=x, y=y, name="a"),
        Box(grid="p", x0=x, y0=y, x1=x + abs(wide) + 1, y1=y + abs(high) + 1),
        Polygon(grid="p", points=((x, y), (wide, y), (x, high))),
    )
    for region in regions:
        there = down(region, transform, "c")
        assert there.grid == "c"
        back = up(there, transform, "p")
        numbers = [v for v in back.model_dump(exclude={"grid", "shape", "name"}).values()]
        expected = [v for v in region.model_dump(exclude={"grid", "shape", "name"}).values()]
        np.testing.assert_allclose(np.ravel(numbers), np.ravel(expected), atol=1e-9)


@given(parts())
def test_the_part_itself_fills_the_crop_edge_to_edge(part: tuple[Box, int]) -> None:
    box, scale = part
    rows, columns = round((box.y1 - box.y0) * scale), round((box.x1 - box.x0) * scale)
    found = down(box, crop_transform(box, rows, columns), "c")
    assert isinstance(found, Box)
    assert (found.x0, found.y0, found.x1, found.y1) == pytest.approx((-0.5, -0.5, columns - 0.5, rows - 0.5))


@given(parts(), st.integers(0, 2**32 - 1))
def test_masks_go_down_and_up_without_loss(part: tuple[Box, int], seed: int) -> None:
    box, scale = part
    rows, columns = round((box.y1 - box.y0) * scale), round((box.x1 - box.x0) * scale)
    transform = crop_transform(box, rows, columns)
    mask = np.random.default_rng(seed).random((110, 110)) < 0.5
    x0, y0, x1, y1 = (round(v + 0.5) for v in (box.x0, box.y0, box.x1, box.y1))
    kept = np.zeros_like(mask)
    kept[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    small = mask_down(mask, transform, rows, columns)
    np.testing.assert_array_equal(small, np.kron(mask[y0:y1, x0:x1], np.ones((scale, scale), bool)))
    np.testing.assert_array_equal(mask_up(small, transform, 110, 110), kept)


@given(parts(), parts(), inside, inside)
def test_two_crops_compose(outer: tuple[Box, int], inner: tuple[Box, int], x: float, y: float) -> None:
    first, second = (crop_transform(box, 37, 23) for box, _ in (outer, inner))
    point = Point(grid="cc", x=x, y=y)
    one, two = up(point, compose(first, second), "p"), up(up(point, second, "c"), first, "p")
    assert isinstance(one, Point) and isinstance(two, Point)
    assert (one.x, one.y) == pytest.approx((two.x, two.y))


@given(inside, inside, st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([1.0, 1000.0]))
def test_relative_coordinates_return(x: float, y: float, rows: int, columns: int, full: float) -> None:
    assert from_relative(*to_relative(x, y, rows, columns, full), rows, columns, full) == pytest.approx(
        (x, y), abs=1e-6
    )


def test_the_whole_image_is_zero_to_one() -> None:
    box = box_from_relative((0, 0, 1000, 1000), "g", 20, 10, 1000)
    assert (box.x0, box.y0, box.x1, box.y1) == (-0.5, -0.5, 9.5, 19.5)
    assert box_to_relative(box, 20, 10) == (0, 0, 1, 1)
    with pytest.raises(InputError):
        box_from_relative((0.5, 0, 0.5, 1), "g", 20, 10)


def test_bounding_box_runs_from_edge_to_edge() -> None:
    mask = np.zeros((10, 12), bool)
    assert bounding_box(mask, "g") is None
    mask[2:5, 3] = True
    box = bounding_box(mask, "g")
    assert box is not None
    assert (box.x0, box.y0, box.x1, box.y1) == (2.5, 1.5, 3.5, 4.5)
