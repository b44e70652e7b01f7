"""Palettes: the colour that each stored value stands for.

Source: DICOM PS3.3 C.7.6.3.1.5 and .6 (descriptors and data), C.7.9.2 (segmented palettes), C.7.6.19 (supplemental).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.lut import as_words, entries, read_descriptor
from secondread.imaging.dicom.values import value

_CHANNELS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


@dataclass(frozen=True)
class Palette:
    """Colours of consecutive stored values."""

    first: int
    """Stored value of the first colour."""
    colours: NDArray[np.float32]
    """Shape (entries, 3), in [0, 1]."""

    def __call__(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Colours, shape (.., 3); values outside of the palette take its first or last colour."""
        index = np.clip(stored.astype(np.int64) - self.first, 0, len(self.colours) - 1)
        return np.asarray(self.colours[index], dtype=np.float32)


def read_palette(ds: Any, *, signed: bool) -> Palette | None:
    """The palette of a header, plain or segmented, or None when it has none that can be read.

    Args:
        ds: The header.
        signed: The stored values are.
    """
    channels: list[NDArray[np.float32]] = []
    start = 0
    for name in _CHANNELS:
        descriptor = read_descriptor(ds, f"{name}PaletteColorLookupTableDescriptor", signed=signed)
        if descriptor is None:
            return None
        count, start, bits = descriptor
        table = _table(ds, name, count, bits)
        if table is None:
            return None
        channels.append(table.astype(np.float32))
    length = max(len(channel) for channel in channels)
    colours = np.stack([np.pad(channel, (0, length - len(channel)), mode="edge") for channel in channels], -1)
    # 8-bit entries with a descriptor that says 16 are common; three 16-bit channels never all stay below 256
    colours /= np.float32(255 if float(colours.max()) <= 255 else 65535)
    return Palette(start, colours)


def _table(ds: Any, name: str, count: int, bits: int) -> NDArray[np.uint16] | None:
    keyword = f"{name}PaletteColorLookupTableData"
    if value(ds, keyword) is not None:
        return entries(ds, keyword, count)
    data = value(ds, f"Segmented{keyword}")
    if not isinstance(data, bytes):
        return None
    words = as_words(ds, data) if bits > 8 else np.frombuffer(data, np.uint8).astype(np.uint16)
    return expand(words.tolist(), count, 2 if bits > 8 else 1)


def expand(segments: list[int], count: int, width: int) -> NDArray[np.uint16] | None:
    """The table that discrete, linear and indirect segments stand for; None when they are malformed.

    Args:
        segments: Operation codes, lengths and values.
        count: Entries that the descriptor promises; nothing is made beyond them.
        width: Bytes of an entry, in which indirect segments count.
    """
    table: list[int] = []
    at = 0
    while at + 1 < len(segments) and len(table) < count:
        if segments[at] == _INDIRECT:
            copies, where = segments[at + 1], segments[at + 2 : at + 2 + 4 // width]
            if len(where) < 4 // width:
                return None
            source = sum(part << (8 * width * k) for k, part in enumerate(where)) // width
            for _ in range(copies):
                if len(table) >= count:
                    break
                following = _segment(segments, source, table, count)
                if following is None:  # an indirect segment may not lead to another one
                    return None
                source = following
            at += 2 + len(where)
            continue
        following = _segment(segments, at, table, count)
        if following is None:
            return None
        at = following
    return np.array(table[:count], np.uint16) if table else None


def _segment(segments: list[int], at: int, table: list[int], count: int) -> int | None:
    """Append one discrete or linear segment and return where the next one starts, or None when it is malformed."""
    if at + 2 >= len(segments):
        return None
    code, length = segments[at], segments[at + 1]
    if code == _DISCRETE:
        values = segments[at + 2 : at + 2 + length]
        if len(values) < length:
            return None
        table.extend(values)
        return at + 2 + length
    if code == _LINEAR and table:
        steps = min(length, count - len(table))
        if length:
            start, end = table[-1], segments[at + 2]
            table.extend(round(start + (end - start) * (k + 1) / length) for k in range(steps))
        return at + 3
    return None
