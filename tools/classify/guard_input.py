"""What the chest film guards see of an image: a small square of equalised grey without its corners."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

CACHE = 128
"""Every image is first brought to this many rows and columns, whatever its source, so that resolution tells nothing."""

LONG_SIDE = 224
"""Images larger than this are reduced to it before anything else: the smallest source has no more."""

LEVELS = 256


def to_square(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image as the guards keep it, in training and in use alike.

    Args:
        pixels: Display grey, shape (rows, columns), any range; not finite values count as black.

    Returns:
        uint8, shape (128, 128), 1st and 99th percentile at 0 and 255. The aspect ratio is given up: one source has
        lost it, and a guard that sees it learns the source. A flat image becomes all zero.
    """
    import torch
    from torch.nn import functional

    clean = np.nan_to_num(np.asarray(pixels, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    film = torch.from_numpy(np.ascontiguousarray(clean))[None, None]
    scale = LONG_SIDE / max(film.shape[-2:])
    if scale < 1:
        size = [max(1, round(n * scale)) for n in film.shape[-2:]]
        film = functional.interpolate(film, size=size, mode="bilinear", antialias=True, align_corners=False)
    film = functional.interpolate(film, size=(CACHE, CACHE), mode="bilinear", antialias=True, align_corners=False)
    square = film[0, 0].numpy()
    low, high = np.percentile(square, [1, 99])
    if high - low < 1e-4:
        return np.zeros((CACHE, CACHE), dtype=np.uint8)
    kept: NDArray[np.uint8] = np.round(np.clip((square - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return kept


def equalise(images: "torch.Tensor") -> "torch.Tensor":
    """Grey values replaced by their rank within each image, so that exposure and gamma tell nothing.

    Args:
        images: Shape (n, 1, rows, columns), 0..1.

    Returns:
        Same shape, -1..1: the share of pixels darker than this one plus half of those equal to it, times 2 minus 1.
    """
    import torch

    flat = images.flatten(1)
    bins = (flat * (LEVELS - 1)).round().long().clamp(0, LEVELS - 1)
    counts = torch.zeros(len(flat), LEVELS).scatter_add_(1, bins, torch.ones_like(flat))
    middle = counts.cumsum(1) - counts / 2
    ranks = middle.gather(1, bins) / flat.shape[1]
    return (ranks * 2 - 1).view_as(images)


def vignette(size: int) -> "torch.Tensor":
    """1 inside a rounded square, 0 in the corners (superellipse of exponent 4): markers and text sit in corners.

    Returns:
        float32, shape (size, size); about 7 % of the pixels are 0.
    """
    import torch

    axis = torch.linspace(-1, 1, size).abs() ** 4
    return ((axis[:, None] + axis[None, :]) <= 1.0).float()


def finish(images: "torch.Tensor") -> "torch.Tensor":
    """The last steps before the network, shared by training and use: equalise, then grey corners.

    Args:
        images: Shape (n, 1, size, size), 0..1.
    """
    return equalise(images) * vignette(images.shape[-1])


def prepare(squares: NDArray[np.uint8], size: int) -> "torch.Tensor":
    """Network input of images kept by `to_square`.

    Args:
        squares: uint8, shape (n, 128, 128).
        size: Rows and columns of the network's input.

    Returns:
        float32, shape (n, 1, size, size).
    """
    import torch
    from torch.nn import functional

    images = torch.from_numpy(squares)[:, None].float() / 255
    small = functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return finish(small.clamp(0, 1))
