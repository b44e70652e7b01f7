"""The targets of one sheet, with n and 95 % intervals, and whether each is met."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import (
    brier,
    brier_of_base_rate,
    calibration_slope,
    clopper_pearson,
    ece,
    ece_when_perfect,
)
from secondread.evals.out_of_fold import bootstrap_groups
from secondread.evals.trust.rows import Row, Sheet
from secondread.schema.record import Record

Floats = NDArray[np.float64]
DRAWS = 1000
POINT = 0.01


class Target(Record):
    """One figure and what it must reach."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int
    needs: str = ""
    """Empty: reported only."""
    met: bool | None = None
    """None: no target."""


def targets(sheet: Sheet, split: str, draws: int = DRAWS) -> list[Target]:
    """Figures of one split; empty when it has no row.

    Args:
        sheet: Rows of one question or interval.
        split: `out_of_fold` or `val`.
        draws: Bootstrap samples.
    """
    rows = [r for r in sheet.rows if r.split == split]
    if not rows:
        return []
    if sheet.level is not None:
        return [_coverage(sheet, rows)]
    return _probabilities([r for r in rows if r.probability is not None and r.truth is not None], draws) + _answers(
        rows
    )


def _coverage(sheet: Sheet, rows: Sequence[Row]) -> Target:
    level = sheet.level or 0.0
    inside = sum(_inside(r) for r in rows)
    low, high = clopper_pearson(inside, len(rows))
    generated = sheet.name.startswith("generated")
    share = inside / len(rows)
    return Target(
        name=f"coverage of the {level:.0%} interval",
        value=share,
        low=low,
        high=high,
        n=len(rows),
        needs=f"within 1 point of {level:.2f}" if generated else f"interval contains {level:.2f}",
        met=abs(share - level) <= POINT if generated else low <= level <= high,
    )


def _inside(row: Row) -> bool:
    if row.low is not None and row.high is not None and row.target is not None:
        return row.low <= row.target <= row.high
    return bool(row.right)


def _probabilities(rows: Sequence[Row], draws: int) -> list[Target]:
    if not rows:
        return []
    p = np.array([r.probability for r in rows], float)
    y = np.array([r.truth for r in rows], bool)
    raw = np.array([r.raw if r.raw is not None else np.nan for r in rows], float)
    groups = [r.group for r in rows]
    n = len(rows)
    both = np.stack([p, raw, y.astype(float)], axis=1)
    own, low, high = bootstrap_groups(both, groups, lambda d: brier(d[:, 0], d[:, 2] > 0.5), draws=draws)
    base = brier_of_base_rate(y)
    made = [Target(name="share of yes", value=float(y.mean()), n=n)]
    made.append(
        Target(
            name="Brier", value=own, low=low, high=high, n=n, needs=f"below the base rate {base:.4f}", met=own < base
        )
    )
    if not np.isnan(raw).any():
        off = brier(raw, y)
        gain = bootstrap_groups(
            both, groups, lambda d: brier(d[:, 1], d[:, 2] > 0.5) - brier(d[:, 0], d[:, 2] > 0.5), draws=draws
        )
        made.append(
            Target(
                name=f"Brier of the uncalibrated score ({off:.4f}) less that", value=gain[0], low=gain[1], high=gain[2],
                n=n, needs="above 0", met=gain[0] > 0,
            )
        )  # fmt: skip
    if 0 < y.sum() < n:
        slope = bootstrap_groups(
            both, groups, lambda d: calibration_slope(d[:, 0], d[:, 2] > 0.5)[0], draws=max(draws // 2, 1)
        )
        made.append(
            Target(
                name="calibration slope", value=slope[0], low=slope[1], high=slope[2], n=n, needs="interval contains 1",
                met=slope[1] <= 1 <= slope[2],
            )
        )  # fmt: skip
    found = ece(p, y)
    least, most = ece_when_perfect(p, draws=draws)
    made.append(
        Target(
            name="ECE (in brackets: if perfectly calibrated)", value=found, low=least, high=most, n=n,
            needs="not above that range", met=found <= most,
        )
    )  # fmt: skip
    return made


def _answers(rows: Sequence[Row]) -> list[Target]:
    """Answered share and accuracy, of rows that went through the agent."""
    asked = [r for r in rows if r.answered is not None]
    if not asked:
        return []
    answered = [r for r in asked if r.answered]
    right = sum(bool(r.right) for r in answered)
    low, high = clopper_pearson(len(answered), len(asked))
    made = [Target(name="answered share", value=len(answered) / len(asked), low=low, high=high, n=len(asked))]
    if answered:
        low, high = clopper_pearson(right, len(answered))
        made.append(
            Target(name="accuracy of answered", value=right / len(answered), low=low, high=high, n=len(answered))
        )
    return made


def line(found: Target) -> str:
    """One printed target."""
    span = f"  [{found.low:.4f}, {found.high:.4f}]" if found.low is not None and found.high is not None else ""
    verdict = "" if found.met is None else f"  {'met' if found.met else 'NOT MET'}: {found.needs}"
    return f"  {found.name:<58} {found.value:.4f}{span}  n = {found.n}{verdict}"
