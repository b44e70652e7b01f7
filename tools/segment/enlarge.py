"""From the square grid of the networks back to the film: bilinear values, and the most probable class.

Away from borders the four grid points around a pixel agree on the class, so it is taken from there; probabilities are
interpolated only where they disagree. The result is that of interpolating all of them (a mean of values that are each
largest for one class is largest for it), at a fraction of the cost.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from secondread.tools.segment.grid import place
from secondread.tools.segment.postprocess import winner

Indices = NDArray[np.intp]
Weights = NDArray[np.float32]


@dataclass(frozen=True)
class _Axis:
    """For each pixel along one axis of the film: the grid points before and after it, and the share of the latter."""

    before: Indices
    after: Indices
    share: Weights


@lru_cache(maxsize=64)
def _axis(padded: int, start: int, size: int, grid: int) -> _Axis:
    """Pixel centres of `size` pixels from `start` on, of a frame of `padded` pixels that fills `grid` points."""
    scale = np.float32(grid / padded)
    where = np.arange(start, start + size, dtype=np.float32) + np.float32(0.5)
    position = np.maximum(where * scale - np.float32(0.5), np.float32(0.0))
    before = np.minimum(position.astype(np.intp), grid - 1)
    return _Axis(before, np.minimum(before + 1, grid - 1), (position - before).astype(np.float32))


def _axes(rows: int, columns: int, grid: int) -> tuple[_Axis, _Axis]:
    where = place(rows, columns)
    return (
        _axis(where.padded_rows, where.top, rows, grid),
        _axis(where.padded_columns, where.left, columns, grid),
    )


def enlarge(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """A map on the grid of the networks, bilinearly on that of the film.

    Args:
        values: Shape (256, 256).
        rows: Of the film, or of a coarser grid over the whole of it.
        columns: Likewise.

    Returns:
        Shape (rows, columns).
    """
    down, across = _axes(rows, columns, len(values))
    low, high = np.float32(1) - down.share[:, None], down.share[:, None]
    lines = values[down.before] * low + values[down.after] * high
    result: NDArray[np.float32] = lines.take(across.before, 1) * (np.float32(1) - across.share)
    result += lines.take(across.after, 1) * across.share
    return result


def enlarge_classes(
    probabilities: NDArray[np.float32], classes: NDArray[np.uint8], rows: int, columns: int
) -> NDArray[np.uint8]:
    """The most probable class per pixel of the film, from bilinear probabilities.

    Args:
        probabilities: Shape (n, 256, 256), n up to 64.
        classes: Its `winner`, shape (256, 256).
        rows: Of the film, or of a coarser grid over the whole of it.
        columns: Likewise.

    Returns:
        uint8, shape (rows, columns).
    """
    grid = len(classes)
    down, across = _axes(rows, columns, grid)
    if (rows, columns) == classes.shape and not (down.share.any() or across.share.any()):
        return classes
    # The upper left grid point decides, with its top bit set where the three others do not agree with it.
    found = (classes | _mixed(classes)).take(down.before, 0).take(across.before, 1)
    flat = found.ravel()
    border = np.flatnonzero(flat >= _MIXED)
    y, x = np.divmod(border, columns)
    above, below = down.before[y] * grid, down.after[y] * grid
    left, right = across.before[x], across.after[x]
    table = probabilities.reshape(len(probabilities), -1)
    far_x, far_y = across.share[x], down.share[y]
    near_x, near_y = np.float32(1) - far_x, np.float32(1) - far_y
    upper = near_x * table.take(above + left, 1) + far_x * table.take(above + right, 1)
    lower = near_x * table.take(below + left, 1) + far_x * table.take(below + right, 1)
    flat[border] = winner(near_y * upper + far_y * lower)
    return found


_MIXED = np.uint8(128)


def _mixed(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """128 where the square of a grid point and its right, lower and lower right neighbours holds several classes."""
    differ = np.zeros(classes.shape, np.bool_)
    differ[:, :-1] = classes[:, :-1] != classes[:, 1:]
    down = classes[:-1] != classes[1:]
    # a square is of one class when its upper edge, its lower edge and its left edge are
    differ[:-1] |= differ[1:] | down
    return differ.view(np.uint8) << np.uint8(7)
