"""The mirror axis of a lung pair: pure geometry."""

from collections.abc import Iterable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from secondread.tools.measure.geometry import Mask

WIDEST_DEGREES = 40.0
COARSE_DEGREES, COARSE_OFFSET = 2.0, 0.01
REFINEMENTS = 4
POINTS = 2500
"""Mask pixels that are mirrored: more change the angle by less than the last refinement step."""


def mirror_axis(pair: Mask, row_to_column: float = 1.0) -> tuple[float, float]:
    """Tilt of the axis about which a mask mirrors best onto itself.

    Args:
        pair: Both lungs, shape (rows, columns), not empty.
        row_to_column: Distance between rows over distance between columns.

    Returns:
        Tilt against the vertical in degrees, positive clockwise, within +- `WIDEST_DEGREES`; and the share of the
        mask that falls onto itself, 0 to 1.
    """
    rows, columns = np.nonzero(pair)
    step = max(1, rows.size // POINTS)
    y, x = rows[::step].astype(np.float64) * row_to_column, columns[::step].astype(np.float64)
    cx, cy = float(x.mean()), float(y.mean())
    x, y = x - cx, y - cy
    width = float(np.ptp(x)) or 1.0

    def overlap(angle: float, offset: float) -> float:
        nx, ny = np.cos(angle), np.sin(angle)
        away = 2.0 * (x * nx + y * ny - offset)
        column = np.rint(x - away * nx + cx).astype(np.intp)
        row = np.rint((y - away * ny + cy) / row_to_column).astype(np.intp)
        inside = (column >= 0) & (column < pair.shape[1]) & (row >= 0) & (row < pair.shape[0])
        return float(np.count_nonzero(pair[row[inside], column[inside]])) / x.size

    def best(angles: Iterable[float], offsets: Iterable[float]) -> tuple[float, float, float]:
        return max((overlap(a, o), a, o) for a, o in product(angles, offsets))

    coarse = np.radians(np.arange(-WIDEST_DEGREES, WIDEST_DEGREES + 1e-9, COARSE_DEGREES))
    shifts: NDArray[np.float64] = np.arange(-0.06, 0.0601, 2 * COARSE_OFFSET) * width
    share, angle, offset = best(coarse, shifts)
    turn, shift = np.radians(COARSE_DEGREES), COARSE_OFFSET * width
    for _ in range(REFINEMENTS):
        turn, shift = turn / 2, shift / 2
        share, angle, offset = best((angle - turn, angle, angle + turn), (offset - shift, offset, offset + shift))
    return float(np.degrees(angle)), share
