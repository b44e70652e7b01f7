"""Random pieces of fundus photographs: turned, sized, mirrored with their vessels; contrast, focus, noise changed."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from secondread.training.vessels.data import Eye

Rng = np.random.Generator
SIDE = 256


@dataclass(frozen=True)
class Prepared:
    """Green channel, vessels and field of view as float32 (3, h, w)."""

    maps: torch.Tensor


def prepare(eye: Eye) -> Prepared:
    """Of one photograph."""
    return Prepared(torch.from_numpy(np.stack([eye.green, eye.truth, eye.inside]).astype(np.float32)))


def piece(eye: Prepared, rng: Rng) -> torch.Tensor:
    """One augmented square piece, float32 (3, 256, 256): image, vessels (0 or 1), field of view (0 or 1).

    Its middle lies within the field of view, so most pieces are all retina.
    """
    rows, columns = eye.maps.shape[1:]
    zoom = math.exp(rng.uniform(math.log(0.7), math.log(1.4)))
    angle, flip = rng.uniform(0, 2 * math.pi), -1.0 if rng.random() < 0.5 else 1.0
    radius, bearing = 0.45 * min(rows, columns) * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
    cy, cx = rows / 2 + radius * math.sin(bearing), columns / 2 + radius * math.cos(bearing)
    axis = (torch.arange(SIDE, dtype=torch.float32) + 0.5 - SIDE / 2) / zoom
    y, x = torch.meshgrid(axis, axis * flip, indexing="ij")
    v = cy + math.cos(angle) * y + math.sin(angle) * x
    u = cx - math.sin(angle) * y + math.cos(angle) * x
    grid = torch.stack([2 * u / columns - 1, 2 * v / rows - 1], -1)[None]
    cut = functional.grid_sample(eye.maps[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    image = _grey(cut[:1], rng) * (cut[2:] > 0.5)
    return torch.cat([image, (cut[1:] > 0.5).float()])


def _grey(image: torch.Tensor, rng: Rng) -> torch.Tensor:
    """Contrast, shading, focus and noise of one normalised piece (1, h, w)."""
    image = image * math.exp(rng.uniform(math.log(0.6), math.log(1.5))) + rng.uniform(-0.3, 0.3)
    if rng.random() < 0.3:
        coarse = torch.from_numpy(rng.normal(0, 0.4, (1, 1, 3, 3))).float()
        image = image + functional.interpolate(coarse, size=image.shape[1:], mode="bilinear", align_corners=True)[0]
    if rng.random() < 0.25:
        image = _blur(image, float(rng.uniform(0.5, 1.6)))
    if rng.random() < 0.4:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.05, 0.4), image.shape)).float()
    return image.clamp(-4, 4)


def _blur(image: torch.Tensor, width: float) -> torch.Tensor:
    """Gaussian blur of (1, h, w); `width` is its standard deviation in pixels."""
    radius = max(1, math.ceil(2.5 * width))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / width) ** 2)
    taps = (taps / taps.sum())[None, None, None]
    there = functional.pad(image[None], (radius, radius, radius, radius), mode="reflect")
    return functional.conv2d(functional.conv2d(there, taps), taps.transpose(2, 3))[0]
