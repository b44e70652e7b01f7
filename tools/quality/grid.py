"""The common small grid on which film quality is measured, so that the number of pixels of a file changes nothing."""

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

GRID = 256
"""Longest side of the grid; smaller films keep their own size, larger ones are averaged down."""
FLAT = 0.02
"""A border row or column whose grey values differ by less than this share of the film's range is padding."""
CENTRE_ROWS, CENTRE_COLUMNS = (0.10, 0.90), (0.15, 0.85)
"""Part of the film that is body on a frontal chest film: grey levels are measured there, air beside it is left out."""


def to_grid(pixels: Grey) -> Grey:
    """A film area-averaged to a longest side of `GRID`.

    Args:
        pixels: Display grey, 0 black to 1 white, shape (rows, columns).

    Returns:
        Shape (rows, columns) of at most `GRID` by `GRID`; the aspect ratio is kept, films are never enlarged.
    """
    from PIL import Image

    rows, columns = pixels.shape
    shrink = GRID / max(rows, columns)
    if shrink >= 1.0:
        return np.asarray(pixels, dtype=np.float32)
    size = (max(1, round(columns * shrink)), max(1, round(rows * shrink)))
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0), dtype=np.float32)


def content(grey: Grey) -> Grey:
    """A film without flat padding rows and columns at its borders; the film itself when all of it is flat."""
    least = FLAT * float(np.ptp(grey))
    rows = np.flatnonzero(np.ptp(grey, axis=1) > least)
    columns = np.flatnonzero(np.ptp(grey, axis=0) > least)
    if rows.size < 8 or columns.size < 8:
        return grey
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def centre(grey: Grey) -> Grey:
    """The middle of a film, see `CENTRE_ROWS` and `CENTRE_COLUMNS`."""
    rows, columns = grey.shape
    top, bottom = (round(rows * share) for share in CENTRE_ROWS)
    left, right = (round(columns * share) for share in CENTRE_COLUMNS)
    return grey[top : max(bottom, top + 1), left : max(right, left + 1)]


def stretched(grey: Grey) -> Grey:
    """Grey values with the 1st and 99th percentile at 0 and 1, clipped; a flat film becomes all zero."""
    low, high = np.percentile(grey, [1.0, 99.0])
    if high - low < 1e-6:
        return np.zeros_like(grey)
    stretched_grey: Grey = np.clip((grey - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return stretched_grey
