"""Centre lines of a vessel mask: unbranched segments as smooth paths of known length and curvature."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

LENGTH_SMOOTHING = 3.0
"""Standard deviation, in path pixels, of the Gaussian that takes the staircase out of a path before it is measured."""
CURVATURE_SMOOTHING = 6.0
"""The same before second derivatives are taken, which feel the staircase more."""
MIN_PIXELS = 12
"""Shorter segments are left out: their ends, shaped by the skeleton, would outweigh them."""
SPUR = 1.5
"""A side branch shorter than this many radii of the vessel it stands on is an artefact of the skeleton."""
_EIGHT = np.ones((3, 3), int)


@dataclass(frozen=True)
class Segment:
    """A stretch of vessel between branchings or ends.

    Attributes:
        path: Smoothed centre line, (n, 2) rows and columns, pixel-centre coordinates.
        curvature: Absolute curvature along it, in 1 / pixel, without a stretch at either end where smoothing flattens
            it.
    """

    path: Floats
    curvature: Floats

    @property
    def length(self) -> float:
        """Length along the path in pixels."""
        return float(np.linalg.norm(np.diff(self.path, axis=0), axis=1).sum())

    @property
    def chord(self) -> float:
        """Straight distance of its ends in pixels."""
        return float(np.linalg.norm(self.path[-1] - self.path[0]))


def segments(mask: Mask) -> list[Segment]:
    """Unbranched stretches of the centre lines of a mask, in order of their first pixel.

    Args:
        mask: Shape (rows, columns).
    """
    from scipy import ndimage

    if not mask.any():
        return []
    radius = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    line = _pruned(_thinned(mask), radius)
    return [_segment(path) for path in _paths(line & ~_branchings(line)) if len(path) >= MIN_PIXELS]


def _thinned(mask: Mask) -> Mask:
    """Skeleton by Lee's method: that of Zhang lets slanting lines of even thickness vanish."""
    from skimage.morphology import skeletonize

    return np.asarray(skeletonize(mask, method="lee"), bool)


def _ring(line: Mask) -> NDArray[np.int8]:
    """The eight neighbours of every pixel in order round it, shape (8, rows, columns)."""
    whole = np.pad(line, 1).astype(np.int8)
    rows, columns = line.shape
    round_it = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
    return np.stack([whole[r : r + rows, c : c + columns] for r, c in round_it])


def _forks(line: Mask) -> Mask:
    """Pixels where three or more lines meet: going round them, ground turns into line three times or more.

    The number of neighbours would not do: a slanting line of the skeleton may be a staircase whose pixels have three.
    """
    ring = _ring(line)
    found: Mask = line & ((np.diff(ring, axis=0, append=ring[:1]) == 1).sum(0) > 2)
    return found


def _ends(line: Mask) -> Mask:
    """Pixels with one neighbour, or two that touch each other."""
    ring = _ring(line)
    turns = (np.diff(ring, axis=0, append=ring[:1]) == 1).sum(0)
    found: Mask = line & (turns == 1) & (ring.sum(0) <= 2)
    return found


def _branchings(line: Mask) -> Mask:
    """Pixels where three or more lines meet, with their neighbours."""
    from scipy import ndimage

    widened: Mask = ndimage.binary_dilation(_forks(line), _EIGHT)
    return widened


def _pruned(line: Mask, radius: Floats) -> Mask:
    """The skeleton without side branches that are hardly longer than the vessel is thick."""
    from scipy import ndimage

    forks = _forks(line)
    if not forks.any():
        return line
    near = ndimage.binary_dilation(forks, _EIGHT)
    labels, count = ndimage.label(line & ~near, _EIGHT)
    if count == 0:
        return line
    reach = ndimage.maximum_filter(np.where(near, radius, 0.0), 3)
    numbers = np.arange(1, count + 1)
    sizes = ndimage.sum_labels(line, labels, numbers)
    free = ndimage.maximum(_ends(line), labels, numbers)
    thick = ndimage.maximum(np.where(ndimage.binary_dilation(near, _EIGHT), reach, 0.0), labels, numbers)
    spur = (np.asarray(free) > 0) & (thick > 0) & (sizes < SPUR * np.asarray(thick))
    kept = line & ~np.isin(labels, numbers[spur])
    for _ in range(3):  # the stumps beside the forks
        kept &= ~(_ends(kept) & near)
    return _thinned(kept)


def _paths(line: Mask) -> list[NDArray[np.int64]]:
    """Pixels in order along lines, each (n, 2): the longest shortest path of a connected piece, then of its rest."""
    left = {(int(r), int(c)) for r, c in np.argwhere(line)}
    paths = []
    for start in sorted(left):
        if start not in left:
            continue
        far, _ = _farthest(start, left)
        other, came_from = _farthest(far, left)
        path = [other]
        while came_from[path[-1]] is not None:
            path.append(came_from[path[-1]])  # type: ignore[arg-type]  # the loop ends at None
        left -= {(r + dr, c + dc) for r, c in path for dr in (-1, 0, 1) for dc in (-1, 0, 1)}
        paths.append(np.array(path, np.int64))
    return paths


Pixel = tuple[int, int]


def _farthest(start: Pixel, among: set[Pixel]) -> tuple[Pixel, dict[Pixel, Pixel | None]]:
    """The pixel with the longest shortest path from `start`, and whence each pixel was reached."""
    came_from: dict[Pixel, Pixel | None] = {start: None}
    queue, last = deque([start]), start
    while queue:
        last = queue.popleft()
        row, column = last
        # Straight neighbours first, so that a path does not cut corners in a zigzag.
        for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            step = (row + dr, column + dc)
            if step in among and step not in came_from:
                came_from[step] = last
                queue.append(step)
    return last, came_from


def _segment(path: NDArray[np.int64]) -> Segment:
    smooth = _smooth(path.astype(np.float64), LENGTH_SMOOTHING)
    smoother = _smooth(path.astype(np.float64), CURVATURE_SMOOTHING)
    first = np.gradient(smoother, axis=0)
    second = np.gradient(first, axis=0)
    speed = np.maximum(np.linalg.norm(first, axis=1), 1e-6)
    curvature = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / speed**3
    trim = min(round(1.5 * CURVATURE_SMOOTHING), (len(path) - 1) // 2)
    return Segment(smooth, curvature[trim : len(path) - trim])


def _smooth(path: Floats, width: float) -> Floats:
    """Gaussian smoothing that keeps both ends in place: the path goes on beyond them turned by half a turn."""
    from scipy import ndimage

    room = min(len(path) - 1, int(np.ceil(4 * width)))
    before = 2 * path[0] - path[room:0:-1]
    after = 2 * path[-1] - path[-2 : -room - 2 : -1]
    long = np.concatenate([before, path, after])
    smooth: Floats = ndimage.gaussian_filter1d(long, width, axis=0, mode="nearest")[room : room + len(path)]
    return smooth
