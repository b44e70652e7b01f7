"""A blood smear as the detector sees it."""

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable

LONG_SIDE = 320
"""Pixels of the long side at the network's input: a platelet of the development images is then 10 to 35 pixels wide."""

LOW, HIGH = 0.5, 99.5
"""Percentiles that become 0 and 1: lamps and cameras differ in brightness."""


def as_rgb(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Grey (rows, columns) or colour (rows, columns, 3 or 4), any range, as float32 (rows, columns, 3).

    Raises:
        NotApplicable: Another shape, a side below 96 pixels, more than four times as long as wide, or values that are
            not finite.
    """
    image = np.asarray(pixels, dtype=np.float32)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise NotApplicable("A blood smear has rows and columns of grey or of red, green and blue.")
    short, long = sorted(image.shape[:2])
    if short < 96:
        raise NotApplicable(f"The image has only {image.shape[0]} x {image.shape[1]} pixels; at least 96 a side.")
    if long > 4 * short:
        raise NotApplicable(f"An image of {image.shape[0]} x {image.shape[1]} pixels is too long and narrow.")
    image = image[..., :3]
    if not np.isfinite(image).all():
        raise NotApplicable("The image holds values that are not finite.")
    return image


def to_input(pixels: NDArray[np.generic]) -> tuple[NDArray[np.float32], float]:
    """The field at the network's size, stretched.

    Args:
        pixels: As for `as_rgb`.

    Returns:
        float32 (rows, columns, 3) in 0..1, long side 320, and its pixels per pixel of the original. All channels are
        stretched by the same two values, so that colour is kept. A flat image becomes all zero.
    """
    import torch
    from torch.nn import functional

    image = as_rgb(pixels)
    rows, columns = image.shape[:2]
    scale = LONG_SIDE / max(rows, columns)
    size = max(1, round(rows * scale)), max(1, round(columns * scale))
    whole = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    if size != (rows, columns):
        whole = functional.interpolate(whole, size=size, mode="bilinear", antialias=True, align_corners=False)
    small: NDArray[np.float32] = whole[0].permute(1, 2, 0).numpy()
    low, high = np.percentile(small, [LOW, HIGH])
    if high - low < 1e-6:
        return np.zeros_like(small), scale
    return np.clip((small - low) / (high - low), 0.0, 1.0).astype(np.float32), scale
