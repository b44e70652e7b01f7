"""Drawn vessels and drawn fundus photographs."""

from collections.abc import Callable

import numpy as np
import pytest

Mask = np.ndarray


def stripe(width: float, degrees: float, *, side: int = 400, length: float = 300.0) -> Mask:
    """A straight vessel through the middle."""
    y, x = np.mgrid[:side, :side] - side / 2 + 0.21
    a = np.radians(degrees)
    return (np.abs(-x * np.sin(a) + y * np.cos(a)) <= width / 2) & (np.abs(x * np.cos(a) + y * np.sin(a)) < length / 2)


def arc(radius: float, half_angle: float, *, width: float = 8.0, side: int = 400) -> Mask:
    """A vessel along a circle around the middle."""
    y, x = np.mgrid[:side, :side] - side / 2 + 0.21
    return (np.abs(np.hypot(x, y) - radius) <= width / 2) & (np.abs(np.arctan2(y, x)) < half_angle)


def fundus(rows: int = 640, columns: int = 620, diameter: float = 590.0) -> np.ndarray:
    """A reddish disc on black with dark branching lines, uint8."""
    from scipy import ndimage

    y, x = np.mgrid[:rows, :columns]
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    disc = np.hypot(x, y) <= diameter / 2
    lines = np.zeros((rows, columns))
    for k in range(8):
        a = 2 * np.pi * k / 8 + 0.2
        across, along = -x * np.sin(a) + y * np.cos(a), x * np.cos(a) + y * np.sin(a)
        lines[(np.abs(across - 15 * np.sin(along / 40)) < 3.5) & (along > 20)] = 1
    lines = ndimage.gaussian_filter(lines, 0.8)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(rows, columns)), 1.5) * 8
    base = np.stack([170 + noise, 80 + noise, 25 + noise / 2], 2)
    base -= lines[..., None] * np.array([40, 45, 8])
    return np.clip(base * disc[..., None], 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def draw_stripe() -> Callable[..., Mask]:
    return stripe


@pytest.fixture(scope="session")
def draw_arc() -> Callable[..., Mask]:
    return arc


@pytest.fixture(scope="session")
def draw_fundus() -> Callable[..., np.ndarray]:
    return fundus
