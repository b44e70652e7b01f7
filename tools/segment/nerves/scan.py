"""An ultrasound image as the network sees it."""

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable

LONG_SIDE = 224
"""Pixels of the long side at the network's input; a nerve of the development images is then about 10 to 50 wide."""

LOW, HIGH = 1.0, 99.5
"""Percentiles of the pixels inside the sector that become 0 and 1."""

BLACK = 4 / 255
"""Grey up to which a pixel may belong to the black surround."""


def as_grey(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Grey (rows, columns) or colour (rows, columns, 3 or 4) as float32 grey (rows, columns).

    Raises:
        NotApplicable: Another shape, a side below 64 pixels, more than four times as long as wide, or values that are
            not finite.
    """
    image = np.asarray(pixels, dtype=np.float32)
    if image.ndim == 3 and image.shape[2] in (3, 4):
        image = image[..., :3].mean(2)
    if image.ndim != 2:
        raise NotApplicable("An ultrasound image has rows and columns.")
    short, long = sorted(image.shape)
    if short < 64:
        raise NotApplicable(f"The image has only {image.shape[0]} x {image.shape[1]} pixels; at least 64 a side.")
    if long > 4 * short:
        raise NotApplicable(f"An image of {image.shape[0]} x {image.shape[1]} pixels is too long and narrow.")
    if not np.isfinite(image).all():
        raise NotApplicable("The image holds values that are not finite.")
    return image


def to_input(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scan at the network's size, stretched.

    Args:
        grey: Shape (rows, columns), any range, from `as_grey`.

    Returns:
        float32 (rows', columns'), long side 224, 0..1. A flat image becomes all zero.
    """
    import torch
    from torch.nn import functional

    rows, columns = grey.shape
    scale = LONG_SIDE / max(rows, columns)
    size = max(16, round(rows * scale)), max(16, round(columns * scale))
    whole = torch.from_numpy(np.array(grey, np.float32))[None, None]
    whole = functional.interpolate(whole, size=size, mode="bilinear", antialias=scale < 1, align_corners=False)
    small: NDArray[np.float32] = whole[0, 0].numpy()
    span = float(small.max() - small.min())
    if span < 1e-6:
        return np.zeros_like(small)
    inside = small[small - small.min() > BLACK * span]
    low, high = np.percentile(inside, [LOW, HIGH])
    result: NDArray[np.float32] = np.clip((small - low) / max(float(high - low), 1e-6), 0.0, 1.0).astype(np.float32)
    return result
