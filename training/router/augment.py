"""Training views that take away what tells a source, and pictures that are nothing the router knows."""

import io

import numpy as np
from numpy.typing import NDArray

from secondread.tools.classify.router_features import SIDE

Rgb = NDArray[np.uint8]

TURNED = frozenset({"blood_smear_image", "fluorescence_micrograph", "stained_micrograph", "hippocampal_mr_crop"})
"""Kinds without an upright: any quarter turn shows the same. Crops come in any plane and axis order."""

COLOURED = frozenset({"fundus_photograph", "blood_smear_image", "stained_micrograph"})

OUTSIDE_KINDS = (
    "coloured_noise", "gradient", "stripes", "shapes", "page", "scene", "axial", "blank", "jigsaw", "recoloured",
    "blended", "scrambled",
)  # fmt: skip
"""What stands for the unknown in training: drawn pictures, and known pictures made into none."""


def view(square: Rgb, kind: str, rng: np.random.Generator) -> Rgb:
    """One training view of a kept square.

    Args:
        square: Shape (n, n, 3).
        kind: What it shows; decides which turns leave it what it is.
        rng: Source of the draws.

    Returns:
        uint8, shape (SIDE, SIDE, 3): cut, squeezed, mirrored, framed, written on, with other tones, sharpness, noise
        and JPEG loss.
    """
    from PIL import Image

    n = square.shape[0]
    high, wide = (int(n * rng.uniform(0.78, 1.0)) for _ in range(2))
    top, left = int(rng.integers(0, n - high + 1)), int(rng.integers(0, n - wide + 1))
    cut = square[top : top + high, left : left + wide]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    if kind in TURNED:
        cut = np.rot90(cut, int(rng.integers(0, 4)))
    picture = Image.fromarray(np.ascontiguousarray(cut))
    if rng.random() < 0.4:
        low = int(rng.integers(SIDE // 2, SIDE))
        picture = picture.resize((low, low), Image.Resampling.BILINEAR)
    image = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float64) / 255
    return _stored(_framed(_toned(image, kind, rng), rng), rng)


def _toned(image: NDArray[np.float64], kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    low, high = rng.uniform(-0.05, 0.08), rng.uniform(0.85, 1.05)
    image = np.clip((image - low) / (high - low), 0, 1) ** np.exp(rng.uniform(-0.4, 0.4))
    if kind in COLOURED:
        grey = image.mean(-1, keepdims=True)
        image = grey + (image - grey) * rng.uniform(0.6, 1.3)
        image = image * rng.uniform(0.88, 1.12, 3)
    elif kind == "fluorescence_micrograph" and rng.random() < 0.3:
        image = image * np.roll([1.0, rng.uniform(0, 0.6), rng.uniform(0, 0.3)], int(rng.integers(0, 3)))
    grain = rng.normal(0, rng.uniform(0, 0.03), (SIDE, SIDE, 1)) if rng.random() < 0.5 else 0.0
    return np.asarray(np.clip(image + grain, 0, 1), np.float64)


def _framed(image: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    image = image.copy()
    if rng.random() < 0.25:
        inset = (rng.random(4) ** 2 * 0.12 * SIDE).astype(int)
        tone = float(rng.choice([0.0, 0.0, 1.0, rng.random()]))
        inside = np.zeros((SIDE, SIDE), np.bool_)
        inside[inset[0] : SIDE - inset[1], inset[2] : SIDE - inset[3]] = True
        image[~inside] = tone
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.4 else 0):
        high, wide = int(rng.integers(2, 6)), int(rng.integers(4, 16))
        top = int(rng.choice([rng.integers(0, 6), rng.integers(SIDE - 12, SIDE - 6)]))
        left = int(rng.integers(0, SIDE - wide))
        ink = rng.random((high, wide)) < 0.5
        image[top : top + high, left : left + wide][ink] = float(rng.choice([0.0, 1.0, 1.0]))
    return image


def _stored(image: NDArray[np.float64], rng: np.random.Generator) -> Rgb:
    from PIL import Image

    picture = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.5:
        return picture
    with io.BytesIO() as buffer:
        Image.fromarray(picture).save(buffer, "JPEG", quality=int(rng.integers(35, 95)))
        with Image.open(buffer) as back:
            return np.asarray(back.convert("RGB"))


def outside(kind: str, known: Rgb, rng: np.random.Generator) -> Rgb:
    """One picture of the unknown.

    Args:
        kind: One of `OUTSIDE_KINDS`.
        known: Known pictures to draw from, shape (n, SIDE, SIDE, 3).
        rng: Source of the draws.

    Returns:
        uint8, shape (SIDE, SIDE, 3).
    """
    one, other = (known[int(i)] for i in rng.integers(0, len(known), 2))
    if kind == "jigsaw":
        step = SIDE // int(rng.choice([2, 4]))
        places = [(r, c) for r in range(0, SIDE, step) for c in range(0, SIDE, step)]
        result: Rgb = np.empty_like(one)
        for (r, c), k in zip(places, rng.permutation(len(places)), strict=True):
            y, x = places[int(k)]
            result[r : r + step, c : c + step] = one[y : y + step, x : x + step]
        return result
    if kind == "recoloured":
        grey = one.astype(np.float32).mean(-1, keepdims=True) / 255
        dark, light = rng.random(3), rng.random(3)
        return np.asarray(np.rint((dark + (light - dark) * grey) * 255), np.uint8)
    if kind == "blended":
        share = rng.uniform(0.35, 0.65)
        return np.asarray(np.rint(one * share + other.astype(np.float32) * (1 - share)), np.uint8)
    if kind == "scrambled":
        return _scrambled(one, rng)
    return _drawn(kind, rng)


def _scrambled(one: Rgb, rng: np.random.Generator) -> Rgb:
    """The same waves at other places: spectrum and mean colour are kept, the layout is lost."""
    turn = np.exp(1j * np.angle(np.fft.fft2(rng.standard_normal((SIDE, SIDE)))))
    turn[0, 0] = 1
    waves = np.fft.fft2(one.astype(np.float64), axes=(0, 1))
    moved = np.fft.ifft2(waves * turn[..., None], axes=(0, 1)).real
    return np.asarray(np.clip(moved, 0, 255), np.uint8)


def _drawn(kind: str, rng: np.random.Generator) -> Rgb:
    from PIL import Image

    from secondread.training.guards.drawn import KINDS

    draw = next(k for k in KINDS if k.__name__.strip("_") == kind)
    picture = np.asarray(draw(rng), np.float32)
    low, high = float(picture.min()), float(picture.max())
    grey = (picture - low) / max(high - low, 1e-6)
    if rng.random() < 0.5:
        dark, light, third = rng.random((3, 3))
        second = np.asarray(draw(rng), np.float32)
        second = (second - second.min()) / max(float(np.ptp(second)), 1e-6)
        rgb = dark + (light - dark) * grey[..., None] + (third - 0.5) * second[..., None]
    else:
        rgb = np.repeat(grey[..., None], 3, axis=-1)
    shown = Image.fromarray(np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    return np.asarray(shown.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
