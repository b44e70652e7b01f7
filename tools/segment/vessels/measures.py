"""Density, calibre and tortuosity of a vessel mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotMeasurable
from secondread.tools.segment.vessels.skeleton import Segment, segments

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

STEP = 0.25
"""Pixels between samples across a vessel."""
SOFTENING = 0.7
"""Standard deviation in pixels of the Gaussian that rounds the steps of slanting borders before they are placed; it
moves the border of a straight vessel at least 2 pixels wide by less than 0.01 pixel."""
MAIN_SHARE, MAIN_QUANTILE = 0.6, 0.98
"""Main vessels are where the width is at least this share of this quantile of all widths along the centre lines. How
many of the finest vessels are drawn, and how thick, is a habit of the observer: over the 22 development photographs the
mean width of all vessels of the two observers of CHASE_DB1 correlates at -0.24, that of the main vessels at 0.40."""
WINDOW = 40.0
"""Pixels of path over which winding is taken; on the standard grid 4 % of the field of view. A whole stretch between
branchings would depend on which side branches were seen: there the observers' tortuosity correlates at 0.18, here at
0.55."""
WINDOW_STEP = 4.0
"""Pixels between the starts of windows."""


@dataclass(frozen=True)
class Shape:
    """Vessels of one mask.

    Attributes:
        density: Vessel area over area of the field of view.
        calibre: Mean width of the main vessels along their centre lines, in pixels.
        tortuosity: Mean over windows of path length over straight distance; 1 is straight.
        curvature: Mean absolute curvature along the centre lines, in 1 / pixel.
        length: Of all segments, in pixels.
        segments: How many.
    """

    density: float
    calibre: float
    tortuosity: float
    curvature: float
    length: float
    segments: int


def shape_of(mask: Mask, field: Mask) -> Shape:
    """All measures of a mask.

    Args:
        mask: Vessels, shape (rows, columns).
        field: The field of view, same shape; vessels outside it do not count.

    Raises:
        NotMeasurable: No field, or no stretch of vessel long enough.
    """
    inside = mask & field
    found = segments(inside)
    return Shape(
        density=density(mask, field),
        calibre=main_calibre(calibre(inside, found)),
        tortuosity=tortuosity(found),
        curvature=curvature(found),
        length=float(sum(one.length for one in found)),
        segments=len(found),
    )


def density(mask: Mask, field: Mask) -> float:
    """Share of the field of view that is vessel.

    Raises:
        NotMeasurable: The field is empty.
    """
    area = int(field.sum())
    if area == 0:
        raise NotMeasurable("The field of view is empty.")
    return int((mask & field).sum()) / area


def main_calibre(widths: list[Floats]) -> float:
    """Mean width of the main vessels, in the unit of `widths`, which come from `calibre`.

    Raises:
        NotMeasurable: There is none.
    """
    every = np.concatenate(widths) if widths else np.zeros(0)
    if not every.size:
        raise NotMeasurable("No stretch of vessel is long enough for its calibre.")
    return float(every[every >= MAIN_SHARE * np.quantile(every, MAIN_QUANTILE)].mean())


def calibre(mask: Mask, found: list[Segment]) -> list[Floats]:
    """Widths across segments, in pixels: of each segment one per point of its path where both borders are found.

    The slightly softened mask is sampled along the normal of the smoothed path; a border lies where it falls below one
    half. Points near the ends, where the vessel opens into a branching, are left out.

    Args:
        mask: Vessels, shape (rows, columns).
        found: From `segments` of the same mask.
    """
    from scipy import ndimage

    radius = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    soft = ndimage.gaussian_filter(mask.astype(np.float32), SOFTENING)
    return [_widths(soft, radius, one) for one in found]


def _widths(soft: NDArray[np.float32], radius: Floats, segment: Segment) -> Floats:
    """`calibre` of one segment."""
    from scipy import ndimage

    tangent = np.gradient(segment.path, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    at = np.clip(np.rint(segment.path).astype(int), 0, np.array(soft.shape) - 1)
    half = radius[at[:, 0], at[:, 1]]
    steps = np.arange(0, 2 * float(half.max()) + 3, STEP)
    sides = []
    for sense in (1.0, -1.0):
        places = segment.path[:, None] + sense * steps[None, :, None] * normal[:, None]
        profile = ndimage.map_coordinates(soft, places.reshape(-1, 2).T, order=1, mode="constant")
        sides.append(_fall(profile.reshape(len(segment.path), len(steps)), steps))
    width = sides[0] + sides[1]
    trim = min(int(np.ceil(half.max())), (len(width) - 1) // 3)
    width = width[trim : len(width) - trim]
    return width[np.isfinite(width)]


def _fall(profile: Floats, steps: Floats) -> Floats:
    """Where each row first falls below one half, by linear interpolation; NaN where it starts below or never does."""
    below = profile < 0.5
    first = below.argmax(1)
    rows = np.arange(len(profile))
    high, low = profile[rows, first - 1], profile[rows, first]
    found = steps[first - 1] + STEP * (high - 0.5) / np.maximum(high - low, 1e-9)
    return np.where(below.any(1) & (first > 0), found, np.nan)


def tortuosity(found: list[Segment], window: float = WINDOW) -> float:
    """Mean of path length over straight distance, of all windows of a fixed path length along all segments.

    Args:
        found: From `segments`.
        window: Path length in pixels; shorter segments are left out.

    Raises:
        NotMeasurable: No segment is long enough.

    Source:
        Arc over chord: Lotmar, Freiburghaus and Bracher, Graefes Arch Clin Exp Ophthalmol 1979;211:49. Fixed windows
        are this project's choice, see `WINDOW`.
    """
    chords = [_chords(one.path, window) for one in found if one.length >= window]
    if not chords:
        raise NotMeasurable("No unbranched stretch of vessel is long enough for tortuosity.")
    return float((window / np.concatenate(chords)).mean())


def _chords(path: Floats, window: float) -> Floats:
    """Straight distance of the ends of each window along a path."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    starts = np.arange(0.0, along[-1] - window + 1e-9, WINDOW_STEP)
    ends = [np.stack([np.interp(at, along, path[:, k]) for k in (0, 1)], 1) for at in (starts, starts + window)]
    chords: Floats = np.linalg.norm(ends[1] - ends[0], axis=1)
    return np.maximum(chords, 1.0)


def curvature(found: list[Segment], least: float = WINDOW) -> float:
    """Mean absolute curvature in 1 / pixel of segments at least so many pixels long, weighted by length.

    Raises:
        NotMeasurable: No segment is long enough.

    Source:
        Hart, Goldbaum, Cote, Kube and Nelson, Int J Med Inform 1999;53:239.
    """
    long = [one for one in found if one.length >= least]
    if not long:
        raise NotMeasurable("No unbranched stretch of vessel is long enough for curvature.")
    return float(np.average([one.curvature.mean() for one in long], weights=[one.length for one in long]))
