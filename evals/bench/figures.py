"""Means, shares and their intervals as figures."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.evals.bench.item import Figure
from secondread.evals.metrics import clopper_pearson
from secondread.evals.out_of_fold import bootstrap_groups

Floats = NDArray[np.float64]
DRAWS = 1000
BOOTSTRAP = "95 % percentile bootstrap over groups"
WILSON = "95 % Wilson interval"
EXACT = "95 % Clopper-Pearson interval"


def mean_figure(name: str, values: Sequence[float], groups: Sequence[str]) -> Figure:
    """The mean with a bootstrap over groups; no value when there is no row."""
    return statistic_figure(name, np.asarray(values, float), groups, lambda v: float(np.mean(v)))


def statistic_figure(
    name: str, values: Floats, groups: Sequence[str], statistic: Callable[[Floats], float], draws: int = DRAWS
) -> Figure:
    """Any statistic of rows with a bootstrap over groups of rows."""
    if len(values) == 0:
        return Figure(name=name, value=None, n=0)
    found, low, high = bootstrap_groups(values, groups, statistic, draws=draws)
    return Figure(name=name, value=finite(found), low=finite(low), high=finite(high), n=len(values), method=BOOTSTRAP)


def share_figure(name: str, hits: int, n: int) -> Figure:
    """A share of independent rows with the Wilson interval (Wilson, J Am Stat Assoc 1927;22:209)."""
    if n == 0:
        return Figure(name=name, value=None, n=0)
    low, high = wilson(hits, n)
    return Figure(name=name, value=hits / n, low=low, high=high, n=n, method=WILSON)


def exact_figure(name: str, hits: int, n: int) -> Figure:
    """A share with the Clopper-Pearson interval."""
    if n == 0:
        return Figure(name=name, value=None, n=0)
    low, high = clopper_pearson(hits, n)
    return Figure(name=name, value=hits / n, low=low, high=high, n=n, method=EXACT)


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a share; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    p, shrink = hits / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / shrink
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink
    return max(0.0, middle - half), min(1.0, middle + half)


def plain(name: str, value: float, n: int) -> Figure:
    """A figure without an interval."""
    return Figure(name=name, value=finite(value), n=n)


def finite(value: float) -> float | None:
    """The number, or None when it is not finite."""
    return float(value) if math.isfinite(value) else None
