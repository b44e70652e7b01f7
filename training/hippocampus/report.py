"""Out-of-fold figures of the hippocampus networks, and the error models of the volumes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.evals.error_fit import fit_error_model
from secondread.evals.metrics import bootstrap, clopper_pearson
from secondread.evals.out_of_fold import figure, line
from secondread.tools.measure.error_model import ErrorModel
from secondread.tools.segment.hippocampus.inference import STRUCTURES
from secondread.tools.segment.hippocampus.volumes import PARTS
from secondread.training.folds import FOLDS
from secondread.training.hippocampus.data import Case
from secondread.training.hippocampus.out_of_fold import Row

Floats = NDArray[np.float64]
Figures = dict[str, dict[str, float | int]]


def model_of(rows: Sequence[Row], name: str) -> ErrorModel:
    """Error model of one volume from out-of-fold rows."""
    return fit_error_model(
        np.array([r.found[name] for r in rows]),
        np.array([r.spread[name] for r in rows]),
        np.array([r.truth[name] for r in rows]),
        uncertainty=np.array([r.uncertainty for r in rows]),
    )


def covered(rows: Sequence[Row], name: str) -> tuple[list[bool], list[float]]:
    """Whether each crop's true volume lies in its interval, and the interval's width in mm3.

    The error model of a crop is fitted on the crops of the other folds.
    """
    hits, widths = [], []
    for fold in range(FOLDS):
        model = model_of([r for r in rows if r.fold != fold], name)
        for row in (r for r in rows if r.fold == fold):
            interval = model.interval(row.found[name], row.spread[name], "", row.uncertainty)
            hits.append(interval.low <= row.truth[name] <= interval.high)
            widths.append(interval.high - interval.low)
    return hits, widths


def figures(rows: Sequence[Row]) -> Figures:
    """Overlap and plausibility, with 95 % bootstrap intervals over crops."""
    made = {f"Dice {name.replace('_', ' ')}": _mean(np.array([r.dice[name] for r in rows])) for name in STRUCTURES}
    made["masks believed"] = _share([r.plausible for r in rows])
    return made


def volume_figures(rows: Sequence[Row], name: str) -> Figures:
    """Error of one volume in mm3 and percent, and the coverage of its interval on folds left out."""
    truth = np.array([r.truth[name] for r in rows])
    error = np.array([r.found[name] for r in rows]) - truth
    both = np.stack([truth + error, truth], 1)
    hits, widths = covered(rows, name)
    return {
        "mean error in mm3": _mean(error),
        "mean absolute error in mm3": _mean(np.abs(error)),
        "mean absolute error in percent": _mean(100 * np.abs(error) / truth),
        "correlation with the labels": figure(bootstrap(both, _correlation), len(rows)),
        "coverage of the 90 % interval, folds left out": _share(hits),
        "width of the 90 % interval in mm3": _mean(np.array(widths)),
    }


def lines(rows: Sequence[Row]) -> list[str]:
    """All figures, one a line."""
    told = [line(name, _three(f), int(f["n"])) for name, f in figures(rows).items()]
    for name in PARTS:
        told.append(name.replace("_", " "))
        told += [line(what, _three(f), int(f["n"])) for what, f in volume_figures(rows, name).items()]
    return told


def floor_lines(cases: Sequence[Case]) -> list[str]:
    """Dice of the mean-shape atlas, one structure a line."""
    return [
        line(f"floor: Dice {name.replace('_', ' ')} of a mean-shape atlas", bootstrap(scores), len(scores))
        for name, scores in atlas_dice(cases).items()
    ]


def atlas_dice(cases: Sequence[Case]) -> dict[str, Floats]:
    """Dice per crop of a mean-shape atlas of the other folds stretched to it, which never looks at the image."""
    side = (36, 50, 36)
    scores: dict[str, list[float]] = {name: [] for name in STRUCTURES}
    for fold in range(FOLDS):
        sums = np.zeros((3, *side))
        for case in (c for c in cases if c.fold != fold):
            x, y, z = (_picked(n, m) for n, m in zip(case.labels.shape, side, strict=True))
            stretched = case.labels[x][:, y][:, :, z]
            sums += np.stack([stretched == k for k in range(3)])
        for case in (c for c in cases if c.fold == fold):
            x, y, z = (_picked(m, n) for n, m in zip(case.labels.shape, side, strict=True))
            classes = sums[:, x][:, :, y][:, :, :, z].argmax(0)
            for k, name in enumerate(STRUCTURES, 1):
                a, b = classes == k, case.labels == k
                scores[name].append(2 * int((a & b).sum()) / (int(a.sum()) + int(b.sum())))
    return {name: np.array(values) for name, values in scores.items()}


def _picked(source: int, target: int) -> NDArray[np.intp]:
    """Nearest source index of each of `target` positions, outer edges in place."""
    return np.minimum(((np.arange(target) + 0.5) * source / target).astype(np.intp), source - 1)


def _mean(values: Floats) -> dict[str, float | int]:
    return figure(bootstrap(values), len(values))


def _correlation(both: Floats) -> float:
    """Of the two columns."""
    return float(np.corrcoef(both[:, 0], both[:, 1])[0, 1])


def _share(hits: Sequence[bool]) -> dict[str, float | int]:
    """Share of True with its exact 95 % interval (Clopper and Pearson)."""
    return figure((float(np.mean(hits)), *clopper_pearson(sum(hits), len(hits))), len(hits))


def _three(found: dict[str, float | int]) -> tuple[float, float, float]:
    return found["value"], found["low"], found["high"]
