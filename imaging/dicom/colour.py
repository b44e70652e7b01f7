"""Colours of a frame: channels, palettes, and the colours that a supplemental palette lays over grey."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.palette import read_palette
from secondread.imaging.dicom.values import text
from secondread.schema.errors import UnreadableImage


def colours(ds: Any, stored: NDArray[Any], photometric: str, bits: int, name: str) -> NDArray[np.float32] | None:
    """Red, green and blue in [0, 1], shape (rows, columns, 3), or None for a monochrome frame.

    Args:
        ds: The header.
        stored: Stored values of the frame.
        photometric: What they stand for once decoded.
        bits: Bits Stored.
        name: The file, for messages.

    Raises:
        UnreadableImage: Indexed pixels without a palette that can be read.
    """
    if stored.ndim == 3:
        rgb = stored.astype(np.float32)
        rgb *= np.float32(1 / (2**bits - 1))
        np.clip(rgb, 0, 1, out=rgb)
        return rgb
    if photometric != "PALETTE COLOR":
        return None
    palette = read_palette(ds, signed=stored.dtype.kind == "i")
    if palette is None:
        raise UnreadableImage(f"{name} is damaged: its pixels point into a palette that cannot be read.")
    return palette(stored)


def supplemented(ds: Any, stored: NDArray[Any], grey: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Colours of a monochrome frame whose high values are colours, or None when it has none.

    Stored values from the first one of the palette on are colours, those below are grey (PS3.3 C.7.6.19).
    """
    if text(ds, "PixelPresentation").upper() not in ("COLOR", "MIXED"):
        return None
    palette = read_palette(ds, signed=stored.dtype.kind == "i")
    if palette is None:
        return None
    mapped = stored >= palette.first
    if not mapped.any():
        return None
    rgb = np.repeat(grey[..., None], 3, -1)
    rgb[mapped] = palette(stored[mapped])
    return rgb
