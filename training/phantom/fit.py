"""From aligned films to the generator's model: modes of shape and appearance, texture, sketches, quantised."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from secondread.evals.metrics import mask_ctr
from secondread.evals.phantom import TEXTURE_SCALES, resized
from secondread.training.phantom.data import Films

SHAPE_MODES = 20
LOOK_MODES = 44
SIZE = 256
"""Side at which grey, distances and texture are fitted; the films are halved to it."""
TEXTURE_SIDE = 64
FIELD_BLUR = 0.6
"""Grid steps; single points of a field that ran away at the film's edge do not fold the frame."""
CUT = 2.5
MOST_OF_A_MODE = 5.0
"""Standard deviations; a film further out along a mode is left out of the fit."""
TEXTURE_EVERY = 6
"""The strength of texture is a mean over every sixth film."""
SKETCH = 12

Floats = NDArray[np.float32]


def modes(rows: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """Principal components of centred rows (n, d).

    Returns:
        Modes times their standard deviation (count, d), coefficients in standard deviations (n, count), and the
        share of variance each mode holds.
    """
    gram = rows @ rows.T / len(rows)
    values, vectors = np.linalg.eigh(gram.astype(np.float64))
    order = np.argsort(values)[::-1][:count]
    coefficients = vectors[:, order] * np.sqrt(len(rows))
    scaled = (coefficients.T @ rows) / len(rows)
    return scaled.astype(np.float32), coefficients.astype(np.float32), (values[order] / values.sum()).astype(np.float32)


def halved(films: Films) -> Films:
    """The films at half their side: grey averaged over blocks of four pixels, labels of every other pixel."""
    count, side = len(films.grey), films.grey.shape[1] // 2
    grey = films.grey.reshape(count, side, 2, side, 2).mean((2, 4), dtype=np.float32)
    return Films(grey, films.labels[:, ::2, ::2])


def onto_mean(films: Films, fields: Floats) -> tuple[Floats, Floats]:
    """Grey (n, SIZE, SIZE) and mean signed distances (3, SIZE, SIZE) of the films on the mean chest's frame."""
    warped = np.empty((len(fields), SIZE, SIZE), dtype=np.float32)
    distances = np.zeros((3, SIZE, SIZE))
    for index, (grey, labels, field) in enumerate(zip(films.grey, films.labels, fields, strict=True)):
        where = _film_points(field)
        warped[index] = ndimage.map_coordinates(grey, where, order=3, mode="nearest")
        for k in (1, 2, 3):
            mask = labels[::2, ::2] == k
            signed = 2 * (ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask))
            distances[k - 1] += np.clip(ndimage.map_coordinates(signed, where / 2, order=1, mode="nearest"), -60, 60)
    return warped, (distances / len(fields)).astype(np.float32)


def _film_points(field: Floats) -> NDArray[np.float64]:
    """Row and column of the film that each point of the mean frame shows, (2, SIZE, SIZE)."""
    axis = np.linspace(0.0, 1.0, SIZE)
    dense = np.stack([resized(part, SIZE) for part in field])
    still = np.stack(np.meshgrid(axis, axis, indexing="xy"))
    return np.asarray(((dense + still) * (SIZE - 1))[::-1], dtype=np.float64)


