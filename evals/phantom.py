"""Plausible frontal chest films of nobody, with known masks and a known cardiothoracic ratio.

A film is drawn from a statistical model of shape (displacement fields of a mean chest) and appearance (grey on the mean
chest). Ribs, spine and vessels are drawn on it (`phantom_detail`), and fine texture is added as noise of the measured
strength per place and scale. The masks are the mean chest's masks moved by the same field, so they fit the picture by
construction; the ratio is measured on them. `phantom_model.md` beside this file says what the model was fitted on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from secondread.evals.metrics import mask_ctr
from secondread.evals.phantom_detail import detail
from secondread.schema.errors import InputError

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

STRUCTURES = ("right_lung", "left_lung", "heart")
MODEL = Path(__file__).with_name("phantom_model.safetensors")
LIMIT = 2.0
"""A coefficient is drawn within this many standard deviations of the training films."""
TEXTURE_SCALES = (0.0, 0.7, 1.4, 2.8, 5.6)
"""Standard deviations (pixels of a 256-pixel film) of the Gaussians between which the bands of texture lie."""
TEXTURE_SHARE = 0.65
"""Part of the measured strength that is added as noise; the rest of it was ribs and vessels, which are drawn."""
CTR_RANGE = (0.36, 0.70)
CTR_TOLERANCE = 0.004
SMALLEST_AREA = 0.4
_TRIED = 64
"""Shapes drawn at once where only masks are wanted; most of them fold somewhere and are left out."""
_WORKING = 129
"""Side of the grid on which a displacement field is inverted; the field itself is smoother than that."""


@dataclass(frozen=True)
class Film:
    """A film with its truth.

    Attributes:
        grey: float32 in [0, 1], shape (rows, columns), air dark unless made inverted.
        masks: `right_lung` (image left), `left_lung`, `heart`; bool, shape of `grey`, disjoint (the heart wins).
        ctr: Widest heart over widest lungs, by bounding columns of `masks`.
        seed: What it was drawn from.
    """

    grey: Grey
    masks: Mapping[str, Mask]
    ctr: float
    seed: int


@dataclass(frozen=True)
class Model:
    """The fitted model, dequantised.

    Attributes:
        fields: Shape modes times their standard deviation, (modes, 2, g, g): x then y, in sides of the film.
        distances: Signed distance to each structure of the mean chest, pixels of a 256-pixel film, (3, s, s).
        ctr_slope: Change of the ratio per standard deviation of each shape mode.
        mean: Mean grey on the mean chest, (a, a).
        looks: Appearance modes times their standard deviation, (modes, a, a).
        texture: Strength of each band of fine texture, (bands, t, t).
        sketch_axes: Projection of all coefficients to the sketch, (shape modes + appearance modes, d).
        sketches: Sketches of the training films, (n, d).
        sketch_apart: Smallest distance between two training sketches; nothing nearer to one is emitted.
    """

    fields: NDArray[np.float32]
    distances: NDArray[np.float32]
    ctr_slope: NDArray[np.float32]
    mean: NDArray[np.float32]
    looks: NDArray[np.float32]
    texture: NDArray[np.float32]
    sketch_axes: NDArray[np.float32]
    sketches: NDArray[np.float32]
    sketch_apart: float


@cache
def load_model(path: Path = MODEL) -> Model:
    """Read a fitted model.

    Raises:
        InputError: There is no model file.
    """
    from safetensors.numpy import load_file

    if not path.is_file():
        raise InputError(
            f"No chest phantom model at {path.name}.", hint="Fit one: python -m secondread.training.phantom"
        )
    stored = load_file(path)

    def spread(name: str) -> NDArray[np.float32]:
        scale = stored[f"{name}_scale"].astype(np.float32)
        values: NDArray[np.float32] = stored[name].astype(np.float32) * scale.reshape(
            -1, *[1] * (stored[name].ndim - 1)
        )
        return values

    return Model(
        fields=spread("fields"),
        distances=spread("distances"),
        ctr_slope=stored["ctr_slope"].astype(np.float32),
        mean=stored["mean"].astype(np.float32),
        looks=spread("looks"),
        texture=stored["texture"].astype(np.float32),
        sketch_axes=stored["sketch_axes"].astype(np.float32),
        sketches=stored["sketches"].astype(np.float32),
        sketch_apart=float(stored["sketch_apart"][0]),
    )


def generate(
    seed: int, *, ctr: float | None = None, size: int = 512, inverted: bool = False, model: Model | None = None
) -> Film:
    """One film of nobody.

    Args:
        seed: Equal seeds and arguments give equal films.
        ctr: Cardiothoracic ratio the masks shall have (within `CTR_TOLERANCE` or two pixels); None takes what the
            shape gives.
        size: Side in pixels, 64 to 2048. The model's own detail ends at 256; above it what is drawn is finer.
        inverted: Air bright.
        model: Another model than the shipped one.

    Raises:
        InputError: `ctr` or `size` out of range.
    """
    if not 64 <= size <= 2048:
        raise InputError(f"A film of {size} pixels cannot be drawn.", hint="Give 64 to 2048.")
    if ctr is not None and not CTR_RANGE[0] <= ctr <= CTR_RANGE[1]:
        raise InputError(
            f"A cardiothoracic ratio of {ctr:g} cannot be drawn.", hint=f"Give {CTR_RANGE[0]} to {CTR_RANGE[1]}."
        )
    fitted = load_model() if model is None else model
    rng = np.random.default_rng(seed)
    while True:
        shape, looks = draw_coefficients(fitted, rng)
        found = _shaped(fitted, shape, ctr, size)
        if found is None:
            continue
        shape, source, masks = found
        if nearest_training_sketch(fitted, shape, looks) >= fitted.sketch_apart:
            break
    grey = _grey(fitted, looks, source, size, rng)
    exposed = np.clip(grey * rng.uniform(0.92, 1.0), 0.0, 1.0) ** rng.uniform(0.85, 1.15)
    if inverted:
        exposed = 1.0 - exposed
    return Film(exposed.astype(np.float32), masks, mask_ctr(*(masks[name] for name in STRUCTURES)), seed)


def draw_coefficients(model: Model, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape and appearance coefficients in standard deviations, normal, redrawn beyond `LIMIT`."""
    drawn = []
    for count in (len(model.fields), len(model.looks)):
        values = rng.standard_normal(count)
        while (far := np.abs(values) > LIMIT).any():
            values[far] = rng.standard_normal(int(far.sum()))
        drawn.append(values)
    return drawn[0], drawn[1]


