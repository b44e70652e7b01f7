"""The mirror axis of a lung pair: pure geometry."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from secondread.tools.measure.geometry import Mask

WIDEST_DEGREES = 40.0
COARSE_DEGREES, COARSE_OFFSET = 2.0, 0.01
WIDEST_OFFSET = 0.06
"""Share of the width by which the axis may miss the centre."""
REFINEMENTS = 4
POINTS = 2500
"""Mask pixels that are mirrored: more change the angle by less than the last refinement step."""
THINNED, CANDIDATES = 4, 16
"""The coarse search looks at one of so many points, and again with all of them at its best readings."""

Floats = NDArray[np.float64]


def mirror_axis(pair: Mask, row_to_column: float = 1.0) -> tuple[float, float]:
    """Tilt of the axis about which a mask mirrors best onto itself.

    Args:
        pair: Both lungs, shape (rows, columns), not empty.
        row_to_column: Distance between rows over distance between columns.

    Returns:
        Tilt against the vertical in degrees, positive clockwise, within +- `WIDEST_DEGREES`; and the share of the
        mask that falls onto itself, 0 to 1.
    """
    mirror = _Mirror(pair, row_to_column)
    angles = np.radians(np.arange(-WIDEST_DEGREES, WIDEST_DEGREES + 1e-9, COARSE_DEGREES))
    offsets = np.arange(-WIDEST_OFFSET, WIDEST_OFFSET + 1e-4, 2 * COARSE_OFFSET) * mirror.width
    rough = np.concatenate([mirror.overlaps(a, offsets, THINNED) for a in angles])
    likely = np.argsort(rough)[-CANDIDATES:]
    best = mirror.best([(float(angles[i // offsets.size]), float(offsets[i % offsets.size])) for i in likely])
    turn, shift = np.radians(COARSE_DEGREES), COARSE_OFFSET * mirror.width
    for _ in range(REFINEMENTS):
        turn, shift = turn / 2, shift / 2
        _, angle, offset = best
        near = product((angle - turn, angle, angle + turn), (offset - shift, offset, offset + shift))
        best = mirror.best(list(near))
    return float(np.degrees(best[1])), best[0]


class _Mirror:
    """Points of a mask about their centre, and the mask with room around it for all that is mirrored."""

    def __init__(self, pair: Mask, row_to_column: float) -> None:
        rows, columns = np.nonzero(pair)
        step = max(1, rows.size // POINTS)
        y, x = rows[::step].astype(np.float64) * row_to_column, columns[::step].astype(np.float64)
        self._cx, self._cy, self._row_to_column = float(x.mean()), float(y.mean()), row_to_column
        self._x, self._y = x - self._cx, y - self._cy
        self.width = float(np.ptp(self._x)) or 1.0
        # a mirrored point stays as far from the axis as it was, and the axis passes near the centre
        reach = float(np.hypot(self._x, self._y).max()) + 4 * WIDEST_OFFSET * self.width + 2
        self._left = max(int(reach - self._cx) + 1, 0)
        self._top = max(int((reach - self._cy) / row_to_column) + 1, 0)
        right = max(int(self._cx + reach) + 2 - pair.shape[1], 0)
        below = max(int((self._cy + reach) / row_to_column) + 2 - pair.shape[0], 0)
        self._held = np.pad(pair, ((self._top, below), (self._left, right)))

    def overlaps(self, angle: float, offsets: Floats, every: int = 1) -> Floats:
        """Share of the points that fall onto the mask, mirrored about axes of one angle.

        Args:
            angle: Against the vertical, in radians.
            offsets: Distances of the axes from the centre, shape (n,).
            every: One of so many points is looked at.

        Returns:
            Shape (n,).
        """
        x, y = self._x[::every], self._y[::every]
        nx, ny = np.cos(angle), np.sin(angle)
        away = 2.0 * (x * nx + y * ny - offsets[:, None])
        column = np.rint(x - away * nx + self._cx)
        row = np.rint((y - away * ny + self._cy) / self._row_to_column)
        row += self._top
        row *= self._held.shape[1]
        row += column
        row += self._left
        shares: Floats = np.count_nonzero(self._held.ravel().take(row.astype(np.intp)), axis=1) / x.size
        return shares

    def best(self, axes: list[tuple[float, float]]) -> tuple[float, float, float]:
        """The largest overlap over (angle, offset) pairs, and that pair; of equal ones the largest pair."""
        together: dict[float, list[float]] = {}
        for angle, offset in axes:
            together.setdefault(angle, []).append(offset)
        found = ((a, o, self.overlaps(a, np.array(o))) for a, o in together.items())
        return max(
            (float(share), a, o) for a, offsets, shares in found for o, share in zip(offsets, shares, strict=True)
        )
