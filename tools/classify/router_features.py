"""What the image router sees of an image: a small square, and numbers for its tone, colour, texture and layout."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SIDE = 64
"""Every image is brought to this many rows and columns, whatever its source, so that resolution and aspect tell
nothing; the smallest source (MR crops) has about as many."""

LEAST_COLOUR = 0.02
"""Mean distance between channels (of 0 to 1) below which an image counts as grey: JPEG alone makes less."""

CELLS = 6
HOG_CELLS, ANGLES = 3, 6
RINGS = 6

Floats = NDArray[np.float64]


def to_square(rgb: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """An image brought to a square; the aspect ratio is given up.

    Args:
        rgb: Shape (rows, columns, 3).
        side: Rows and columns of the result.

    Returns:
        uint8, shape (side, side, 3).
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(rgb))
    if max(picture.size) > 4 * side:
        picture.thumbnail((4 * side, 4 * side), Image.Resampling.BILINEAR)
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def grey_rgb(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey of any range as three equal channels, stretched first so that a faint image keeps its steps.

    Args:
        grey: Shape (rows, columns); not finite values count as 0.

    Returns:
        uint8, shape (rows, columns, 3); percentiles 0.5 and 99.5 at 0 and 255.
    """
    clean = np.nan_to_num(np.asarray(grey, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(clean, [0.5, 99.5])
    unit = np.clip((clean - low) / max(float(high - low), 1e-6), 0, 1)
    return np.repeat(np.rint(unit * 255).astype(np.uint8)[..., None], 3, axis=2)


def features(square: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The numbers that the router judges by.

    Args:
        square: From `to_square`, shape (SIDE, SIDE, 3).

    Returns:
        float32, shape (n,), finite: colour, tone, layout, spectrum, edges and local patterns in that order.
    """
    rgb = square.astype(np.float64) / 255
    grey = stretched(rgb @ np.array([0.299, 0.587, 0.114]))
    parts = (_colour(rgb, grey), _tone(grey), _layout(grey), _spectrum(grey), _edges(grey), _patterns(grey))
    return np.concatenate(parts).astype(np.float32)


def stretched(light: Floats) -> Floats:
    """Grey with its 1st and 99th percentile at 0 and 1; all zero when flat."""
    low, high = np.percentile(light, [1, 99])
    if high - low < 1 / 255:
        return np.zeros_like(light)
    return np.asarray(np.clip((light - low) / (high - low), 0, 1))


def _colour(rgb: Floats, grey: Floats) -> Floats:
    a, b = rgb[..., 0] - rgb[..., 1], rgb[..., 2] - (rgb[..., 0] + rgb[..., 1]) / 2
    spread = rgb.max(-1) - rgb.min(-1)
    if spread.mean() < LEAST_COLOUR:
        return np.zeros(14)
    return np.array(
        [
            1.0,
            *(f(x) for x in (a, b, spread) for f in (np.mean, np.std)),
            *np.percentile(a, [5, 95]),
            *np.percentile(b, [5, 95]),
            np.mean(spread > 0.25),
            _alike(a, grey),
            _alike(b, grey),
        ]
    )


def _alike(one: Floats, other: Floats) -> float:
    x, y = one - one.mean(), other - other.mean()
    return float((x * y).sum() / (np.sqrt((x * x).sum() * (y * y).sum()) + 1e-9))


def _tone(grey: Floats) -> Floats:
    counts, _ = np.histogram(grey, bins=10, range=(0, 1))
    return np.array([*np.sqrt(counts / grey.size), np.mean(grey < 0.04), np.mean(grey > 0.96)])


def _ranks(grey: Floats) -> Floats:
    """Each grey level replaced by the share of darker pixels plus half of the equal ones."""
    levels = np.rint(grey * 255).astype(np.intp)
    counts = np.bincount(levels.ravel(), minlength=256)
    return np.asarray(((counts.cumsum() - counts / 2) / levels.size)[levels])


def _layout(grey: Floats) -> Floats:
    ranks = _ranks(grey)
    edges = np.linspace(0, SIDE, CELLS + 1).round().astype(int)
    cells = np.add.reduceat(np.add.reduceat(ranks, edges[:-1], 0), edges[:-1], 1)
    sizes = np.diff(edges)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    radius = np.hypot(x, y)
    bounds = np.linspace(0, radius.max(), RINGS + 1)
    rings = [grey[(radius >= a) & (radius <= b)].mean() for a, b in pairwise(bounds)]
    border = np.concatenate([grey[:2].ravel(), grey[-2:].ravel(), grey[:, :2].ravel(), grey[:, -2:].ravel()])
    return np.array(
        [
            *(cells / np.outer(sizes, sizes)).ravel(),
            *rings,
            border.mean(),
            border.std(),
            _alike(ranks, ranks[:, ::-1]),
            _alike(ranks, ranks[::-1]),
        ]
    )


def _spectrum(grey: Floats) -> Floats:
    window = np.hanning(SIDE)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(window, window))) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    radius = np.hypot(fy, fx)
    total = power.sum() + 1e-6
    bands = [(1 / SIDE, 2 / SIDE), (2 / SIDE, 4 / SIDE), (4 / SIDE, 8 / SIDE), (0.125, 0.2), (0.2, 0.3), (0.3, 0.5)]
    found = []
    for low, high in bands:
        inside = (radius >= low) & (radius < high)
        found.append(np.log10(power[inside].sum() / total + 1e-5))
        across, down = power[inside & (abs(fx) > 2 * abs(fy))].sum(), power[inside & (abs(fy) > 2 * abs(fx))].sum()
        found.append(np.log10((across + 1e-5 * total) / (down + 1e-5 * total)))
    return np.array(found)


