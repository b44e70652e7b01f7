"""Overlay planes (groups 60xx): graphics and regions that are drawn over an image and are no part of its pixels.

Source: DICOM PS3.3 C.9.2 (overlay plane, multi-frame overlay), PS3.5 8.1.2 (bits; overlays inside pixel cells).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.limits import MAX_PIXELS

GROUPS = range(0x6000, 0x6020, 2)


@dataclass(frozen=True)
class Overlay:
    """One overlay plane on the grid of its image."""

    group: int
    """0x6000, 0x6002, .."""
    kind: Literal["graphics", "region"]
    mask: NDArray[np.bool_] = field(repr=False)
    """Shape (rows, columns) of the image; what lies outside of the image is cut off."""


def present(ds: Any) -> bool:
    """The header describes an overlay plane, whether or not it can be read."""
    return any((group, 0x0010) in ds for group in GROUPS)


def read_overlays(
    ds: Any, rows: int, columns: int, frame: int, cells: Callable[[], NDArray[Any] | None]
) -> tuple[list[Overlay], list[str]]:
    """The overlay planes that apply to a frame, and caveats on those that cannot be read.

    Args:
        ds: The header.
        rows: Of the image.
        columns: Of the image.
        frame: From 0.
        cells: Gives the pixel cells with all their bits, (rows, columns), for overlays that hide in them; None when the
            pixels are compressed.
    """
    found: list[Overlay] = []
    caveats: list[str] = []
    for group in GROUPS:
        size = _integer(ds, group, 0x10), _integer(ds, group, 0x11)
        if size[0] is None or size[1] is None:
            continue
        bits = _bits(ds, group, (size[0], size[1]), frame, cells)
        if bits is None:
            caveats.append(f"Overlay {(group - 0x6000) // 2 + 1} of the header cannot be read and was left out.")
        elif bits.size:
            region = str(_value(ds, group, 0x40) or "").strip().upper() == "R"
            found.append(Overlay(group, "region" if region else "graphics", _placed(ds, group, bits, rows, columns)))
    return found, caveats


def _bits(
    ds: Any, group: int, size: tuple[int, int], frame: int, cells: Callable[[], NDArray[Any] | None]
) -> NDArray[np.bool_] | None:
    """The plane on its own grid; empty when it does not apply to the frame, None when it cannot be read."""
    rows, columns = size
    if rows < 1 or columns < 1 or rows * columns > MAX_PIXELS:
        return None
    frames, first = _integer(ds, group, 0x15), _integer(ds, group, 0x51) or 1
    index = 0
    if frames is not None and frames > 1:
        index = frame - (first - 1)
        if not 0 <= index < frames:
            return np.zeros((0, 0), np.bool_)
    data = _value(ds, group, 0x3000)
    if isinstance(data, bytes):
        start = index * rows * columns
        part = np.frombuffer(data[start // 8 : -(-(start + rows * columns) // 8)], np.uint8)
        bits = np.unpackbits(part, bitorder="little")[start % 8 : start % 8 + rows * columns]
        return bits.astype(np.bool_).reshape(size) if bits.size == rows * columns else None
    position = _integer(ds, group, 0x102)
    held = cells() if position is not None and position > 0 else None
    if held is None or position is None or held.shape != size or position >= 8 * held.dtype.itemsize:
        return None
    return np.asarray(held.view(f"u{held.dtype.itemsize}") >> position & 1 == 1)


def _placed(ds: Any, group: int, bits: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """The plane on the grid of the image; its origin counts from 1 and may lie outside of it."""
    origin = _value(ds, group, 0x50)
    try:
        top, left = (int(v) - 1 for v in origin)
    except (TypeError, ValueError):
        top, left = 0, 0
    mask = np.zeros((rows, columns), np.bool_)
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(rows, top + bits.shape[0]), min(columns, left + bits.shape[1])
    if y1 > y0 and x1 > x0:
        mask[y0:y1, x0:x1] = bits[y0 - top : y1 - top, x0 - left : x1 - left]
    mask.flags.writeable = False
    return mask


def _value(ds: Any, group: int, element: int) -> Any:
    try:
        return ds[group, element].value if (group, element) in ds else None
    except Exception:  # a malformed element raises whatever its parser raises; it then counts as absent
        return None


def _integer(ds: Any, group: int, element: int) -> int | None:
    try:
        return int(_value(ds, group, element))
    except (TypeError, ValueError):
        return None
