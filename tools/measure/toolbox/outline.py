"""Diameters, area and perimeter of a mask in one plane.

Points are (x, y) in pixel-centre coordinates; lengths are in mm when `spacing` is, else in pixels. The outline runs
along the outer edges of the mask with its corners cut, so that a drawn disk has its own diameter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, NotMeasurable

CHORDS = 512
"""Lines at right angles to the long axis along which the short axis is looked for."""
Spacing2 = tuple[float, float]
"""Distance between rows, between columns."""


@dataclass(frozen=True)
class Diameter:
    """A straight line between two points of an outline."""

    length: float
    start: tuple[float, float]
    """x, y in pixel-centre coordinates."""
    end: tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """Long axis, and the longest line at right angles to it.

    Source: RECIST 1.1, Eisenhauer EA et al., Eur J Cancer 2009;45:228-247 (longest diameter; short axis of nodes).
    """

    long: Diameter
    short: Diameter


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Closed outlines of a mask, outer borders and those of holes.

    Args:
        mask: Shape (rows, columns).

    Returns:
        Arrays of shape (points, 2) as x, y; the first point is repeated at the end.

    Raises:
        InputError: Not two-dimensional.
        NotMeasurable: Nothing is set.
    """
    from skimage.measure import find_contours

    if mask.ndim != 2:
        raise InputError(f"A mask in one plane has two dimensions, not {mask.ndim}.")
    if not mask.any():
        raise NotMeasurable("The mask is empty.")
    framed = np.pad(mask.astype(np.float32), 1)
    return [np.asarray(line[:, ::-1] - 1.0, np.float64) for line in find_contours(framed, 0.5)]


def axes(mask: NDArray[np.bool_], spacing: Spacing2 = (1.0, 1.0)) -> Axes:
    """Long and short axis of a mask, over all its parts together.

    Args:
        mask: Shape (rows, columns).
        spacing: Distance between rows and between columns.

    Raises:
        InputError: Not two-dimensional, or a spacing that is not one.
        NotMeasurable: Nothing is set.
    """
    scale = np.array([spacing[1], spacing[0]])
    if not np.isfinite(scale).all() or (scale <= 0).any():
        raise InputError("A spacing is two finite numbers above 0.")
    lines = [line * scale for line in outlines(mask)]
    points = np.concatenate(lines)
    a, b = _farthest(points)
    direction = (b - a) / max(float(np.linalg.norm(b - a)), 1e-12)
    return Axes(long=_diameter(a, b, scale), short=_across(lines, a, direction, scale))


def area(mask: NDArray[np.bool_], spacing: Spacing2 = (1.0, 1.0)) -> float:
    """Set pixels times the area of one."""
    return float(np.count_nonzero(mask)) * spacing[0] * spacing[1]


def perimeter(mask: NDArray[np.bool_], spacing: Spacing2 = (1.0, 1.0)) -> float:
    """Length of all outlines, holes included.

    Raises:
        InputError: Not two-dimensional.
        NotMeasurable: Nothing is set.
    """
    scale = np.array([spacing[1], spacing[0]])
    return float(sum(np.linalg.norm(np.diff(line * scale, axis=0), axis=1).sum() for line in outlines(mask)))


def _farthest(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two points that lie farthest apart."""
    hull = _hull(points)
    gaps = np.linalg.norm(hull[:, None] - hull[None], axis=2)
    i, j = np.unravel_index(int(gaps.argmax()), gaps.shape)
    return hull[i], hull[j]


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial import ConvexHull, QhullError

    try:
        return np.asarray(points[ConvexHull(points).vertices], np.float64)
    except QhullError:  # all on one line
        return np.unique(points, axis=0)


def _across(
    lines: list[NDArray[np.float64]], start: NDArray[np.float64], along: NDArray[np.float64], scale: NDArray[np.float64]
) -> Diameter:
    """The longest line at right angles to `along` between two points of the outlines."""
    normal = np.array([-along[1], along[0]])
    places, heights = [], []
    for line in lines:
        moved = line - start
        places.append(moved @ along)
        heights.append(moved @ normal)
    low, high = min(p.min() for p in places), max(p.max() for p in places)
    stops = np.linspace(low, high, CHORDS + 2)[1:-1]
    top, bottom = np.full(CHORDS, -np.inf), np.full(CHORDS, np.inf)
    for place, height in zip(places, heights, strict=True):
        for p0, p1, h0, h1 in zip(place[:-1], place[1:], height[:-1], height[1:], strict=True):
            first, last = np.searchsorted(stops, (min(p0, p1), max(p0, p1)))
            if first == last:
                continue
            at = h0 + (h1 - h0) * (stops[first:last] - p0) / (p1 - p0)
            top[first:last] = np.maximum(top[first:last], at)
            bottom[first:last] = np.minimum(bottom[first:last], at)
    widths = np.where(np.isfinite(top), top - bottom, 0.0)
    best = int(widths.argmax())
    foot = start + stops[best] * along
    return _diameter(foot + bottom[best] * normal, foot + top[best] * normal, scale)


def _diameter(a: NDArray[np.float64], b: NDArray[np.float64], scale: NDArray[np.float64]) -> Diameter:
    (ax, ay), (bx, by) = a / scale, b / scale
    return Diameter(length=float(np.linalg.norm(b - a)), start=(float(ax), float(ay)), end=(float(bx), float(by)))
