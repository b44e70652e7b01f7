"""Random pieces of micrographs: size, turn and place for image and targets, colour and sharpness for the image."""

import math

import numpy as np
import torch
from torch.nn import functional

from secondread.training.nuclei.data import Field

Rng = np.random.Generator

SMALL, LARGE = 9.0, 28.0
"""Median diameters, in pixels, to which images are resized: the range in which the expert then uses the network."""


def piece(field: Field, side: int, rng: Rng) -> tuple[torch.Tensor, torch.Tensor]:
    """One augmented square piece.

    Args:
        field: Where it is cut from.
        side: Rows and columns of the result.
        rng: Source of chance.

    Returns:
        float32 (3, side, side) image in 0..1 and float32 (3, side, side) targets of 0 and 1. A piece that reaches over
        the border of the image mirrors it.
    """
    wanted = math.exp(rng.uniform(math.log(SMALL), math.log(LARGE)))
    zoom = min(max(wanted / field.diameter, 0.2), 1.6)
    angle = rng.uniform(0, 2 * math.pi) if rng.random() < 0.5 else rng.integers(0, 4) * math.pi / 2
    flip = -1.0 if rng.random() < 0.5 else 1.0
    rows, columns = field.labels.shape
    half = side / zoom / 2
    cy, cx = (rng.uniform(min(half, n / 2), max(n - half, n / 2)) for n in (rows, columns))
    axis = torch.arange(side, dtype=torch.float32) + 0.5 - side / 2
    y, x = torch.meshgrid(axis / zoom, axis * flip / zoom, indexing="ij")
    v = cy + math.cos(angle) * y + math.sin(angle) * x
    u = cx - math.sin(angle) * y + math.cos(angle) * x
    top, left = max(0, math.floor(cy - 1.5 * half)), max(0, math.floor(cx - 1.5 * half))
    bottom, right = min(rows, math.ceil(cy + 1.5 * half)), min(columns, math.ceil(cx + 1.5 * half))
    grid = torch.stack([2 * (u - left) / (right - left) - 1, 2 * (v - top) / (bottom - top) - 1], -1)[None]
    around = np.s_[top:bottom, left:right]
    both = torch.from_numpy(np.concatenate([field.image[around], field.targets[around]], 2))
    both = both.permute(2, 0, 1)[None].float() / 255
    if zoom < 0.8:  # averaging before thinning out, as the resampling of a real image would
        width = 0.4 / zoom
        both[:, :3] = _blur(both[:, :3], width)
    cut = functional.grid_sample(both, grid, mode="bilinear", padding_mode="reflection", align_corners=False)[0]
    return _colour(cut[:3], field.appearance == "stained", rng).clamp(0, 1), (cut[3:] > 0.5).float()


def _blur(images: torch.Tensor, width: float) -> torch.Tensor:
    """Gaussian blur of (n, c, h, w); `width` is its standard deviation in pixels."""
    radius = max(1, math.ceil(2 * width))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / width) ** 2)
    taps = (taps / taps.sum()).expand(images.shape[1], 1, 1, -1)
    there = functional.pad(images, (radius, radius, radius, radius), mode="reflect")
    there = functional.conv2d(there, taps, groups=images.shape[1])
    return functional.conv2d(there, taps.transpose(2, 3), groups=images.shape[1])


def _colour(image: torch.Tensor, stained: bool, rng: Rng) -> torch.Tensor:
    """Exposure, colour, noise and focus of one piece (3, h, w)."""
    if stained:
        if rng.random() < 0.25:  # grey, so that colour is a help and not a need
            image = image.mean(0, keepdim=True).expand(3, -1, -1)
        elif rng.random() < 0.7:
            gain = torch.from_numpy(rng.uniform(0.8, 1.25, (3, 1, 1))).float()
            mix = torch.eye(3) + torch.from_numpy(rng.normal(0, 0.08, (3, 3))).float()
            image = torch.einsum("ij,jhw->ihw", mix, image) * gain
    image = image.clamp(0, 1) ** math.exp(rng.uniform(math.log(0.65), math.log(1.5)))
    image = image * rng.uniform(0.75, 1.2) + rng.uniform(-0.06, 0.06)
    if rng.random() < 0.2:
        image = _blur(image[None], rng.uniform(0.5, 1.5))[0]
    if rng.random() < 0.3:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.01, 0.06), (1, *image.shape[1:]))).float()
    return image
