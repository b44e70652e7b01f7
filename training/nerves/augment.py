"""Random views of ultrasound images: size, turn, place, mirror for image and mask; gain and speckle for the image."""

import math

import numpy as np
import torch
from torch.nn import functional

from secondread.training.nerves.data import Scan

Rng = np.random.Generator


def view(scan: Scan, side: int, rng: Rng) -> tuple[torch.Tensor, torch.Tensor]:
    """One augmented square view.

    Args:
        scan: What is shown.
        side: Rows and columns of the result.
        rng: Source of chance.

    Returns:
        float32 (1, side, side) in 0..1 and int64 (side, side) class map. What lies outside the image is black ground.
    """
    rows, columns = scan.image.shape
    zoom = math.exp(rng.uniform(math.log(0.8), math.log(1.5)))
    squeeze = math.exp(float(np.clip(rng.normal(0, 0.1), -0.25, 0.25)))
    angle = math.radians(float(np.clip(rng.normal(0, 8), -20, 20)))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    half = side / zoom / 2
    cy, cx = (rng.uniform(min(half, n / 2) - 10, max(n - half, n / 2) + 10) for n in (rows, columns))
    axis = torch.arange(side, dtype=torch.float32) + 0.5 - side / 2
    y, x = torch.meshgrid(axis / (zoom * squeeze), axis * flip * squeeze / zoom, indexing="ij")
    v = cy + math.cos(angle) * y + math.sin(angle) * x
    u = cx - math.sin(angle) * y + math.cos(angle) * x
    if rng.random() < 0.4:
        bend = torch.from_numpy(rng.normal(0, 4.0, (1, 2, 5, 5)).astype(np.float32))
        smooth = functional.interpolate(bend, size=(side, side), mode="bicubic", align_corners=True)[0]
        v, u = v + smooth[0], u + smooth[1]
    grid = torch.stack([2 * u / columns - 1, 2 * v / rows - 1], -1)[None]
    image = torch.from_numpy(scan.image)[None, None].float() / 255
    image = functional.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    labels = torch.from_numpy(scan.labels)[None, None].float()
    labels = functional.grid_sample(labels, grid, mode="nearest", padding_mode="zeros", align_corners=False)[0, 0]
    return _look(image, rng).clamp(0, 1), labels.long()


def _look(image: torch.Tensor, rng: Rng) -> torch.Tensor:
    """Gain, contrast, depth gain, speckle and blur of one view (1, h, w)."""
    side = image.shape[1]
    surround = image < 0.004
    image = image ** math.exp(rng.uniform(math.log(0.6), math.log(1.6)))
    image = image * rng.uniform(0.75, 1.3)
    if rng.random() < 0.5:  # depth gain: brighter or darker downwards
        ramp = torch.linspace(-1, 1, side)[None, :, None]
        image = image * torch.exp(rng.uniform(-0.5, 0.5) * ramp)
    if rng.random() < 0.4:
        cells = int(rng.integers(side // 3, side))
        coarse = torch.from_numpy(rng.normal(0, 1, (1, 1, cells, cells)).astype(np.float32))
        grain = functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)[0]
        image = image * (1 + rng.uniform(0.05, 0.25) * grain)
    if rng.random() < 0.2:
        small = round(side / rng.uniform(1.2, 1.8))
        image = functional.interpolate(image[None], size=(small, small), mode="bilinear", antialias=True)
        image = functional.interpolate(image, size=(side, side), mode="bilinear")[0]
    return torch.where(surround, torch.zeros(()), image)
