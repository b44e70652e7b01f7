"""Random changes of films and their label maps: geometry for both, appearance for the film alone.

The aim is not more of the same scanner: exposure, inversion, rotation, frames, collimation, burned-in marks, noise,
lossy storage and opaque lungs all occur elsewhere and hardly in the masked films.
"""

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Rng = np.random.Generator
FloatImage = NDArray[np.float32]


def draw_batch(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], size: int, rng: Rng, strength: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Augmented copies of a batch.

    Args:
        images: uint8, shape (n, rows, columns).
        labels: uint8, shape (n, rows', columns'), 0 background, 1 right lung, 2 left lung, 3 heart, 255 ignore.
        size: Rows and columns of the result.
        rng: Source of chance.
        strength: 1 for the full range; below it, turns, sizes and shifts shrink and appearance changes get rarer.

    Returns:
        float32 (n, 1, size, size) in 0..1 and int64 (n, size, size). A mirrored film has its lung labels exchanged,
        because the label names the side of the image.
    """
    n = len(images)
    mirrored = rng.random(n) < 0.3
    grid = torch.from_numpy(_sampling_grid(n, size, mirrored, rng, strength))
    film = torch.from_numpy(images)[:, None].float() / 255
    film = functional.grid_sample(film, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    label = torch.from_numpy(labels)[:, None].float()
    label = functional.grid_sample(label, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    films, maps = film[:, 0].numpy(), label[:, 0].numpy().astype(np.uint8)
    for i in range(n):
        if mirrored[i]:
            maps[i] = _swap(maps[i])
        films[i] = _appearance(films[i], maps[i], rng, strength)
    return torch.from_numpy(films)[:, None], torch.from_numpy(maps.astype(np.int64))


def _swap(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    swapped = label.copy()
    swapped[label == 1], swapped[label == 2] = 2, 1
    return swapped


def _sampling_grid(n: int, size: int, mirrored: NDArray[np.bool_], rng: Rng, strength: float) -> FloatImage:
    """Sampling positions (n, size, size, 2), x then y in -1..1: rotation, scale, squeeze, shear, shift, elastic."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    grids = np.empty((n, size, size, 2), np.float32)
    for i in range(n):
        angle = math.radians(float(np.clip(rng.normal(0, 6), -15, 15)) * strength) if rng.random() < 0.8 else 0.0
        scale = math.exp(strength * rng.uniform(math.log(0.75), math.log(1.3)))
        squeeze = math.exp(strength * float(np.clip(rng.normal(0, 0.1), -0.25, 0.25)))
        shear = strength * rng.normal(0, 0.04)
        u = (math.cos(angle) * x - math.sin(angle) * y) / (scale * squeeze) + shear * y
        v = (math.sin(angle) * x + math.cos(angle) * y) / scale * squeeze
        u, v = u + strength * rng.uniform(-0.15, 0.15), v + strength * rng.uniform(-0.15, 0.15)
        if rng.random() < 0.5 * strength:
            bend = torch.from_numpy(rng.normal(0, 0.03, (1, 2, 5, 5)).astype(np.float32))
            smooth = functional.interpolate(bend, size=(size, size), mode="bicubic", align_corners=True)[0].numpy()
            u, v = u + smooth[0], v + smooth[1]
        grids[i, ..., 0] = -u if mirrored[i] else u
        grids[i, ..., 1] = v
    return grids


def _smooth_noise(size: int, cells: int, rng: Rng) -> FloatImage:
    """Smooth standard normal noise of shape (size, size) with about `cells` bumps per side."""
    coarse = torch.from_numpy(rng.normal(0, 1, (1, 1, cells, cells)).astype(np.float32))
    return functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)[0, 0].numpy()


def _blur(film: FloatImage, factor: float) -> FloatImage:
    """Loss of resolution: shrink by `factor` and enlarge again."""
    size = film.shape[0]
    small = max(16, round(size / factor))
    there = functional.interpolate(
        torch.from_numpy(film)[None, None], size=(small, small), mode="bilinear", antialias=True, align_corners=False
    )
    return functional.interpolate(there, size=(size, size), mode="bilinear", align_corners=False)[0, 0].numpy()


def _opacify(film: FloatImage, label: NDArray[np.uint8], rng: Rng) -> FloatImage:
    """Whiten part of one or both lungs: patches (consolidation), a rising base (effusion) or a haze."""
    size = film.shape[0]
    for lung in (1, 2):
        inside = label == lung
        if rng.random() < 0.45 or inside.sum() < 400:
            continue
        bright = rng.uniform(0.6, 0.95)
        strength = rng.uniform(0.2, 0.9)
        kind = rng.random()
        soft = np.clip(_blur(inside.astype(np.float32), 8) * 1.6, 0, 1)
        if kind < 0.5:
            noise = _smooth_noise(size, int(rng.integers(5, 16)), rng)
            cover = 1 / (1 + np.exp(-(noise - rng.uniform(-0.3, 1.0)) * 5))
        elif kind < 0.8:
            rows = np.flatnonzero(inside.any(1))
            level = rows[0] + (rows[-1] - rows[0]) * rng.uniform(0.45, 1.0)
            y, x = np.mgrid[:size, :size].astype(np.float32)
            tilt = rng.uniform(-0.3, 0.3) * (x - size / 2)
            cover = 1 / (1 + np.exp(-(y + tilt - level) / rng.uniform(2, 12)))
        else:
            cover = np.full_like(film, 0.7)
        alpha = strength * cover * soft
        film = film * (1 - alpha) + alpha * (bright + 0.05 * _smooth_noise(size, 24, rng))
    return film.astype(np.float32)