def drawn_masks(seed: int, *, size: int = 128, model: Model | None = None) -> dict[str, Mask]:
    """Masks of one chest of nobody, with the ratio that its shape gives; no picture is drawn, so it is quicker.

    Args:
        seed: Equal seeds give equal masks. They are not the masks of `generate` of the same seed.
        size: Side in pixels, 64 or more.
        model: Another model than the shipped one.
    """
    fitted = load_model() if model is None else model
    rng = np.random.default_rng(seed)
    flat = fitted.fields.reshape(len(fitted.fields), -1)
    while True:
        shapes = np.stack([draw_coefficients(fitted, rng)[0] for _ in range(_TRIED)])
        fields = (shapes @ flat).reshape(_TRIED, *fitted.fields.shape[1:])
        for number in np.flatnonzero(_least_area(fields) >= SMALLEST_AREA):
            found = _shaped(fitted, shapes[number], None, size)
            if found is not None:
                return found[2]


def nearest_training_sketch(model: Model, shape: NDArray[Any], looks: NDArray[Any]) -> float:
    """Distance of a film's sketch to the nearest one of a training film."""
    sketch = np.concatenate([shape, looks]) @ model.sketch_axes
    return float(np.sqrt(((model.sketches - sketch) ** 2).sum(1)).min())


def _shaped(
    model: Model, shape: NDArray[np.float64], ctr: float | None, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float32], dict[str, Mask]] | None:
    """Coefficients, source points and masks with the wanted ratio; None when the shape is not a chest.

    The coefficients move along the direction that changes the ratio most per standard deviation (the mean of the
    normal distribution given the ratio); the step is corrected on the emitted masks until they have it.
    """
    if _folded(np.tensordot(shape, model.fields, axes=1)):
        return None
    towards = model.ctr_slope / float(model.ctr_slope @ model.ctr_slope)
    moved = shape.copy()
    for _ in range(12):
        source = source_points(model, moved, size)
        masks = masks_at(model, source)
        if not all(mask.any() for mask in masks.values()):
            return None
        off = 0.0 if ctr is None else ctr - mask_ctr(*(masks[name] for name in STRUCTURES))
        if abs(off) <= max(CTR_TOLERANCE, 1.0 / size):
            return moved, source, masks
        moved = moved + 0.9 * off * towards
        if np.abs(moved).max() > 2.0 * LIMIT:
            return None
    return None


def _folded(field: NDArray[Any]) -> bool:
    """Whether a field shrinks some place to less than `SMALLEST_AREA` of its area, or turns it over."""
    return bool(_least_area(field[None])[0] < SMALLEST_AREA)


