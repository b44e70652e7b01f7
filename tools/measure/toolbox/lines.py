"""Distances, angles and ratios between points, in pixels or in mm."""

from math import acos, degrees, hypot, isfinite, sqrt

from secondread.schema.errors import InputError, NotMeasurable

Point2 = tuple[float, float]
"""x along columns, y along rows."""


def distance(a: Point2, b: Point2, spacing: tuple[float, float] = (1.0, 1.0)) -> float:
    """Length of the line between two points.

    Args:
        a: One end.
        b: The other end.
        spacing: Distance between rows and between columns.
    """
    return hypot((b[0] - a[0]) * spacing[1], (b[1] - a[1]) * spacing[0])


def angle(corner: Point2, a: Point2, b: Point2, spacing: tuple[float, float] = (1.0, 1.0)) -> float:
    """Angle at `corner` between the lines to `a` and to `b`, 0 to 180 degrees, true to the body by `spacing`.

    Raises:
        NotMeasurable: A point lies on the corner.
    """
    first = ((a[0] - corner[0]) * spacing[1], (a[1] - corner[1]) * spacing[0])
    second = ((b[0] - corner[0]) * spacing[1], (b[1] - corner[1]) * spacing[0])
    lengths = hypot(*first) * hypot(*second)
    if lengths == 0:
        raise NotMeasurable("An angle needs three different points.")
    return degrees(acos(max(-1.0, min(1.0, (first[0] * second[0] + first[1] * second[1]) / lengths))))


def angle_of_lines(
    first: tuple[Point2, Point2], second: tuple[Point2, Point2], spacing: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Smaller angle between two lines, 0 to 90 degrees; where they meet does not matter.

    Raises:
        NotMeasurable: A line has no length.
    """
    moved = (
        first[0][0] + second[1][0] - second[0][0],
        first[0][1] + second[1][1] - second[0][1],
    )
    found = angle(first[0], first[1], moved, spacing)
    return min(found, 180.0 - found)


def ratio(a: float, b: float, spread_a: float = 0.0, spread_b: float = 0.0) -> tuple[float, float]:
    """`a` over `b` and its standard deviation, from independent standard deviations of both, to first order.

    Raises:
        InputError: A number is not finite.
        NotMeasurable: `b` is 0.
    """
    if not all(map(isfinite, (a, b, spread_a, spread_b))):
        raise InputError("A ratio needs finite numbers.")
    if b == 0:
        raise NotMeasurable("A ratio to nothing is not defined.")
    return a / b, abs(a / b) * sqrt((spread_a / a) ** 2 + (spread_b / b) ** 2) if a else spread_a / abs(b)
