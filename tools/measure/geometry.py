"""Lengths, gaps and axes of chest masks: pure geometry that knows neither files nor networks.

Masks have shape (rows, columns), row 0 at the top, column 0 at the viewer's left. Coordinates are pixel-centre
coordinates; a length counts whole pixels, from the outer edge of the first to the outer edge of the last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotMeasurable

Mask = NDArray[np.bool_]

MIN_RUN = 2
"""Pixels a column (or row) must hold to count: a one-pixel spike is not a border."""

FOUR_NEIGHBOURS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
"""Pixels that share an edge are connected."""


@dataclass(frozen=True)
class Extent:
    """Where a mask begins and ends along one axis.

    Attributes:
        first: First occupied column (or row).
        last: Last occupied column (or row).
        at_first: Median row (or column) of the mask in `first`.
        at_last: Median row (or column) of the mask in `last`.
    """

    first: int
    last: int
    at_first: float
    at_last: float

    @property
    def length(self) -> int:
        """Pixels from the outer edge of the first to the outer edge of the last."""
        return self.last - self.first + 1


def window(mask: Mask) -> tuple[slice, slice]:
    """The rows and columns that hold all of a mask; empty slices for an empty mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    down = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(mask[down].any(axis=0))
    return down, slice(int(columns[0]), int(columns[-1]) + 1)


def main_part(mask: Mask, share: float = 1.0) -> Mask:
    """The largest connected part of a mask, with every other part of at least `share` of its size.

    Args:
        mask: Shape (rows, columns).
        share: 1.0 keeps the largest part alone; 0.1 also keeps a lung's second half behind a device.

    Returns:
        Shape of `mask`; all False when `mask` is empty.
    """
    from scipy import ndimage

    held = window(mask)
    labels, count = ndimage.label(mask[held], structure=FOUR_NEIGHBOURS)
    if count <= 1:
        return np.asarray(mask, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = sizes >= share * sizes.max()
    kept[0] = False
    chosen = np.zeros(mask.shape, np.bool_)
    chosen[held] = kept[labels]
    return chosen


def horizontal_extent(mask: Mask) -> Extent:
    """Bounding columns of a mask; columns that hold fewer than `MIN_RUN` pixels are passed over.

    Raises:
        NotMeasurable: No column holds that many pixels.

    Source:
        Widest transverse diameters after Danzer, Am J Med Sci 1919;157:513.
    """
    down, across = window(mask)
    held = mask[down, across]
    columns = np.flatnonzero(np.count_nonzero(held, axis=0) >= MIN_RUN)
    if columns.size == 0:
        raise NotMeasurable("The structure is empty or too thin to have a width.")
    first, last = int(columns[0]), int(columns[-1])
    at_first, at_last = _middle(held[:, first]) + down.start, _middle(held[:, last]) + down.start
    return Extent(first + across.start, last + across.start, at_first, at_last)


def _middle(line: Mask) -> float:
    """Median index of the set pixels of one line."""
    held = np.flatnonzero(line)
    return float(held[(held.size - 1) // 2] + held[held.size // 2]) / 2.0


def vertical_extent(mask: Mask) -> Extent:
    """Bounding rows of a mask; rows that hold fewer than `MIN_RUN` pixels are passed over.

    Raises:
        NotMeasurable: No row holds that many pixels.
    """
    return horizontal_extent(mask.T)


def widest_row(mask: Mask) -> int:
    """Widest mask within one row, from its first to its last pixel in that row; 0 for an empty mask."""
    held = mask.any(axis=1)
    if not held.any():
        return 0
    rows = mask[held]
    first = rows.argmax(axis=1)
    last = rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    return int((last - first).max()) + 1


def centroid(mask: Mask) -> tuple[float, float]:
    """Mean column and mean row (x, y) of a mask that is not empty."""
    total = int(np.count_nonzero(mask))
    x = float(np.count_nonzero(mask, axis=0) @ np.arange(mask.shape[1])) / total
    y = float(np.count_nonzero(mask, axis=1) @ np.arange(mask.shape[0])) / total
    return x, y


def long_axis(mask: Mask, row_to_column: float = 1.0) -> float:
    """Tilt of a mask's long axis against the vertical, in degrees within (-90, 90].

    Args:
        mask: Shape (rows, columns), not empty.
        row_to_column: Distance between rows over distance between columns.

    Returns:
        Positive when the upper end leans to the image right (the shape is turned clockwise).
    """
    rows, columns = np.nonzero(mask)
    x = columns - columns.mean()
    y = (rows - rows.mean()) * row_to_column
    # sums, not dot products: BLAS would share these few numbers among threads and wait for them
    xx, yy, xy = float((x * x).sum()), float((y * y).sum()), float((x * y).sum())
    return float(np.degrees(0.5 * np.arctan2(-2.0 * xy, yy - xx)))


def touches(mask: Mask, margin: int = 1) -> tuple[str, ...]:
    """Sides of the image on which a mask reaches the outer `margin` pixels (`image_left`, `top`, ..).

    One stray pixel does not count: at least `MIN_RUN` pixels must lie in the margin.
    """
    strips = {
        "image_left": mask[:, :margin],
        "image_right": mask[:, -margin:],
        "top": mask[:margin],
        "bottom": mask[-margin:],
    }
    return tuple(side for side, strip in strips.items() if np.count_nonzero(strip) >= MIN_RUN)


def gap_between(left_of_image: Mask, right_of_image: Mask, top: int, bottom: int) -> tuple[float, int] | None:
    """Median gap, in pixels, between two masks over the rows `top` to `bottom` (exclusive) that hold both.

    The gap of a row runs from the last pixel of the mask on the image left to the first one of the mask on the
    image right; where they overlap it is 0.

    Returns:
        The median gap and the row (of those with that gap or the next larger one) nearest to the middle, or None
        when no row holds both masks.
    """
    rows = np.arange(max(top, 0), min(bottom, left_of_image.shape[0]))
    rows = rows[left_of_image[rows].any(axis=1) & right_of_image[rows].any(axis=1)]
    if rows.size == 0:
        return None
    last = left_of_image.shape[1] - 1 - left_of_image[rows][:, ::-1].argmax(axis=1)
    first = right_of_image[rows].argmax(axis=1)
    gaps = np.maximum(first - last - 1, 0)
    median = float(np.median(gaps))
    off = np.abs(gaps - median)
    nearest = rows[off == off.min()]
    middle = nearest[np.abs(nearest - rows.mean()).argmin()]
    return median, int(middle)
