"""Figures with their uncertainty: bootstrap intervals, Clopper-Pearson bounds, Brier, calibration slope, ECE."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
BINS = 10


def bootstrap(
    values: Floats,
    statistic: Callable[[Floats], float] = np.mean,
    *,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Statistic of `values`, with the percentile interval of its bootstrap over rows.

    Args:
        values: Shape (n,) or (n, k); rows are drawn with replacement.
        statistic: Maps such an array to one number.
        draws: Bootstrap samples.
        level: Of the interval.
        seed: Of the draws.

    Returns:
        (estimate, low, high); all NaN when there is no row.
    """
    if len(values) == 0:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = [float(statistic(values[rng.integers(0, len(values), len(values))])) for _ in range(draws)]
    tail = (1 - level) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return float(statistic(values)), float(low), float(high)


def clopper_pearson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share (Clopper and Pearson, Biometrika 1934;26:404)."""
    if n == 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(stats.beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


def upper_bound(wrong: int, n: int, level: float = 0.95) -> float:
    """One-sided Clopper-Pearson upper bound of a share; 1.0 for n = 0."""
    return 1.0 if n == 0 or wrong == n else float(stats.beta.ppf(level, wrong + 1, n - wrong))


def brier(probability: Floats, truth: Bools) -> float:
    """Mean squared difference of probability and outcome (Brier, Mon Weather Rev 1950;78:1)."""
    return float(np.mean((probability - truth) ** 2))


def brier_of_base_rate(truth: Bools) -> float:
    """Brier score of always saying the prevalence of these rows."""
    rate = truth.mean()
    return float(rate * (1 - rate))


def calibration_slope(probability: Floats, truth: Bools) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of the outcome on the log-odds (Cox, Biometrika 1958;45:562).

    A slope of 1 is calibrated, below 1 too sure. Fitted by Newton steps with a weak ridge (1e-3) on both, so that
    separable rows still give a finite slope.
    """
    x = special.logit(np.clip(probability, 1e-6, 1 - 1e-6))
    design = np.stack([x, np.ones_like(x)], axis=1)

    def loss(beta: Floats) -> float:
        z = design @ beta
        return float(np.logaddexp(0.0, z).sum() - z[truth].sum() + 5e-4 * beta @ beta)

    beta = np.array([1.0, 0.0])
    for _ in range(50):
        p = special.expit(design @ beta)
        gradient = design.T @ (truth - p) - 1e-3 * beta
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        before = loss(beta)
        while loss(beta + step) > before + 1e-12 and np.abs(step).max() > 1e-8:
            step = step / 2  # a full step overshoots where most rows are too sure
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[0]), float(beta[1])


def ece(probability: Floats, truth: Bools, bins: int = BINS) -> float:
    """Expected calibration error over equal-width bins (Naeini, AAAI 2015)."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    total = 0.0
    for one in range(bins):
        rows = index == one
        if rows.any():
            total += rows.mean() * abs(probability[rows].mean() - truth[rows].mean())
    return float(total)


def ece_when_perfect(probability: Floats, *, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Central 95 % range of the ECE if every probability were exactly right, for the same n and the same spread."""
    rng = np.random.default_rng(seed)
    drawn = [ece(probability, rng.random(len(probability)) < probability) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def dice(a: Bools, b: Bools) -> float:
    """Dice overlap of two masks; 1.0 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 1.0 if total == 0 else 2.0 * float((a & b).sum()) / total


def mask_ctr(right_lung: Bools, left_lung: Bools, heart: Bools) -> float:
    """Widest heart over widest lungs, by bounding columns of shape (rows, columns) masks."""
    heart_columns = np.flatnonzero(heart.any(axis=0))
    lung_columns = np.flatnonzero((right_lung | left_lung).any(axis=0))
    return float(heart_columns[-1] - heart_columns[0] + 1) / float(lung_columns[-1] - lung_columns[0] + 1)
