"""Arrays in memory: numpy, torch and what Pillow decodes, to display grey.

Scaling, by what the numbers can be:

| values | grey |
|---|---|
| bool | 0 or 1 |
| uint8 | value / 255 |
| other integers, none negative | value / (2^n - 1), n the fewest bits from 8 up that hold the largest value |
| float within [0, 1] | as it is |
| any other | (value - min) / (max - min) |

The third rule gives a film the same grey as uint8, as 12 bits in a uint16 and as 16 bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.content import image_id
from secondread.imaging.limits import check_size
from secondread.imaging.loaded import LoadedImage, read_only
from secondread.schema.errors import UnreadableImage, UnsupportedImage
from secondread.schema.image import ImageInfo, ImageRef

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey. Source: ITU-R BT.601."""

COLOUR_STEP = 8 / 255
COLOUR_SHARE = 0.001


def bits_needed(largest: int, floor: int = 8) -> int:
    """Fewest bits, `floor` at least, that hold a non-negative integer."""
    return max(floor, int(largest).bit_length())


def unit_range(values: NDArray[Any]) -> NDArray[np.float32]:
    """Scale values of any real type into [0, 1] by the table of this module.

    Args:
        values: Any shape with at least one element.

    Raises:
        UnreadableImage: NaN or infinity among them.
    """
    if values.dtype == np.bool_:
        return values.astype(np.float32)
    if values.dtype.kind in "ui":
        low, high = int(values.min()), int(values.max())
        if low >= 0:
            return values.astype(np.float32) / np.float32(2 ** bits_needed(high) - 1)
        return ((values.astype(np.float64) - low) / max(high - low, 1)).astype(np.float32)
    if not np.isfinite(values).all():
        raise UnreadableImage("The array holds values that are not finite.")
    low_f, high_f = float(values.min()), float(values.max())
    if low_f >= 0.0 and high_f <= 1.0:
        return values.astype(np.float32)
    span = high_f - low_f
    if span == 0.0:
        return np.zeros(values.shape, np.float32)
    return ((values.astype(np.float64) - low_f) / span).astype(np.float32)


def grey_of_colour(channels: NDArray[np.float32]) -> tuple[NDArray[np.float32], bool, bool]:
    """Luma of an image with three or four channels.

    Args:
        channels: Shape (rows, columns, 3 or 4) in [0, 1]; a fourth channel is opacity, over black.

    Returns:
        The grey, whether more than one pixel in a thousand has channels that differ, whether any pixel is see-through.
        Channels count as different from 8 of 255 steps on: lossy coding alone stays below.
    """
    rgb = channels[..., :3]
    coloured = float(np.mean(rgb.max(-1) - rgb.min(-1) > COLOUR_STEP)) > COLOUR_SHARE
    grey = rgb @ np.asarray(LUMA, np.float32)
    if channels.shape[-1] == 3:
        return grey, coloured, False
    opacity = channels[..., 3]
    return grey * opacity, coloured, bool((opacity < 1).any())


def load_array(source: Any, *, channels_first: bool = False) -> LoadedImage:
    """Load a numpy array.

    Args:
        source: Shape (rows, columns), (rows, columns, 1 | 3 | 4) or (1 | 3 | 4, rows, columns); any real dtype.
        channels_first: How to read a shape that fits both orders, as torch does.

    Raises:
        UnreadableImage: No pixels, or values that are not finite.
        UnsupportedImage: Another shape or dtype, or too large.
    """
    stored = np.asarray(source)
    if stored.dtype.kind not in "buif":
        raise UnsupportedImage(f"An array of dtype {stored.dtype} is not an image.", hint="Give real numbers.")
    if stored.size == 0:
        raise UnreadableImage("The array holds no pixels.")
    stored = _channels_last(stored, channels_first)
    check_size("The array", *stored.shape[:2])
    grey = unit_range(stored)
    colour, caveats = False, list[str]()
    if grey.ndim == 3:
        grey, colour, see_through = grey_of_colour(grey)
        if see_through:
            caveats.append("The image is partly transparent; it is shown over black.")
    rows, columns = grey.shape
    identifier = image_id(stored, {})
    return LoadedImage(
        info=ImageInfo(
            ref=ImageRef(id=identifier, rows=rows, columns=columns, grid=identifier),
            source_format="array",
            colour=colour,
            caveats=tuple(caveats),
        ),
        grey=read_only(grey),
    )


def load_tensor(source: Any) -> LoadedImage:
    """Load a torch tensor of shape (rows, columns) or (1 | 3 | 4, rows, columns), on any device.

    Raises:
        UnreadableImage: No pixels, or values that are not finite.
        UnsupportedImage: Another shape or dtype, or too large.
    """
    tensor = source.detach().cpu()
    if "bfloat16" in str(tensor.dtype) or "float8" in str(tensor.dtype):
        tensor = tensor.float()
    return load_array(tensor.numpy(), channels_first=True)


def _channels_last(stored: NDArray[Any], channels_first: bool) -> NDArray[Any]:
    """Shape (rows, columns) or (rows, columns, 3 | 4)."""
    if stored.ndim == 3:
        first, last = stored.shape[0] in (1, 3, 4), stored.shape[-1] in (1, 3, 4)
        if first and (channels_first or not last):
            stored = np.moveaxis(stored, 0, -1)
        elif not last:
            raise _no_image(stored)
        return stored[..., 0] if stored.shape[-1] == 1 else stored
    if stored.ndim != 2:
        raise _no_image(stored)
    return stored


def _no_image(stored: NDArray[Any]) -> UnsupportedImage:
    return UnsupportedImage(
        f"An array of shape {stored.shape} is not one two-dimensional image.",
        hint="Give (rows, columns) or one with 1, 3 or 4 channels.",
    )
