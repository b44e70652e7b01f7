"""A calibration record from scores with truth: the map on all rows, its figures on folds left out by group."""

import datetime
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.calibration.drift import reference
from secondread.evals.calibration.methods import fit
from secondread.evals.metrics import brier, brier_of_base_rate, calibration_slope, ece, ece_when_perfect
from secondread.evals.out_of_fold import bootstrap_groups
from secondread.schema.errors import InputError
from secondread.schema.evidence import CalibrationRecord
from secondread.tools.calibrators import applied

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FOLDS = 5
LEAST = 20
"""Rows below which nothing is fitted."""
DRAWS = 1000
"""Bootstrap samples."""


def fitted(
    name: str,
    method: str,
    score: Floats,
    label: Bools,
    group: Sequence[str],
    *,
    about: str,
    features: dict[str, Floats] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> CalibrationRecord:
    """Fit a map and measure it.

    Args:
        name: Of the record, the first part of its id.
        method: See `evals.calibration.methods`.
        score: Shape (n,).
        label: Shape (n,), whether what the score speaks for is so.
        group: One per row; a group is never split over folds.
        about: Where the rows come from, in words.
        features: Columns whose range is kept for drift warnings, shape (n,) each.
        seed: Of the folds.
        draws: Bootstrap samples of the figures.

    Raises:
        InputError: Too few rows or groups, or one class only.
        UsageError: The method does not exist or does not fit the scores.
    """
    if len(score) < LEAST:
        raise InputError(f"{len(score)} rows are too few for a calibration.", hint=f"Give {LEAST} or more.")
    if label.all() or not label.any():
        raise InputError("All rows have the same label, so nothing can be calibrated.")
    probabilities = bool((score >= 0).all() and (score <= 1).all())
    folds = folds_of(label, group, seed)
    out = np.full(len(score), np.nan)
    for fold in np.unique(folds):
        mine = folds == fold
        others = label[~mine]
        if others.all() or not others.any():
            raise InputError("One class lies in a single group, so folds cannot be left out.")
        out[mine] = mapped(_record(name, fit(method, score[~mine], others, probabilities=probabilities)), score[mine])
    whole = fit(method, score, label, probabilities=probabilities)
    figures = figures_of(out, label, group, raw=score if probabilities else None, draws=draws)
    columns = {"score": score, **(features or {})}
    rows = "\n".join(sorted(f"{g},{s!r},{int(y)}" for g, s, y in zip(group, score.tolist(), label, strict=True)))
    return CalibrationRecord(
        name=name,
        method=f"{method} map on all rows; figures on {FOLDS} folds left out by group",
        data=about,
        data_sha256=hashlib.sha256(rows.encode()).hexdigest(),
        date=datetime.date.today().isoformat(),
        n=len(score),
        parameters={
            "map": whole,
            "fit_prevalence": round(float(label.mean()), 6),
            "groups": len(set(group)),
            "reference": {key: reference(values) for key, values in columns.items()},
        },
        figures=figures,
    )


def folds_of(label: Bools, group: Sequence[str], seed: int = 0) -> NDArray[np.int64]:
    """Fold 0..4 of every row, groups whole and classes spread as evenly as they allow.

    Raises:
        InputError: Fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if len(set(group)) < FOLDS:
        raise InputError(f"{len(set(group))} groups cannot be spread over {FOLDS} folds.")
    folds = np.zeros(len(label), np.int64)
    split = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(label, label, list(group))
    for number, (_, test) in enumerate(split):
        folds[test] = number
    return folds


def figures_of(
    p: Floats, label: Bools, group: Sequence[str], *, raw: Floats | None = None, draws: int = DRAWS
) -> dict[str, Any]:
    """Brier, ECE and slope of probabilities with 95 % bootstrap intervals over groups.

    Args:
        p: Shape (n,), each from rows of other groups.
        label: Shape (n,).
        group: One per row.
        raw: The uncalibrated probabilities, for their Brier score beside it.
        draws: Bootstrap samples.
    """
    pairs = np.stack([p, label.astype(float)], axis=1)
    low, high = ece_when_perfect(p, draws=draws)
    found: dict[str, Any] = {
        "n": len(p),
        "prevalence": round(float(label.mean()), 5),
        "brier": _rounded(bootstrap_groups(pairs, group, lambda d: brier(d[:, 0], d[:, 1] > 0.5), draws=draws)),
        "brier_base_rate": round(brier_of_base_rate(label), 5),
        "calibration_slope": _rounded(
            bootstrap_groups(
                pairs, group, lambda d: calibration_slope(d[:, 0], d[:, 1] > 0.5)[0], draws=max(draws // 2, 1)
            )
        ),
        "ece": [round(ece(p, label), 5), round(low, 5), round(high, 5)],
        "ece_interval_is": "central 95 % range of a perfectly calibrated model of the same n and probabilities",
    }
    if raw is not None:
        found["brier_uncalibrated"] = round(brier(raw, label), 5)
    return found


def mapped(record: CalibrationRecord, score: Floats) -> Floats:
    """Probabilities of scores, shape (n,)."""
    return np.array([applied(record, float(s)) for s in score], float)


def _record(name: str, found: dict[str, Any]) -> CalibrationRecord:
    return CalibrationRecord(name=name, method="", data="", data_sha256="", date="", n=1, parameters={"map": found})


def _rounded(values: tuple[float, float, float]) -> list[float]:
    return [round(v, 5) for v in values]
