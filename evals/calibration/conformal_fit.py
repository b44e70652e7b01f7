"""Calibration records of conformal sets, cut-offs and intervals: limits from all rows, figures from folds left out."""

import datetime
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from secondread.evals.calibration import conformal
from secondread.evals.calibration.conformal import Bools, Floats
from secondread.evals.calibration.drift import reference
from secondread.evals.calibration.fit import FOLDS, LEAST, folds_of
from secondread.schema.errors import InputError
from secondread.schema.evidence import CalibrationRecord

Kind = Literal["set", "risk"]


def fitted_verdicts(
    name: str,
    kind: Kind,
    p_yes: Floats,
    truth: Bools,
    group: Sequence[str],
    level: float,
    *,
    by_class: bool,
    about: str,
) -> CalibrationRecord:
    """Sets at a coverage, or cut-offs at a risk.

    Args:
        name: Of the record.
        kind: `set` or `risk`.
        p_yes: Shape (n,), in [0, 1].
        truth: Shape (n,).
        group: One per row; never split over folds.
        level: Coverage of sets, or the risk.
        by_class: Guarantee within yes and within no.
        about: Where the rows come from.

    Raises:
        InputError: Too few rows or groups, one class only, or scores that are no probabilities.
    """
    if len(p_yes) < LEAST:
        raise InputError(f"{len(p_yes)} rows are too few for a conformal fit.", hint=f"Give {LEAST} or more.")
    if truth.all() or not truth.any():
        raise InputError("All rows have the same label, so nothing can be fitted.")
    if ((p_yes < 0) | (p_yes > 1)).any():
        raise InputError("Scores must be probabilities of yes, 0 to 1.", hint="Fit a map first: --method platt.")
    folds = folds_of(truth, group)
    parameters: dict[str, Any]
    if kind == "set":
        parts: list[tuple[str, ...]] = [()] * len(p_yes)
        for fold in np.unique(folds):
            limits = conformal.sets(p_yes[folds != fold], truth[folds != fold], level, by_class=by_class)
            for row in np.flatnonzero(folds == fold):
                parts[row] = limits.of(float(p_yes[row]))
        figures = conformal.set_figures(parts, truth)
        parameters = {"sets": conformal.sets(p_yes, truth, level, by_class=by_class).model_dump()}
        method = f"split conformal sets at {level:g}"
    else:
        answered = np.zeros(len(p_yes), bool)
        for fold in np.unique(folds):
            cut = conformal.abstention(p_yes[folds != fold], truth[folds != fold], level, by_class=by_class)
            for row in np.flatnonzero(folds == fold):
                answered[row] = cut.answers(float(p_yes[row]))
        figures = conformal.abstention_figures(answered, (p_yes >= 0.5) == truth, truth)
        parameters = {"cutoffs": conformal.abstention(p_yes, truth, level, by_class=by_class).model_dump()}
        method = f"conformal risk control of P(answered and wrong) <= {level:g}"
    parameters["reference"] = {"score": reference(p_yes)}
    rows = [f"{g},{p!r},{int(y)}" for g, p, y in zip(group, p_yes.tolist(), truth, strict=True)]
    return _record(name, method + (", by class" if by_class else ""), about, rows, parameters, figures)


def fitted_intervals(
    name: str,
    low: Floats,
    high: Floats,
    target: Floats,
    group: Sequence[str],
    level: float,
    *,
    kinds: Sequence[str] | None,
    about: str,
) -> CalibrationRecord:
    """Widening of given intervals.

    Args:
        name: Of the record.
        low: Shape (n,).
        high: Shape (n,).
        target: Shape (n,).
        group: One per row; never split over folds.
        level: Coverage.
        kinds: One per row; each kind has its own widening.
        about: Where the rows come from.

    Raises:
        InputError: Too few rows or groups, or an interval whose ends are swapped.
    """
    if len(low) < LEAST:
        raise InputError(f"{len(low)} rows are too few for a conformal fit.", hint=f"Give {LEAST} or more.")
    if (low > high).any():
        raise InputError(f"In {int((low > high).sum())} rows the low end lies above the high end.")
    folds = folds_of(target > np.median(target), group)
    kind = list(kinds) if kinds is not None else [conformal.ANY] * len(low)
    found: list[tuple[float, float] | None] = [None] * len(low)
    for fold in np.unique(folds):
        rest = folds != fold
        others = conformal.widening(
            low[rest], high[rest], target[rest], level, [k for k, r in zip(kind, rest, strict=True) if r]
        )
        for row in np.flatnonzero(~rest):
            found[row] = others.of(float(low[row]), float(high[row]), kind[row])
    whole = conformal.widening(low, high, target, level, kind)
    parameters = {"widening": whole.model_dump(), "reference": {"low": reference(low), "high": reference(high)}}
    rows = [
        f"{g},{a!r},{b!r},{y!r}" for g, a, b, y in zip(group, low.tolist(), high.tolist(), target.tolist(), strict=True)
    ]
    figures = dict(conformal.interval_figures(found, target))
    return _record(name, f"conformalised intervals at {level:g}", about, rows, parameters, figures)


def _record(
    name: str, method: str, about: str, rows: Sequence[str], parameters: dict[str, Any], figures: dict[str, Any]
) -> CalibrationRecord:
    return CalibrationRecord(
        name=name,
        method=f"{method}; figures on {FOLDS} folds left out by group",
        data=about,
        data_sha256=hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest(),
        date=datetime.date.today().isoformat(),
        n=len(rows),
        parameters=parameters,
        figures=figures,
    )