def fit(films: Films, fields: Floats) -> tuple[dict[str, NDArray[np.generic]], dict[str, float]]:
    """Tensors of the model file, and figures about the fit."""
    fields = ndimage.gaussian_filter(fields, (0.0, 0.0, FIELD_BLUR, FIELD_BLUR)).astype(np.float32)
    films = halved(films)
    warped, distances = onto_mean(films, fields)
    small = np.stack([ndimage.gaussian_filter(w, 0.5) for w in warped])
    kept = common(fields, small)
    fields, warped, small = fields[kept], warped[kept], small[kept]
    count = len(kept)
    shape, shape_coefficients, shape_share = modes((fields - fields.mean(0)).reshape(count, -1), SHAPE_MODES)
    mean = small.mean(0)
    looks, look_coefficients, look_share = modes(winsorised(small - mean).reshape(count, -1), LOOK_MODES)
    texture = _texture(warped, mean, looks, look_coefficients)
    ratios = np.array([mask_ctr(m == 1, m == 2, m == 3) for m in films.labels[kept]])
    slope = shape_coefficients.T @ (ratios - ratios.mean()) / count
    coefficients = np.concatenate([shape_coefficients, look_coefficients], axis=1)
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((coefficients.shape[1], SKETCH)))[0]
    sketches = (coefficients @ axes).astype(np.float16)
    tensors: dict[str, NDArray[np.generic]] = {
        "ctr_slope": slope.astype(np.float32),
        "mean": mean.astype(np.float16),
        "texture": texture.astype(np.float16),
        "sketch_axes": axes.astype(np.float32),
        "sketches": sketches,
        "sketch_apart": np.array([nearest_apart(sketches.astype(np.float32))], dtype=np.float32),
    }
    _quantise(tensors, "fields", shape.reshape(SHAPE_MODES, *fields.shape[1:]), np.int16)
    _quantise(tensors, "distances", distances, np.int16)
    _quantise(tensors, "looks", looks.reshape(LOOK_MODES, SIZE, SIZE), np.int8)
    figures = {
        "films": float(len(films.grey)),
        "films_kept": float(count),
        "shape_variance": float(shape_share.sum()),
        "appearance_variance": float(look_share.sum()),
        "ctr_correlation": float(np.corrcoef(shape_coefficients @ slope, ratios)[0, 1]),
        "largest_coefficient": float(np.abs(look_coefficients).max()),
    }
    return tensors, figures


def common(fields: Floats, small: Floats) -> NDArray[np.intp]:
    """Films that no mode belongs to alone: a mode of one film would print that film's devices on others."""
    kept = np.arange(len(fields))
    for _ in range(6):
        own = fields[kept]
        shape = modes((own - own.mean(0)).reshape(len(kept), -1), SHAPE_MODES)[1]
        grey = small[kept, ::2, ::2]
        looks = modes(winsorised(grey - grey.mean(0)).reshape(len(kept), -1), LOOK_MODES)[1]
        alone = np.maximum(np.abs(shape).max(1), np.abs(looks).max(1)) > MOST_OF_A_MODE
        if not alone.any():
            break
        kept = kept[~alone]
    return kept


def winsorised(rest: Floats) -> Floats:
    """Differences from the mean, cut at `CUT` times their spread at each place (wires, electrodes, sutures)."""
    spread = CUT * np.sqrt((rest**2).mean(0))
    cut: Floats = np.clip(rest, -spread, spread)
    return cut


def nearest_apart(points: Floats) -> float:
    """Smallest distance between two different rows."""
    return float(np.sqrt(nearest_squared(points).min()))


def nearest_squared(points: Floats) -> NDArray[np.float64]:
    """Squared distance of each row to its nearest other row."""
    wide = points.astype(np.float64)
    squares = (wide**2).sum(1)
    apart = np.maximum(squares[:, None] + squares[None] - 2 * wide @ wide.T, 0.0)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart.min(1))


def _texture(warped: Floats, mean: Floats, looks: Floats, coefficients: Floats) -> Floats:
    """Strength per band and place of what the modes leave out, (bands, t, t)."""
    bands = len(TEXTURE_SCALES) - 1
    power = np.zeros((bands, SIZE, SIZE), dtype=np.float32)
    some = slice(None, None, TEXTURE_EVERY)
    for film, own in zip(warped[some], coefficients[some], strict=True):
        rest = film - mean - (own @ looks).reshape(mean.shape)
        layers = [ndimage.gaussian_filter(rest, s) if s else rest for s in TEXTURE_SCALES]
        for band in range(bands):
            power[band] += (layers[band] - layers[band + 1]) ** 2
    power /= len(warped[some])
    return np.stack([np.sqrt(np.maximum(resized(ndimage.gaussian_filter(p, 6.0), TEXTURE_SIDE, 1), 0)) for p in power])


def _quantise(tensors: dict[str, NDArray[np.generic]], name: str, values: Floats, kind: type[np.signedinteger]) -> None:
    """Store values as integers with one scale per leading index."""
    top = np.abs(values.reshape(len(values), -1)).max(1)
    scale = (top / np.iinfo(kind).max).astype(np.float32)
    tensors[name] = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1))).astype(kind)
    tensors[f"{name}_scale"] = scale


def save(tensors: dict[str, NDArray[np.generic]], path: Path) -> None:
    """Write the model file."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)
