"""Out-of-fold figures of the vessel networks, and the error models of the measures."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.evals.error_fit import fit_error_model
from secondread.evals.metrics import clopper_pearson
from secondread.evals.out_of_fold import bootstrap_groups, line
from secondread.tools.measure.error_model import ErrorModel
from secondread.tools.segment.vessels.values import UNITS
from secondread.training.folds import FOLDS
from secondread.training.vessels.out_of_fold import Row

Floats = NDArray[np.float64]
Figures = dict[str, dict[str, float | int]]
DIGITS = 4
"""Significant digits: curvature is near 0.01."""


def model_of(rows: Sequence[Row], name: str) -> ErrorModel:
    """Error model of one measure from out-of-fold rows; its scale depends on nothing, 22 rows tell no more."""
    found, truth = (np.array([getattr(r, side)[name] for r in rows]) for side in ("found", "first"))
    unit = float(np.median(truth))  # the fit has floors that suit values near 1
    model = fit_error_model(found / unit, np.zeros_like(found), truth / unit)
    unsure = [r.uncertainty for r in rows]
    return model.model_copy(
        update={
            "bias": model.bias * unit,
            "scale_floor": model.scale_floor * unit,
            "scale_slope": 0.0,
            "uncertainty_centre": float(np.median(unsure)),
            "uncertainty_range": (min(unsure), max(unsure)),
        }
    )


def covered(rows: Sequence[Row], name: str) -> list[bool]:
    """Whether the first observer's value lies in the interval, error models fitted on the other folds."""
    hits = []
    for fold in range(FOLDS):
        model = model_of([r for r in rows if r.fold != fold], name)
        for row in (r for r in rows if r.fold == fold):
            interval = model.interval(row.found[name], 0.0, "")
            hits.append(interval.low <= row.first[name] <= interval.high)
    return hits


def figures(rows: Sequence[Row]) -> Figures:
    """Overlap with both observers and plausibility, with 95 % bootstrap intervals over children."""
    of = {
        "Dice against the first observer": [r.dice for r in rows],
        "Dice against the second observer": [r.dice_second for r in rows],
        "Dice of the observers with each other": [r.observers for r in rows],
        "Dice against the first observer, above that of the second": [r.dice - r.observers for r in rows],
        "sensitivity against the first observer": [r.sensitivity for r in rows],
        "precision against the first observer": [r.precision for r in rows],
    }
    made = {name: _over_children(rows, np.array(values)[:, None], _mean) for name, values in of.items()}
    made["masks believed"] = _share([r.plausible for r in rows])
    return made


def measure_figures(rows: Sequence[Row], name: str) -> Figures:
    """Agreement of one measure with the first observer's drawing, the same of the second observer, and coverage."""
    values = np.array([[r.found[name], r.first[name], r.second[name]] for r in rows])
    of: dict[str, Callable[[Floats], float]] = {
        "mean of the first observer": lambda v: float(v[:, 1].mean()),
        "mean error": lambda v: float((v[:, 0] - v[:, 1]).mean()),
        "mean absolute error": lambda v: float(np.abs(v[:, 0] - v[:, 1]).mean()),
        "mean absolute error of the second observer": lambda v: float(np.abs(v[:, 2] - v[:, 1]).mean()),
        "correlation": lambda v: _correlation(v[:, 0], v[:, 1]),
        "correlation of the second observer": lambda v: _correlation(v[:, 2], v[:, 1]),
    }
    made = {what: _over_children(rows, values, statistic) for what, statistic in of.items()}
    made["coverage of the 90 % interval, folds left out"] = _share(covered(rows, name))
    return made


def lines(rows: Sequence[Row]) -> list[str]:
    """All figures, one a line."""
    told = [line(name, _three(f), int(f["n"])) for name, f in figures(rows).items()]
    for name in UNITS:
        told.append(name.replace("_", " "))
        told += [line(what, _three(f), int(f["n"]), 4) for what, f in measure_figures(rows, name).items()]
    return told


def _over_children(rows: Sequence[Row], values: Floats, statistic: Callable[[Floats], float]) -> dict[str, float | int]:
    found = bootstrap_groups(values, [r.child for r in rows], statistic)
    value, low, high = (float(f"{v:.{DIGITS}g}") for v in found)
    return {"value": value, "low": low, "high": high, "n": len(rows)}


def _share(hits: Sequence[bool]) -> dict[str, float | int]:
    """Share of True with its exact 95 % interval (Clopper and Pearson)."""
    low, high = clopper_pearson(sum(hits), len(hits))
    return {"value": round(float(np.mean(hits)), 4), "low": round(low, 4), "high": round(high, 4), "n": len(hits)}


def _mean(values: Floats) -> float:
    return float(values.mean())


def _correlation(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")


def _three(found: dict[str, float | int]) -> tuple[float, float, float]:
    return found["value"], found["low"], found["high"]
