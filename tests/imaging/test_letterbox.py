"""Images fitted into a model input, and what the model found brought back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.imaging.coordinates import bounding_box
from secondread.imaging.letterbox import Letterbox, fit
from secondread.schema.errors import UsageError
from secondread.schema.region import Box, Point, Polygon

sides = st.integers(1, 700)


@st.composite
def fits(draw: st.DrawFn) -> Letterbox:
    return fit(
        draw(sides),
        draw(sides),
        draw(st.integers(8, 400)),
        draw(st.integers(8, 400)),
        place=draw(st.sampled_from(["centre", "corner"])),
        keep_aspect=draw(st.booleans()),
        enlarge=draw(st.booleans()),
    )


@given(fits(), st.floats(-50, 800), st.floats(-50, 800), st.floats(0.1, 90), st.floats(0.1, 90))
@settings(max_examples=100, deadline=None)
def test_regions_return_unchanged(box: Letterbox, x: float, y: float, wide: float, high: float) -> None:
    for region in (
        Point(grid="o", x=x, y=y, name="p"),
        Box(grid="o", x0=x, y0=y, x1=x + wide, y1=y + high),
        Polygon(grid="o", points=((x, y), (x + wide, y), (x, y + high))),
    ):
        back = box.to_original(box.to_model(region, "m"), "o")
        numbers = [np.ravel(list(r.model_dump(exclude={"grid", "shape", "name"}).values())) for r in (back, region)]
        np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-9, atol=1e-7)
        assert (back.grid, back.name) == ("o", region.name)


@given(fits())
@settings(max_examples=100, deadline=None)
def test_the_image_fills_its_part_edge_to_edge_and_keeps_its_shape(box: Letterbox) -> None:
    whole = Box(grid="o", x0=-0.5, y0=-0.5, x1=box.columns - 0.5, y1=box.rows - 0.5)
    found = box.to_model(whole, "m")
    assert isinstance(found, Box)
    wanted = (box.left - 0.5, box.top - 0.5, box.left + box.width - 0.5, box.top + box.height - 0.5)
    assert (found.x0, found.y0, found.x1, found.y1) == pytest.approx(wanted)
    assert box.top >= 0 and box.top + box.height <= box.model_rows
    assert box.left >= 0 and box.left + box.width <= box.model_columns


def test_a_film_in_a_square_input() -> None:
    box = fit(2000, 1000, 512, 512)
    assert (box.height, box.width, box.top, box.left) == (512, 256, 0, 128)
    assert box.transform.scale_x == box.transform.scale_y == 1000 / 256
    point = box.to_original(Point(grid="m", x=255.5, y=255.5), "o")
    assert isinstance(point, Point) and (point.x, point.y) == pytest.approx((499.5, 999.5))
    corner = fit(2000, 1000, 512, 512, place="corner")
    assert (corner.top, corner.left) == (0, 0)
    assert fit(100, 50, 512, 512, enlarge=False).height == 100
    stretched = fit(2000, 1000, 512, 256, keep_aspect=False)
    assert (stretched.height, stretched.width) == (512, 256)
    with pytest.raises(UsageError, match="at least one"):
        fit(0, 5, 5, 5)


def test_pixels_lie_where_the_transform_says() -> None:
    grey = np.zeros((120, 60), np.float32)
    grey[40:60, 10:30] = 1
    box = fit(120, 60, 90, 80)
    made = box.pixels(grey, fill=0.25)
    assert made.shape == (90, 80) and made.dtype == np.float32
    assert (made[:, : box.left] == 0.25).all() and (made[:, box.left + box.width :] == 0.25).all()
    found = bounding_box(made > 0.5, "m")
    assert found is not None
    back = box.to_original(found, "o")
    assert isinstance(back, Box)
    assert (back.x0, back.y0, back.x1, back.y1) == pytest.approx((9.5, 39.5, 29.5, 59.5), abs=1.0)
    np.testing.assert_array_equal(fit(120, 60, 120, 60).pixels(grey), grey)
    with pytest.raises(UsageError, match="120 x 60"):
        box.pixels(grey.T)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_masks_go_to_an_enlarged_input_and_return_without_loss(rows: int, columns: int, times: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.5
    side = times * max(rows, columns)
    box = fit(rows, columns, side, side)
    there = box.mask_to_model(mask)
    assert there.shape == (side, side) and there.sum() == mask.sum() * times**2
    np.testing.assert_array_equal(box.mask_to_original(there), mask)