def _least_area(fields: NDArray[Any]) -> NDArray[Any]:
    """Smallest area that each field leaves of a unit of area, shape (n,); fields (n, 2, g, g)."""
    steps = fields.shape[-1] - 1
    x_down, x_across = np.gradient(fields[:, 0] * steps, axis=(1, 2))
    y_down, y_across = np.gradient(fields[:, 1] * steps, axis=(1, 2))
    area = (1 + x_across) * (1 + y_down) - x_down * y_across
    return np.asarray(area.min(axis=(1, 2)))


def source_points(model: Model, shape: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Where on the mean chest each pixel of a film comes from, (2, size, size), x then y, in sides of the film.

    A film at p + u(p) shows the mean chest at p; the field is inverted by fixed-point steps.
    """
    field = np.tensordot(shape, model.fields, axes=1).astype(np.float32)
    fine = np.stack([resized(part, _WORKING) for part in field])
    axis = np.linspace(0.0, 1.0, _WORKING)
    still = np.stack(np.meshgrid(axis, axis, indexing="xy"))
    points = still.copy()
    for _ in range(15):
        at = points[::-1] * (_WORKING - 1)
        points = still - np.stack([ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in fine])
    back = np.stack([resized(part, size) for part in (points - still).astype(np.float32)])
    out = np.linspace(0.0, 1.0, size)
    found: NDArray[np.float32] = (back + np.stack(np.meshgrid(out, out, indexing="xy"))).astype(np.float32)
    return found


def masks_at(model: Model, source: NDArray[np.float32]) -> dict[str, Mask]:
    """Masks of the structures at the source points; the heart wins, the nearer lung keeps a shared pixel."""
    right, left, heart = (_sampled(plane, source, order=1) for plane in model.distances)
    in_heart = _largest(heart < 0)
    in_right = _largest((right < 0) & (right <= left) & ~in_heart)
    in_left = _largest((left < 0) & (left < right) & ~in_heart)
    return {"right_lung": in_right, "left_lung": in_left, "heart": in_heart}


def _grey(
    model: Model, looks: NDArray[np.float64], source: NDArray[np.float32], size: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    smooth = _sampled(model.mean + np.tensordot(looks, model.looks, axes=1).astype(np.float32), source, order=3)
    smooth = smooth + _drawn(model, source, rng)
    for (low, high), strength in zip(pairwise(TEXTURE_SCALES), model.texture, strict=True):
        noise = rng.standard_normal((size, size))
        scale = size / 256
        fine = ndimage.gaussian_filter(noise, low * scale) if low else noise
        band = fine - ndimage.gaussian_filter(noise, high * scale)
        smooth = smooth + TEXTURE_SHARE * band / band.std() * _sampled(strength, source, order=1)
    grey: NDArray[np.float32] = smooth.astype(np.float32)
    return grey


def _drawn(model: Model, source: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    right, left, heart = (np.clip(0.5 - _sampled(plane, source, order=1) / 4.0, 0, 1) for plane in model.distances)
    return detail(source, np.maximum(right, left) * (1 - heart), heart, rng)


def _sampled(plane: NDArray[np.float32], source: NDArray[np.float32], order: int) -> NDArray[np.float32]:
    side = plane.shape[-1]
    found: NDArray[np.float32] = ndimage.map_coordinates(plane, source[::-1] * (side - 1), order=order, mode="nearest")
    return found


def resized(plane: NDArray[np.float32], side: int, order: int = 3) -> NDArray[np.float32]:
    """Spline interpolation of a square plane onto another square grid whose corner points stay where they are."""
    weights = _spline(plane.shape[-1], side, order)
    return np.asarray(weights @ plane @ weights.T, dtype=np.float32)


@cache
def _spline(old: int, new: int, order: int) -> NDArray[np.float32]:
    """Interpolation is linear and works along each axis alone, so it is a matrix: (new, old)."""
    at = np.linspace(0.0, old - 1.0, new)[None]
    rows = [ndimage.map_coordinates(unit, at, order=order, mode="nearest") for unit in np.eye(old)]
    return np.stack(rows, axis=1).astype(np.float32)


def _largest(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept: Mask = labels == sizes.argmax()
    return kept


def with_pixels(film: Film, grey: Grey, masks: Mapping[str, Mask] | None = None) -> Film:
    """The film with other pixels, and with its ratio measured anew when the masks changed."""
    if masks is None:
        return replace(film, grey=grey.astype(np.float32))
    return Film(grey.astype(np.float32), masks, mask_ctr(*(masks[name] for name in STRUCTURES)), film.seed)
