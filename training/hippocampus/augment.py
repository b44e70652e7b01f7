"""Random views of crops: turned, sized, shifted, bent and mirrored with their labels; grey values changed."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Rng = np.random.Generator
SIDES = (40, 56, 40)
"""Of a view, in voxels: near the mean crop (35 x 50 x 36), so that little is padding and little is lost."""


@dataclass(frozen=True)
class Prepared:
    """A crop as augmentation reads it: image and both parts as float32 (3, x, y, z)."""

    maps: torch.Tensor


def prepare(values: NDArray[np.float32], labels: NDArray[np.uint8]) -> Prepared:
    """From a normalised crop and its labels."""
    return Prepared(torch.from_numpy(np.stack([values, labels == 1, labels == 2]).astype(np.float32)))


def view(case: Prepared, rng: Rng) -> tuple[torch.Tensor, torch.Tensor]:
    """One augmented view.

    Returns:
        float32 (1, 40, 56, 40) image, its border repeated outwards; int64 (40, 56, 40) labels.
    """
    maps = case.maps.flip(1) if rng.random() < 0.5 else case.maps
    grid = _places(maps.shape[1:], rng)
    image = functional.grid_sample(maps[None, :1], grid, mode="bilinear", padding_mode="border", align_corners=False)
    parts = functional.grid_sample(maps[None, 1:], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    classes = torch.cat([1 - parts.sum(0, keepdim=True), parts]).argmax(0)
    return _grey(image[0], rng), classes


def _places(shape: torch.Size, rng: Rng) -> torch.Tensor:
    """Where the voxels of the view lie in the crop: (1, *SIDES, 3) in -1..1, order z, y, x as torch wants it."""
    angles = np.radians(rng.uniform(-12, 12, 3))
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [k for k in range(3) if k != axis]
        one = np.eye(3)
        one[a, a] = one[b, b] = math.cos(angle)
        one[a, b], one[b, a] = -math.sin(angle), math.sin(angle)
        turn = turn @ one
    scale = math.exp(rng.uniform(math.log(0.85), math.log(1.18))) * np.exp(rng.uniform(-0.06, 0.06, 3))
    matrix = torch.from_numpy(turn / scale).float()
    shift = torch.from_numpy(rng.uniform(-4, 4, 3)).float()
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in SIDES]
    at = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) @ matrix.T + shift
    if rng.random() < 0.5:
        coarse = torch.from_numpy(rng.normal(0, rng.uniform(0.5, 1.5), (1, 3, 5, 6, 5))).float()
        bend = functional.interpolate(coarse, size=SIDES, mode="trilinear", align_corners=True)[0]
        at = at + bend.permute(1, 2, 3, 0)
    at = at / (torch.tensor(shape, dtype=torch.float32) / 2)
    return at.flip(-1)[None]


def _grey(image: torch.Tensor, rng: Rng) -> torch.Tensor:
    """Contrast, bias field, blur, noise and thick slices of one normalised view (1, x, y, z)."""
    if rng.random() < 0.6:
        low, high = image.min(), image.max()
        span = (high - low).clamp_min(1e-3)
        image = ((image - low) / span) ** math.exp(rng.uniform(math.log(0.7), math.log(1.5))) * span + low
    image = image * rng.uniform(0.8, 1.25) + rng.uniform(-0.2, 0.2)
    if rng.random() < 0.4:
        coarse = torch.from_numpy(rng.normal(0, 0.15, (1, 1, 2, 3, 2))).float()
        image = image * (1 + functional.interpolate(coarse, size=SIDES, mode="trilinear", align_corners=True)[0])
    if rng.random() < 0.2:
        image = _blur(image, float(rng.uniform(0.4, 0.9)))
    if rng.random() < 0.15:
        sides = list(SIDES)
        axis = int(rng.integers(3))
        sides[axis] = round(sides[axis] / rng.uniform(1.3, 2.2))
        thick = functional.interpolate(image[None], size=sides, mode="trilinear", align_corners=False)
        image = functional.interpolate(thick, size=SIDES, mode="trilinear", align_corners=False)[0]
    if rng.random() < 0.4:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.03, 0.25), image.shape)).float()
    return image


def _blur(image: torch.Tensor, width: float) -> torch.Tensor:
    """Gaussian blur of (1, x, y, z); `width` is its standard deviation in voxels."""
    taps = torch.exp(-0.5 * (torch.arange(-2, 3) / width) ** 2)
    taps = taps / taps.sum()
    for axis in range(3):
        shape, pad = [1, 1, 1, 1, 1], [0] * 6
        shape[axis + 2] = 5
        pad[4 - 2 * axis] = pad[5 - 2 * axis] = 2
        image = functional.conv3d(functional.pad(image[None], pad, mode="replicate"), taps.reshape(shape))[0]
    return image
