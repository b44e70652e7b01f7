"""Location tokens of vision-language models: known strings, round trips, replies that are not clean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.imaging.coordinates import to_relative
from secondread.imaging.location_bins import FLORENCE2, PALIGEMMA, LocationBins
from secondread.schema.errors import InputError
from secondread.schema.region import Box, Point

CONVENTIONS = [PALIGEMMA, FLORENCE2]
inside = st.floats(0, 1)


def test_known_boxes_and_points_have_the_tokens_of_each_convention() -> None:
    half = Box(grid="g", x0=-0.5, y0=49.5, x1=99.5, y1=99.5)  # the lower half of a square of 100 pixels
    assert PALIGEMMA.box_tokens(half, 100, 100) == "<loc0512><loc0000><loc1023><loc1023>"
    assert FLORENCE2.box_tokens(half, 100, 100) == "<loc_0><loc_500><loc_999><loc_999>"
    point = Point(grid="g", x=24.5, y=-0.5)
    assert PALIGEMMA.point_tokens(point, 100, 100) == "<loc0000><loc0256>"
    assert FLORENCE2.point_tokens(point, 100, 100) == "<loc_250><loc_0>"


@pytest.mark.parametrize("bins", CONVENTIONS)
def test_every_bin_returns_unchanged(bins: LocationBins) -> None:
    assert [bins.bin(bins.value(number)) for number in range(bins.count)] == list(range(bins.count))
    assert len({bins.template.format(number) for number in range(bins.count)}) == bins.count


@pytest.mark.parametrize("bins", CONVENTIONS)
@given(value=inside)
@settings(max_examples=100, deadline=None)
def test_a_coordinate_returns_within_half_a_bin(bins: LocationBins, value: float) -> None:
    assert abs(bins.value(bins.bin(value)) - value) <= bins.half + 1e-12


@pytest.mark.parametrize("bins", CONVENTIONS)
@given(
    x=st.floats(0, 0.6), y=st.floats(0, 0.6), wide=st.floats(0.01, 0.4), high=st.floats(0.01, 0.4),
    rows=st.integers(1, 3000), columns=st.integers(1, 3000),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_boxes_and_points_return_within_half_a_bin(
    bins: LocationBins, x: float, y: float, wide: float, high: float, rows: int, columns: int
) -> None:
    box = Box(
        grid="g", x0=x * columns - 0.5, y0=y * rows - 0.5, x1=(x + wide) * columns - 0.5, y1=(y + high) * rows - 0.5
    )
    (back,) = bins.boxes(f"heart {bins.box_tokens(box, rows, columns)} ;", "g", rows, columns)
    for name, size in (("x0", columns), ("x1", columns), ("y0", rows), ("y1", rows)):
        assert abs(getattr(back, name) - getattr(box, name)) <= bins.half * size + 1e-9
    point = Point(grid="g", x=box.x0, y=box.y0)
    (found,) = bins.points(bins.point_tokens(point, rows, columns), "g", rows, columns)
    moved = [a - b for a, b in zip(to_relative(found.x, found.y, rows, columns), (x, y), strict=True)]
    assert max(map(abs, moved)) <= bins.half + 1e-9


def test_places_outside_the_image_take_the_outermost_bin() -> None:
    assert [PALIGEMMA.bin(v) for v in (-0.2, 1.7)] == [0, 1023]
    assert [FLORENCE2.bin(v) for v in (-0.2, 1.0)] == [0, 999]
    with pytest.raises(InputError, match="finite"):
        PALIGEMMA.bin(float("nan"))
    with pytest.raises(InputError, match="no location bin 1024"):
        PALIGEMMA.value(1024)


def test_replies_are_read_by_their_tokens_alone() -> None:
    two = "<loc0000><loc0000><loc0512><loc0512> heart ; <loc0100><loc0200><loc0300><loc0400> lung"
    assert len(PALIGEMMA.boxes(two, "g", 50, 50)) == 2
    joined = "rib<loc_1><loc_2><loc_30><loc_40><loc_5><loc_6><loc_70><loc_80>"
    assert len(FLORENCE2.boxes(joined, "g", 50, 50)) == 2
    for nothing in (
        "no box here",
        "<loc0000><loc0000><loc0512>",
        "<loc0500><loc0500><loc0100><loc0600>",  # no area
        "<loc0000><loc0000><loc0512><loc1024>",  # no such bin
        "<loc_1><loc_2><loc_3><loc_4>",  # another convention
    ):
        assert PALIGEMMA.boxes(nothing, "g", 50, 50) == []
    assert PALIGEMMA.points("<loc0000><loc0000><loc0512>", "g", 50, 50) == []
