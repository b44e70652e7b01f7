"""Diameters and areas of drawn masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secondread.schema.errors import InputError, NotMeasurable
from secondread.tools.measure.toolbox.outline import area, axes, perimeter


def ellipse(a: float, b: float, turn: float = 0.0, side: int = 161) -> NDArray[np.bool_]:
    """Half axes in pixels, turned by degrees, in the middle of a square grid."""
    y, x = np.mgrid[0:side, 0:side] - side // 2
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return np.asarray(((x * c + y * s) / a) ** 2 + ((y * c - x * s) / b) ** 2 <= 1)


@pytest.mark.parametrize("turn", [0, 17, 45, 90, 133])
def test_axes_of_an_ellipse_are_found_within_two_percent_however_it_lies(turn: float) -> None:
    found = axes(ellipse(60, 25, turn))
    assert found.long.length == pytest.approx(120, rel=0.02)
    assert found.short.length == pytest.approx(50, rel=0.03)
    (x0, y0), (x1, y1) = found.long.start, found.long.end
    tilt = (np.degrees(np.arctan2(y1 - y0, x1 - x0)) - turn + 90) % 180 - 90
    assert abs(tilt) < 4
    run = np.array([x1 - x0, y1 - y0]) / found.long.length
    across = np.subtract(found.short.end, found.short.start) / found.short.length
    assert abs(run @ across) < 1e-6


def test_unequal_spacing_stretches_the_axes() -> None:
    found = axes(ellipse(30, 30), spacing=(2.0, 0.5))
    assert found.long.length == pytest.approx(120, rel=0.02)
    assert found.short.length == pytest.approx(30, rel=0.03)


def test_a_rectangle_has_its_sides_area_and_outline() -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:15, 3:33] = True
    assert area(mask, (0.5, 2.0)) == pytest.approx(10 * 0.5 * 30 * 2.0)
    assert perimeter(mask) == pytest.approx(80, rel=0.02)
    found = axes(mask)
    assert found.long.length == pytest.approx(np.hypot(30, 10), rel=0.03)


def test_two_parts_are_measured_together_from_one_end_to_the_other() -> None:
    mask = np.zeros((20, 60), bool)
    mask[8:12, 2:6] = mask[8:12, 50:54] = True
    assert axes(mask).long.length == pytest.approx(52, rel=0.02)


def test_one_pixel_has_the_size_of_a_pixel() -> None:
    mask = np.zeros((5, 5), bool)
    mask[2, 3] = True
    assert axes(mask, (0.7, 0.7)).long.length == pytest.approx(0.7, rel=0.01)
    assert axes(mask).long.start[1] == pytest.approx(2, abs=0.5)


@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 20), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_axes_do_not_depend_on_where_the_mask_lies(high: int, wide: int, down: int, right: int) -> None:
    first, second = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    first[:high, :wide] = True
    second[down : down + high, right : right + wide] = True
    a, b = axes(first), axes(second)
    assert a.long.length == pytest.approx(b.long.length)
    assert a.short.length == pytest.approx(b.short.length, abs=1e-6)
    assert a.short.length <= a.long.length + 1e-9


def test_empty_and_flat_input_is_refused() -> None:
    with pytest.raises(NotMeasurable, match="empty"):
        axes(np.zeros((5, 5), bool))
    with pytest.raises(InputError, match="two dimensions"):
        axes(np.zeros((5, 5, 5), bool))
    with pytest.raises(InputError, match="spacing"):
        axes(np.ones((5, 5), bool), (0.0, 1.0))
