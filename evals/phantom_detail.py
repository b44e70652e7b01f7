"""Ribs, spine and lung vessels drawn on the mean chest: what the mean over many people smears out.

All places are those of the mean chest's frame, x and y in sides of the film; the film's own field carries them to its
shape. Strengths are in grey (0..1). The courses are drawn, not fitted: posterior ribs rise a little from the spine and
fall to the side, anterior ribs fall towards the middle, vessels branch from the hila.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]

SPINE = 0.505
"""Column of the spine on the mean chest."""
INNER, OUTER = 0.04, 0.40
"""Distance from the spine at which a rib begins, and at which it turns round the side of the chest."""
HILA = ((0.425, 0.41, np.pi), (0.585, 0.39, 0.0))
"""x, y and main direction (radians, y down) of the right and the left hilum."""
_CANVAS = 512
_WIDTHS = (0.7, 1.2, 2.0, 3.2)
"""Standard deviations of vessels in pixels of the canvas, finest first."""


def detail(source: Plane, in_lungs: Plane, in_heart: Plane, rng: np.random.Generator) -> Plane:
    """Grey to add to a film.

    Args:
        source: Where on the mean chest each pixel comes from, (2, rows, columns), x then y.
        in_lungs: Soft membership of each pixel in the lungs, 0..1.
        in_heart: The same for the heart.
        rng: Draws strengths and courses.
    """
    strength = rng.uniform(0.75, 1.25)
    bones = ribs(source, rng) * (in_lungs + 0.35 * in_heart) * strength
    tree = ndimage.map_coordinates(vessels(rng), source[::-1] * (_CANVAS - 1), order=1, mode="nearest") * rng.uniform(
        0.7, 1.2
    )
    added: Plane = (bones + tree * in_lungs + spine(source, rng)).astype(np.float32)
    return added


def ribs(source: Plane, rng: np.random.Generator) -> Plane:
    """Posterior and anterior ribs of both sides, about 0.07 at their strongest."""
    x, y = source
    total = np.zeros_like(x)
    spacing, start = rng.normal(0.0625, 0.003), rng.normal(0.145, 0.008)
    fall, rise = rng.normal(0.17, 0.02), rng.normal(0.07, 0.01)
    half = rng.normal(0.0125, 0.001)
    for side in (-1.0, 1.0):
        along = (side * (x - SPINE) - INNER) / (OUTER - INNER)
        here = (along > -0.1) & (along < 1.15)
        ends = np.clip((along + 0.02) / 0.06, 0.0, 1.0)
        for number in range(10):
            tilt = fall * (1.25 - 0.04 * number)
            level = start + spacing * number + rng.normal(0.0, 0.002) - rise * along + tilt * along**2
            level = level + 0.05 * np.clip(along - 0.75, 0.0, None) ** 2 * 8
            total += np.where(here, 0.065 * ends * _band(y - level, half * (1 + 0.25 * along)), 0.0)
        front = np.clip((along - 0.35) / 0.35, 0.0, 1.0)
        for number in range(7):
            level = (
                start
                + 0.10
                + spacing * 1.15 * number
                + rng.normal(0.0, 0.003)
                + 0.17 * np.clip(1 - along, 0.0, None) ** 1.3
            )
            total += np.where(here & (along < 1.0), 0.03 * front * _band(y - level, half * 1.15), 0.0)
    found: Plane = total
    return found


def _band(off: Plane, half: Plane | float) -> Plane:
    """A rib's profile across: an even body with brighter rims, the lower one stronger."""
    across = off / half
    body = np.exp(-(np.clip(across**2, 0, 6) ** 3))
    rims = np.exp(-(((across - 0.9) / 0.22) ** 2)) + 0.7 * np.exp(-(((across + 0.9) / 0.22) ** 2))
    profile: Plane = 0.75 * body + 0.35 * rims
    return profile


def spine(source: Plane, rng: np.random.Generator) -> Plane:
    """Vertebral bodies and the gaps between them, faint behind the mediastinum."""
    x, y = source
    across = np.exp(-(np.clip(((x - SPINE) / 0.036) ** 2, 0, 6) ** 3))
    rims = np.exp(-(((np.abs(x - SPINE) - 0.034) / 0.005) ** 2))
    phase = 2 * np.pi * (y / rng.normal(0.056, 0.003) + rng.uniform()) - 2.0 * y
    gaps = -np.clip(np.cos(phase) - 0.55, 0.0, None) / 0.45
    faint = np.clip(1.1 - 0.8 * y, 0.2, 1.0)
    drawn: Plane = faint * (0.030 * across * gaps + 0.018 * rims * (1 + 0.6 * np.cos(phase + np.pi)))
    return drawn


def vessels(rng: np.random.Generator) -> Plane:
    """Vessels branching from both hila, on a canvas of the mean chest, about 0.08 at their strongest."""
    canvas = np.zeros((len(_WIDTHS), _CANVAS, _CANVAS), dtype=np.float32)
    for x, y, towards in HILA:
        for turn in np.linspace(-1.45, 1.45, 9):
            _branch(canvas, rng, (x, y), towards + turn + rng.normal(0, 0.12), rng.uniform(0.06, 0.10), 3)
    total = np.zeros((_CANVAS, _CANVAS), dtype=np.float32)
    for layer, width, height in zip(canvas, _WIDTHS, (0.030, 0.040, 0.050, 0.055), strict=True):
        line = ndimage.gaussian_filter(np.minimum(layer, 1.0), width)
        total += height * np.clip(line * width * np.sqrt(2 * np.pi), 0.0, 1.0)
    return total


def _branch(
    canvas: Plane, rng: np.random.Generator, at: tuple[float, float], angle: float, length: float, level: int
) -> None:
    """One vessel and those that leave it, finer and shorter each time; its course wanders a little."""
    steps = max(2, round(length * _CANVAS * 1.5))
    angles = angle + np.cumsum(rng.normal(0.0, 0.035, steps))
    x = at[0] + np.cumsum(np.cos(angles)) * length / steps
    y = at[1] + np.cumsum(np.sin(angles)) * length / steps
    column, row = np.rint(x * (_CANVAS - 1)).astype(int), np.rint(y * (_CANVAS - 1)).astype(int)
    inside = (column >= 0) & (column < _CANVAS) & (row >= 0) & (row < _CANVAS)
    canvas[level, row[inside], column[inside]] = 1.0
    if level == 0:
        return
    for turn in (-1.0, 1.0):
        spread = rng.uniform(0.15, 0.55)
        _branch(canvas, rng, (x[-1], y[-1]), angles[-1] + turn * spread, length * rng.uniform(0.7, 1.0), level - 1)
    middle = steps // 2
    side = rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 0.9)
    _branch(canvas, rng, (x[middle], y[middle]), angles[middle] + side, length * 0.7, level - 1)
