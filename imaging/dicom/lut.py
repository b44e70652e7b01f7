"""Lookup tables of a header: modality, values of interest, palettes.

Source: DICOM PS3.3 C.11.1.1.1 and C.11.2.1.1 (descriptor and data; 0 entries stand for 65536).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.arrays import bits_needed
from secondread.imaging.dicom.values import numbers, value


@dataclass(frozen=True)
class Lut:
    """A lookup table with its outputs in [0, 1] x `full`."""

    first: int
    outputs: NDArray[np.float32]
    full: float

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Look up; inputs below the first entry take the first, above the last the last."""
        inputs = np.rint(values) if values.dtype.kind == "f" else values
        index = np.clip(inputs.astype(np.int64) - self.first, 0, self.outputs.size - 1)
        return np.asarray(self.outputs[index], dtype=np.float32)


def read_lut(item: Any, *, signed: bool) -> Lut | None:
    """A lookup table from a sequence item, or None when it is malformed.

    Args:
        item: Holds LUT Descriptor (entries, first input, bits per entry) and LUT Data.
        signed: How to read the first input, whose sign an implicit file does not say.
    """
    descriptor = read_descriptor(item, "LUTDescriptor", signed=signed)
    if descriptor is None:
        return None
    count, first, bits = descriptor
    table = entries(item, "LUTData", count)
    if table is None or not 1 <= bits <= 16:
        return None
    full = 2**bits - 1
    largest = int(table.max())
    if largest > full or largest < full / 2:  # descriptors with the wrong depth are common
        full = 2 ** bits_needed(largest, 1) - 1
    return Lut(first, table.astype(np.float32), float(full))


def read_descriptor(item: Any, keyword: str, *, signed: bool) -> tuple[int, int, int] | None:
    """Number of entries, first input and bits per entry; None when there are not three."""
    found = numbers(item, keyword)
    if len(found) != 3:
        return None
    count, first, bits = (int(v) for v in found)
    count = 65536 if count == 0 else count & 0xFFFF
    if signed and first >= 32768:
        first -= 65536
    elif not signed and first < 0:
        first += 65536
    return count, first, bits


def entries(item: Any, keyword: str, count: int) -> NDArray[np.uint16] | None:
    """The entries of a table, whatever the file calls their type; None when there are none.

    Args:
        item: Holds the data.
        keyword: Of the data.
        count: Entries that the descriptor promises; 8-bit entries may be packed two to a word.
    """
    data = value(item, keyword)
    if isinstance(data, bytes):
        words = as_words(item, data)
        table = words if len(words) >= count else np.frombuffer(data, np.uint8).astype(np.uint16)
    elif data is None:
        return None
    else:
        try:
            table = (np.atleast_1d(np.asarray(data, dtype=np.int64)) & 0xFFFF).astype(np.uint16)
        except (TypeError, ValueError, OverflowError):
            return None
        if count > len(table) >= count / 2:  # two 8-bit entries to a number
            table = table.astype("<u2").view(np.uint8).astype(np.uint16)
    table = table[:count]
    return table if table.size else None


def as_words(item: Any, data: bytes) -> NDArray[np.uint16]:
    """Bytes of an OW element as 16-bit words, by the byte order of its file; an odd last byte is dropped."""
    little = getattr(item, "is_little_endian", None)
    if little is None:
        encoding = getattr(item, "original_encoding", (None, None))
        little = encoding[1]
    dtype = np.dtype(">u2" if little is False else "<u2")
    return np.frombuffer(data[: len(data) // 2 * 2], dtype).astype(np.uint16)
