"""Figures with intervals: shares, area under the curve, Platt scaling, thresholds."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]


def share(flags: Flags) -> dict[str, float | int]:
    """Share of true flags with its 95 % Wilson interval.

    Source:
        Wilson, J Am Stat Assoc 1927;22:209.
    """
    n, k, z = len(flags), int(np.sum(flags)), 1.959964
    if n == 0:
        return {"n": 0}
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return {
        "n": n,
        "value": round(p, 4),
        "low": round(max(0.0, middle - half), 4),
        "high": round(min(1.0, middle + half), 4),
    }


def area(scores: Floats, positive: Flags, groups: list[str], draws: int = 400) -> dict[str, float | int]:
    """Area under the ROC curve with a 95 % interval from resampled groups (patients)."""
    names, index = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(index == i) for i in range(len(names))]
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(draws):
        chosen = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        if 0 < positive[chosen].sum() < len(chosen):
            drawn.append(_area(scores[chosen], positive[chosen]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {
        "n": len(scores),
        "value": round(_area(scores, positive), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def _area(scores: Floats, positive: Flags) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    k = int(positive.sum())
    return float((ranks[positive].sum() - k * (k + 1) / 2) / (k * (len(scores) - k)))


def platt(scores: Floats, positive: Flags) -> tuple[float, float]:
    """Slope and intercept of the logistic curve, both classes weighing the same (a flat prior)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e3, class_weight="balanced").fit(scores[:, None], positive)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def sigmoid(scores: Floats, slope: float, intercept: float) -> Floats:
    """Probabilities of log-odds under a fitted curve."""
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * scores + intercept, -40, 40))))


def calibration_error(probabilities: Floats, positive: Flags, bins: int = 10) -> float:
    """Mean gap between stated probability and observed share over equal-width bins; both classes weigh the same."""
    weight = np.where(positive, 0.5 / max(1, positive.sum()), 0.5 / max(1, (~positive).sum()))
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gap = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            w = weight[inside]
            gap += abs(float(np.sum(w * (probabilities[inside] - positive[inside]))))
    return round(gap, 4)
