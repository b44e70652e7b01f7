"""Coverage of the conformal interval on chests of nobody: drawn masks with a known ratio, read by a simulated reader.

Each film is one shape of the statistical chest model, as masks (`phantom.drawn_masks`); no picture is drawn and no
network runs, which would take a second per film. The simulated reader places the four borders of heart and lungs with
an error of its own per film and another one per look. How large they are differs from film to film (log-normal) and
shows only in the spread over looks and, noisily, in the uncertainty: what the error model is given of real films. The
error model is fitted and its interval scaled on four fifths of the films, and covers the fifth that is left.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.evals.error_fit import LEVEL, fit_error_model
from secondread.evals.phantom import drawn_masks
from secondread.evals.trust.rows import Row, Sheet
from secondread.tools.measure.error_model import ErrorModel

Floats = NDArray[np.float64]
FILMS = 5000
SIZE = 160
FOLDS = 5
PART = 250
"""Films kept in one file."""
LOOKS = 8
READER_SEED = 1
PLAIN_SEED = 2
BORDER_SD = 0.006
"""Median standard deviation of a border's error, in sides of the film: about that of the ratio on real films."""
LOG_SD = 0.5
"""Standard deviation of its logarithm over films."""


def borders(seed: int) -> tuple[float, float, float, float]:
    """Outer edges of the heart and of the lungs of one generated chest, in pixels: left, right, left, right."""
    masks = drawn_masks(seed, size=SIZE)
    heart = np.flatnonzero(masks["heart"].any(axis=0))
    lungs = np.flatnonzero((masks["right_lung"] | masks["left_lung"]).any(axis=0))
    return float(heart[0]), float(heart[-1] + 1), float(lungs[0]), float(lungs[-1] + 1)


def many_borders(first: int, last: int) -> Floats:
    """`borders` of the seeds from `first` to before `last`, shape (n, 4)."""
    return np.array([borders(seed) for seed in range(first, last)])


def kept_borders(folder: Path | None, films: int) -> Floats:
    """`borders` of seeds 0, 1, .., shape (films, 4); kept in a folder in parts, so that a run can be taken up again."""
    parts = []
    for first in range(0, films, PART):
        last = min(first + PART, films)
        path = folder / f"generated_borders_{SIZE}_{first}_{last}.npy" if folder is not None else None
        if path is not None and path.is_file():
            parts.append(np.asarray(np.load(path, allow_pickle=False), float))
            continue
        parts.append(many_borders(first, last))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".part.npy")
            np.save(fresh, parts[-1])
            fresh.replace(path)
    return np.concatenate(parts)


def plain_borders(films: int) -> Floats:
    """Borders of chests of plain geometry: lungs of 0.70 to 0.95 sides, a ratio of 0.36 to 0.66; shape (n, 4)."""
    rng = np.random.default_rng(PLAIN_SEED)
    lungs = rng.uniform(0.70, 0.95, films) * SIZE
    heart = lungs * rng.uniform(0.36, 0.66, films)
    left = (SIZE - lungs) / 2 + rng.uniform(-4.0, 4.0, films)
    inside = left + (lungs - heart) * rng.uniform(0.35, 0.6, films)
    return np.stack([inside, inside + heart, left, left + lungs], axis=1)


def read(drawn: Floats, seed: int = READER_SEED) -> tuple[Floats, Floats, Floats, Floats]:
    """The simulated reader on borders of shape (n, 4).

    Returns:
        measured, spread over looks, uncertainty, truth; shape (n,) each.
    """
    rng = np.random.default_rng(seed)
    n = len(drawn)
    deviation = SIZE * BORDER_SD * np.exp(LOG_SD * rng.standard_normal(n))
    film = drawn + deviation[:, None] * rng.standard_normal((n, 4))
    looks = film[:, None] + deviation[:, None, None] * rng.standard_normal((n, LOOKS, 4))
    values = ratio(looks)
    uncertainty = 0.05 + 0.01 * (np.log(deviation / (SIZE * BORDER_SD)) + 0.5 * rng.standard_normal(n))
    return values.mean(axis=1), values.std(axis=1, ddof=1), np.clip(uncertainty, 0.0, 1.0), ratio(drawn)


def ratio(edges: Floats) -> Floats:
    """Heart over lungs of edges of shape (.., 4)."""
    return np.asarray((edges[..., 1] - edges[..., 0]) / (edges[..., 3] - edges[..., 2]))


def sheet(drawn: Floats, code: str, *, plain: bool = False) -> Sheet:
    """Intervals of the films of each fold under the error model of the other folds.

    Args:
        drawn: Borders, shape (n, 4).
        code: Kept with the rows.
        plain: They are of `plain_borders`.
    """
    measured, spread, uncertainty, truth = read(drawn)
    fold = np.arange(len(drawn)) % FOLDS
    rows: list[Row] = []
    for one in range(FOLDS):
        rest, mine = fold != one, np.flatnonzero(fold == one)
        model: ErrorModel = fit_error_model(measured[rest], spread[rest], truth[rest], uncertainty=uncertainty[rest])
        for n in mine:
            found = model.interval(float(measured[n]), float(spread[n]), "", float(uncertainty[n]))
            rows.append(
                Row(
                    id=str(n),
                    group=str(n),
                    right=bool(found.low <= truth[n] <= found.high),
                    target=float(truth[n]),
                    low=found.low,
                    high=found.high,
                )
            )
    return Sheet(
        name="generated_plain" if plain else "generated_ratio",
        about=f"90 % interval of the ratio of {len(drawn)} "
        f"{'chests of plain geometry' if plain else 'generated chests (masks)'}, read by a simulated reader",
        calibrator="fitted here on four fifths, as shipped ones are",
        level=LEVEL,
        rows=tuple(rows),
        code=code,
    )
