"""Figures of a cross-validation: bootstrap over groups, conformal quantiles, and what these cover on folds left out."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import clopper_pearson

Floats = NDArray[np.float64]


def bootstrap_groups(
    values: Floats,
    groups: Sequence[str],
    statistic: Callable[[Floats], float] = np.mean,
    *,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Statistic of `values` with the percentile interval of its bootstrap over groups of rows.

    Args:
        values: Shape (n,) or (n, k).
        groups: One per row; whole groups are drawn with replacement.
        statistic: Maps such an array to one number.
        draws: Bootstrap samples.
        level: Of the interval.
        seed: Of the draws.

    Returns:
        (estimate, low, high); all NaN when there is no row.
    """
    if len(values) == 0:
        return float("nan"), float("nan"), float("nan")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    rows_of = [np.flatnonzero(index == i) for i in range(len(names))]
    rng = np.random.default_rng(seed)
    drawn = [
        float(statistic(values[np.concatenate([rows_of[g] for g in rng.integers(0, len(names), len(names))])]))
        for _ in range(draws)
    ]
    tail = (1 - level) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return float(statistic(values)), float(low), float(high)


def conformal_quantile(scores: Floats, level: float) -> float:
    """The score of rank ceil((n + 1) * level): the next score is below it with probability `level` or more.

    Split conformal prediction (Vovk, Gammerman and Shafer 2005); infinite when there are too few scores.
    """
    rank = math.ceil((len(scores) + 1) * level)
    return float("inf") if rank > len(scores) else float(np.sort(scores)[rank - 1])


def coverage(
    scores: Floats, folds: Sequence[int], level: float, kinds: Sequence[str] | None = None
) -> tuple[float, float, float]:
    """Share of rows whose score is at most the conformal quantile of the other folds, with its 95 % interval.

    Args:
        scores: Shape (n,).
        folds: One per row.
        level: Of the quantile.
        kinds: One per row; each kind has its own quantile. None: one for all.
    """
    which = np.asarray(folds)
    kind = np.asarray(kinds if kinds is not None else ["all"] * len(scores))
    inside = 0
    for fold in np.unique(which):
        for one in np.unique(kind):
            rows, others = (which == fold) & (kind == one), (which != fold) & (kind == one)
            inside += int((scores[rows] <= conformal_quantile(scores[others], level)).sum())
    return (inside / len(scores), *clopper_pearson(inside, len(scores)))


def line(name: str, value: tuple[float, float, float], n: int, digits: int = 3) -> str:
    """One printed figure."""
    return f"  {name:<62} {value[0]:.{digits}f}  [{value[1]:.{digits}f}, {value[2]:.{digits}f}]  n = {n}"


def kept_line(name: str, found: Mapping[str, float | int]) -> str:
    """One printed figure from what `figure` made of it."""
    span = f"  [{found['low']:.3f}, {found['high']:.3f}]" if "low" in found else ""
    return f"  {name:<73} {found['value']:.3f}{span}  n = {found['n']}"


def figure(value: tuple[float, float, float], n: int) -> dict[str, float | int]:
    """One figure as the manifests keep it; without an interval when its ends are NaN."""
    if math.isnan(value[1]):
        return {"value": round(value[0], 4), "n": n}
    return {"value": round(value[0], 4), "low": round(value[1], 4), "high": round(value[2], 4), "n": n}
