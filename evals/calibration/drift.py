"""Whether inputs still look like those of a fit: range, population stability index and Kolmogorov-Smirnov distance.

The reference of a column is its 101 percentiles, so that no row of the fit is kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from secondread.schema.errors import InputError
from secondread.schema.evidence import CalibrationRecord
from secondread.schema.record import Record

Floats = NDArray[np.float64]
PERCENTILES = 101
BINS = 10
PSI_WARNS = 0.25
"""Population stability index read as a shift by its usual rule (Siddiqi, Credit Risk Scorecards, 2006); 0.1 to 0.25
counts as small."""
LEVEL = 0.01
"""Of the Kolmogorov-Smirnov test, divided by the number of columns."""
LEAST = 30
"""Rows below which only the range is checked."""


class Drift(Record):
    """What one column shows."""

    column: str
    n: int
    outside: float
    """Share of rows outside the range of the fit."""
    psi: float | None = None
    ks: float | None = None
    p: float | None = None
    """Of the Kolmogorov-Smirnov test, approximate, as the reference is made of percentiles."""
    warns: tuple[str, ...] = ()


def reference(values: Floats) -> dict[str, Any]:
    """What is kept of a column: its percentiles and how many rows they are of."""
    found = np.quantile(values, np.linspace(0, 1, PERCENTILES))
    return {"n": len(values), "percentiles": [float(f"{v:.6g}") for v in found]}


def drift(record: CalibrationRecord, columns: dict[str, Floats]) -> list[Drift]:
    """Every column of the fit against new rows.

    Args:
        record: Made by `evals.calibration.fit`.
        columns: Name -> values, shape (n,).

    Raises:
        InputError: The record keeps no reference, or a column of it is missing.
    """
    held = record.parameters.get("reference")
    if not isinstance(held, dict) or not held:
        raise InputError(f"The calibration {record.name} keeps no reference of its inputs.")
    missing = sorted(set(held) - set(columns))
    if missing:
        raise InputError(f"The rows lack {', '.join(missing)}, which the calibration was fitted with.")
    return [_one(name, held[name], columns[name], LEVEL / len(held)) for name in sorted(held)]


def _one(name: str, held: dict[str, Any], values: Floats, level: float) -> Drift:
    marks = np.array(held["percentiles"], float)
    slack = 1e-5 * max(1.0, float(np.abs(marks).max()))  # percentiles are kept to six digits
    outside = float(np.mean((values < marks[0] - slack) | (values > marks[-1] + slack)))
    warns = [f"{outside:.0%} of {len(values)} rows lie outside the range of the fit"] if outside > 0 else []
    if len(values) < LEAST:
        return Drift(column=name, n=len(values), outside=outside, warns=tuple(warns))
    psi = stability_index(marks, values)
    statistic = _distance(marks, values)
    # Two-sample form with the size of the fit: the percentiles stand for its empirical distribution
    effective = len(values) * held["n"] / (len(values) + held["n"])
    p = float(stats.kstwobign.sf(np.sqrt(effective) * statistic))
    if psi > PSI_WARNS:
        warns.append(f"population stability index {psi:.2f}, above {PSI_WARNS}")
    if p < level:
        warns.append(f"Kolmogorov-Smirnov distance {statistic:.2f}, p {p:.2g}")
    return Drift(column=name, n=len(values), outside=outside, psi=psi, ks=statistic, p=p, warns=tuple(warns))


def stability_index(marks: Floats, values: Floats) -> float:
    """Sum over deciles of the fit of (new - old share) ln(new / old), shares not below half a row."""
    edges = np.unique(np.quantile(marks, np.linspace(0, 1, BINS + 1))[1:-1])
    old = np.bincount(np.searchsorted(edges, marks, side="right"), minlength=len(edges) + 1) / len(marks)
    new = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) / len(values)
    old, new = np.maximum(old, 0.5 / len(marks)), np.maximum(new, 0.5 / len(values))
    return float(np.sum((new - old) * np.log(new / old)))


def _distance(marks: Floats, values: Floats) -> float:
    """Largest distance between the empirical distribution of the values and that of the percentiles."""
    return float(stats.ks_2samp(values, marks, method="asymp").statistic)
