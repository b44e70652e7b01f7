"""The square grid the chest anatomy networks see, and how a film lies in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 256
"""Rows and columns of the network input."""

MAX_ASPECT = 1.5
"""Up to this ratio of the sides a film is squeezed to the square; beyond it, black is added to the short side first."""

LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5
"""Grey values at these percentiles become 0 and 1."""


@dataclass(frozen=True)
class Placement:
    """Where a film lies in its padded frame; all values in pixels of the film.

    Attributes:
        rows: Rows of the film.
        columns: Columns of the film.
        top: Black rows added above it.
        left: Black columns added on the image left.
        padded_rows: Rows of the frame.
        padded_columns: Columns of the frame.
    """

    rows: int
    columns: int
    top: int
    left: int
    padded_rows: int
    padded_columns: int


def place(rows: int, columns: int) -> Placement:
    """The frame of a film: itself, unless its sides differ by more than `MAX_ASPECT`."""
    padded_rows = max(rows, round(columns / MAX_ASPECT))
    padded_columns = max(columns, round(rows / MAX_ASPECT))
    return Placement(
        rows, columns, (padded_rows - rows) // 2, (padded_columns - columns) // 2, padded_rows, padded_columns
    )


def stretch(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey values with the 0.5 and 99.5 percentiles at 0 and 1, clipped; a flat image becomes all zero."""
    low, high = np.percentile(values, [LOW_PERCENTILE, HIGH_PERCENTILE])
    if high - low < 1e-6:
        return np.zeros_like(values)
    result: NDArray[np.float32] = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return result


def to_grid(pixels: NDArray[np.float32], size: int = GRID) -> NDArray[np.float32]:
    """A film resampled to `size` x `size` (area-averaging when it shrinks), stretched to 0..1.

    Args:
        pixels: Display grey, shape (rows, columns).
        size: Rows and columns of the result.

    Returns:
        Shape (size, size). The aspect ratio is not kept: radiographs differ little in it, the networks were trained
        with random squeezing, and a squeezed film uses the whole grid.
    """
    import torch
    from torch.nn import functional

    where = place(*pixels.shape)
    film = torch.from_numpy(np.array(pixels, dtype=np.float32))[None, None]  # a copy: stored pixels are read-only
    if where.padded_rows != where.rows or where.padded_columns != where.columns:
        below = where.padded_rows - where.rows - where.top
        right = where.padded_columns - where.columns - where.left
        film = functional.pad(film, (where.left, right, where.top, below))
    if film.shape[-2:] != (size, size):
        film = functional.interpolate(film, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    result: NDArray[np.float32] = film[0, 0].numpy()
    return stretch(result)
