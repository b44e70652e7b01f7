"""Run-length coding of masks and label maps: shorter than packed bits for what has an outline, and faster both ways."""

import numpy as np
from numpy.typing import NDArray


def encode(values: NDArray[np.uint8], limit: int) -> bytes | None:
    """The runs of equal values of an array, in row order.

    Args:
        values: uint8, any shape, fewer than 2^32 elements.
        limit: Bytes of the next best coding.

    Returns:
        The start of each run but the first as little-endian uint32, then one byte per run, its value. None when that
        is longer than `limit` (noise), or when the array is empty.
    """
    flat = values.ravel()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size == 0 or 5 * starts.size + 1 > limit:
        return None
    return starts.astype("<u4").tobytes() + flat[:1].tobytes() + flat[starts].tobytes()


def decode(data: bytes, size: int) -> NDArray[np.uint8]:
    """The array that `encode` was given, flat.

    Args:
        data: From `encode`.
        size: Number of elements.
    """
    runs = (len(data) + 4) // 5
    starts = np.frombuffer(data, "<u4", runs - 1).astype(np.int64)
    return np.repeat(np.frombuffer(data, np.uint8, runs, 4 * (runs - 1)), np.diff(starts, prepend=0, append=size))
