"""Pixels that are no part of the image, and the range of those that are.

Source: DICOM PS3.3 C.7.5.1.1.2 (padding value and range).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.values import number

INNER = (0.0005, 0.9995)
"""Shares of pixels between which the inner range lies."""


def padding(ds: Any, stored: NDArray[Any], bits: int) -> NDArray[np.bool_] | None:
    """Where the stored value is padding; None when the header names no padding value, or no pixel has it.

    A padding value that was written with the wrong sign, or with more bits than are stored, is compared by its bits.

    Args:
        ds: The header.
        stored: Stored values, any shape.
        bits: Bits Stored.
    """
    if stored.dtype.kind == "f":
        keyword = "Float" if stored.dtype.itemsize == 4 else "DoubleFloat"
        low = number(ds, f"{keyword}PixelPaddingValue")
        high = number(ds, f"{keyword}PixelPaddingRangeLimit")
        if low is None:
            return None
        kind = stored.dtype.type
        ends = [kind(low), kind(low if high is None else high)]
    else:
        value, limit = number(ds, "PixelPaddingValue"), number(ds, "PixelPaddingRangeLimit")
        if value is None:
            return None
        signed = stored.dtype.kind == "i"
        ends = [_in_bits(int(v), bits, signed) for v in (value, value if limit is None else limit)]
    mask = stored == ends[0] if ends[0] == ends[1] else (stored >= min(ends)) & (stored <= max(ends))
    return mask if mask.any() else None


def _in_bits(value: int, bits: int, signed: bool) -> int:
    """The value itself where the stored bits can hold it, else what they make of it."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if low <= value <= high:
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value > high else value


class Spread:
    """Range of the pixels that are not padding.

    Args:
        stored: Stored values, at least one of them not padding.
        padded: Where they are padding, or None.
    """

    def __init__(self, stored: NDArray[Any], padded: NDArray[np.bool_] | None) -> None:
        self._stored = stored
        self._padded = padded
        self._counts: tuple[int, NDArray[np.int64]] | None = None

    def ends(self) -> tuple[float, float]:
        """Smallest and largest value."""
        if self._padded is None:
            return float(self._stored.min()), float(self._stored.max())
        if not self._countable():
            shown = self._stored[~self._padded]
            return float(shown.min()), float(shown.max())
        first, counts = self._counted()
        present = np.flatnonzero(counts)
        return float(first + int(present[0])), float(first + int(present[-1]))

    def inner(self) -> tuple[float, float]:
        """The range of the central 99.9 % of the pixels."""
        if not self._countable():
            shown = self._stored if self._padded is None else self._stored[~self._padded]
            low, high = np.quantile(shown, INNER)
            return float(low), float(high)
        first, counts = self._counted()
        running = np.cumsum(counts)
        low, high = (int(np.searchsorted(running, share * running[-1], side="right")) for share in INNER)
        return float(first + low), float(first + min(high, counts.size - 1))

    def _countable(self) -> bool:
        return self._stored.dtype.kind in "iu" and self._stored.dtype.itemsize <= 2

    def _counted(self) -> tuple[int, NDArray[np.int64]]:
        """The smallest possible value, and how often it and each after it occurs: one pass, no sorting."""
        if self._counts is None:
            limits = np.iinfo(self._stored.dtype)
            size = int(limits.max) - int(limits.min) + 1
            unsigned = np.ascontiguousarray(self._stored).view(f"u{self._stored.dtype.itemsize}").reshape(-1)
            if self._padded is not None:
                unsigned = unsigned[~self._padded.reshape(-1)]
            counts = np.bincount(unsigned, minlength=size)
            if limits.min < 0:
                counts = np.roll(counts, size // 2)
            self._counts = int(limits.min), counts
        return self._counts