def _exposure(film: FloatImage, rng: Rng) -> FloatImage:
    """Gamma, a random monotone tone curve, and a smooth light field."""
    film = np.clip(film, 0, 1) ** math.exp(rng.uniform(math.log(0.5), math.log(2.0)))
    if rng.random() < 0.4:
        steps = rng.gamma(1.5, 1.0, 6) + 0.15
        curve = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
        film = np.interp(film, np.linspace(0, 1, 7), curve)
    if rng.random() < 0.3:
        film = film * np.exp(0.2 * _smooth_noise(film.shape[0], 3, rng))
    return film.astype(np.float32)


def _marks(film: FloatImage, rng: Rng) -> FloatImage:
    """Burned-in letters (block patterns), cables and round electrodes."""
    size = film.shape[0]
    for _ in range(int(rng.integers(0, 4))):
        h, w = int(rng.integers(4, 14)), int(rng.integers(6, 40))
        top, left = int(rng.integers(0, size - h)), int(rng.integers(0, size - w))
        if rng.random() < 0.7 and size * 0.25 < left < size * 0.7:
            left = int(rng.choice([4, size - w - 4]))
        cell = max(1, h // 5)
        glyph = np.kron(rng.random((h // cell + 1, w // cell + 1)) < 0.5, np.ones((cell, cell)))[:h, :w] > 0
        patch = film[top : top + h, left : left + w]
        patch[glyph] = rng.choice([0.0, 1.0], p=[0.15, 0.85])
    y, x = np.mgrid[:size, :size].astype(np.float32)
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            a, b, c = rng.uniform(-1, 1), rng.uniform(0, size), rng.uniform(5, 30)
            path = b + a * (y if rng.random() < 0.5 else x) + c * np.sin(y / rng.uniform(15, 60))
            distance = np.abs((x if rng.random() < 0.6 else y) - path)
            film = np.where(distance < rng.uniform(0.6, 2.0), np.maximum(film, rng.uniform(0.7, 1.0)), film)
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 5))):
            cx, cy = rng.uniform(0.15, 0.85, 2) * size
            film = np.where(np.hypot(x - cx, y - cy) < rng.uniform(2, 6), rng.uniform(0.6, 1.0), film)
    return film.astype(np.float32)


def _frame(film: FloatImage, label: NDArray[np.uint8], rng: Rng) -> FloatImage:
    """A black, grey or white frame over some sides; what it hides of the anatomy is no longer labelled."""
    size = film.shape[0]
    value = float(rng.choice([0.0, 1.0, rng.uniform(0, 1)], p=[0.65, 0.2, 0.15]))
    covered = np.zeros(film.shape, bool)
    for side in range(4):
        if rng.random() < 0.5:
            depth = int(rng.uniform(0.01, 0.12) * size)
            slope = rng.normal(0, 0.03)
            edge = depth + slope * (np.arange(size) - size / 2)
            strip = np.arange(size)[:, None] < edge[None, :]
            covered |= (strip, strip[::-1], strip.T, strip.T[:, ::-1])[side]
    label[covered & (label != 255)] = 0
    return np.where(covered, np.float32(value), film).astype(np.float32)


def _jpeg(film: FloatImage, rng: Rng) -> FloatImage:
    """Lossy storage."""
    from PIL import Image

    store = io.BytesIO()
    Image.fromarray(np.round(np.clip(film, 0, 1) * 255).astype(np.uint8)).save(
        store, "JPEG", quality=int(rng.integers(25, 85))
    )
    return (np.asarray(Image.open(store)) / 255).astype(np.float32)


def _restretch(film: FloatImage) -> FloatImage:
    """Percentile stretch, from every third pixel for speed."""
    low, high = np.percentile(film[::3, ::3], [0.5, 99.5])
    result: FloatImage = np.clip((film - low) / max(high - low, 1e-3), 0, 1).astype(np.float32)
    return result


def _appearance(film: FloatImage, label: NDArray[np.uint8], rng: Rng, strength: float) -> FloatImage:
    """Everything that changes grey values; may erase labels under a frame."""
    size = film.shape[0]

    def sometimes(share: float, change: Callable[[FloatImage], FloatImage]) -> None:
        nonlocal film
        if rng.random() < share * strength:
            film = change(film)

    sometimes(0.35, lambda f: _opacify(f, label, rng))
    sometimes(0.8, lambda f: _exposure(f, rng))
    sometimes(0.25, lambda f: _blur(f, rng.uniform(1.2, 3.0)))
    sometimes(0.15, lambda f: f + rng.uniform(0.3, 2.0) * (f - _blur(f, rng.uniform(4, 24))))
    sometimes(0.3, lambda f: f + (rng.normal(0, 1, f.shape) * rng.uniform(0.005, 0.06)).astype(np.float32))
    sometimes(0.4, lambda f: _marks(f, rng))
    sometimes(0.25, lambda f: _frame(f, label, rng))
    sometimes(0.15, lambda f: _jpeg(f, rng))
    sometimes(0.08, lambda f: 1 - np.clip(f, 0, 1))
    assert film.shape == (size, size)
    return _restretch(film)