def _edges(grey: Floats) -> Floats:
    from scipy import ndimage

    dy, dx = np.gradient(ndimage.gaussian_filter(grey, 1.0))
    size = np.hypot(dx, dy)
    angle = np.minimum((np.mod(np.arctan2(dy, dx), np.pi) / np.pi * ANGLES).astype(int), ANGLES - 1)
    cell = np.minimum(np.arange(SIDE) * HOG_CELLS // SIDE, HOG_CELLS - 1)
    place = (cell[:, None] * HOG_CELLS + cell[None, :]) * ANGLES + angle
    hog = np.bincount(place.ravel(), size.ravel(), HOG_CELLS * HOG_CELLS * ANGLES)
    found = [*np.sqrt(hog / (hog.sum() + 1e-6)), np.log10(size.mean() + 1e-4)]
    for sigma in (0.7, 1.5, 3.0):
        curve = ndimage.gaussian_laplace(grey, sigma)
        deviation = curve.std() + 1e-6
        found += [
            np.log10(deviation),
            np.log10(np.mean(((curve - curve.mean()) / deviation) ** 4) + 1e-3),
            np.cbrt(np.mean(((curve - curve.mean()) / deviation) ** 3)),
        ]
    return np.array(found)


_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def _patterns(grey: Floats) -> Floats:
    """Histograms of rotation-invariant uniform local binary patterns, full size and halved.

    Source:
        Ojala, Pietikainen, Maenpaa, IEEE TPAMI 2002;24:971-987.
    """
    half = grey.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3))
    found = []
    for picture in (grey, half):
        centre = picture[1:-1, 1:-1]
        rows, columns = picture.shape
        bits = np.stack([picture[1 + dy : rows - 1 + dy, 1 + dx : columns - 1 + dx] > centre for dy, dx in _RING])
        changes = (bits != np.roll(bits, 1, 0)).sum(0)
        kind = np.where(changes <= 2, bits.sum(0), 9)
        found.append(np.sqrt(np.bincount(kind.ravel(), minlength=10) / kind.size))
    return np.concatenate(found)
