"""Conformal prediction on scores with truth: sets of verdicts, abstention at a risk, widened intervals.

Ranks come from `evals.out_of_fold.conformal_quantile`. All guarantees hold on average over draws of the fit rows and
the new row together, for new rows exchangeable with them: the same kind of patient, device and question. A bound that
holds for one fit with 95 % confidence is that of `evals.error_fit.risk_table`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import clopper_pearson
from secondread.evals.out_of_fold import conformal_quantile
from secondread.schema.record import Record

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
ANY = "any"
YES, NO = "yes", "no"
NEVER = 1.01
"""A cut-off that no confidence reaches."""


class Sets(Record):
    """Which verdicts cannot be excluded: those whose 1 - P lies at or below the limit of their class."""

    level: float
    limits: dict[str, float | None]
    """By class; None: too few rows of it, so that it is never excluded."""

    def of(self, p_yes: float) -> tuple[str, ...]:
        """The set of a probability of yes; one member is a verdict, two or none are an abstention."""
        return tuple(
            name
            for name, p in ((YES, p_yes), (NO, 1 - p_yes))
            if (limit := self.limits[name]) is None or 1 - p <= limit
        )


def sets(p_yes: Floats, truth: Bools, level: float, *, by_class: bool) -> Sets:
    """Split conformal limits.

    Args:
        p_yes: Shape (n,).
        truth: Shape (n,).
        level: P(the set holds the truth) to reach; with `by_class` within yes and within no.
        by_class: One limit per class (class-conditional, Vovk 2012) instead of one for both.
    """
    miss = np.where(truth, 1 - p_yes, p_yes)
    parts = {YES: miss[truth], NO: miss[~truth]} if by_class else {YES: miss, NO: miss}
    limits = {name: conformal_quantile(part, level) for name, part in parts.items()}
    return Sets(level=level, limits={k: None if np.isinf(v) else v for k, v in limits.items()})


def set_figures(found: Sequence[tuple[str, ...]], truth: Bools) -> dict[str, Any]:
    """Coverage with its Clopper-Pearson interval, overall and by class, mean size, share of single verdicts."""
    inside = np.array([(YES if t else NO) in s for s, t in zip(found, truth, strict=True)], bool)
    told: dict[str, Any] = {"n": len(found)}
    for name, part in ((ANY, inside), (YES, inside[truth]), (NO, inside[~truth])):
        hits = int(part.sum())
        told[f"coverage_{name}"] = [hits / max(len(part), 1), *clopper_pearson(hits, len(part)), len(part)]
    told["mean_size"] = float(np.mean([len(s) for s in found]))
    told["single"] = float(np.mean([len(s) == 1 for s in found]))
    return told


class Cutoffs(Record):
    """Confidence from which a verdict is given."""

    risk: float
    cutoffs: dict[str, float]
    """By verdict, `any` for both; above 1: never."""

    def answers(self, p_yes: float) -> bool:
        """Whether the leading verdict of a probability is given."""
        verdict = YES if p_yes >= 0.5 else NO
        return max(p_yes, 1 - p_yes) >= self.cutoffs.get(verdict, self.cutoffs.get(ANY, NEVER))


def abstention(p_yes: Floats, truth: Bools, risk: float, *, by_class: bool) -> Cutoffs:
    """Lowest cut-off by conformal risk control (Angelopoulos et al., ICLR 2024).

    The loss of a row is 1 when it is answered and wrong; it falls as the cut-off rises, and
    (sum of losses + 1) / (n + 1) <= risk then bounds its expectation on the next row. With `by_class` the loss is
    counted among the rows that truly are the other class: P(yes is stated | no) <= risk, and P(no is stated | yes).

    Args:
        p_yes: Shape (n,).
        truth: Shape (n,).
        risk: Bound on P(answered and wrong).
        by_class: One cut-off per verdict.
    """
    sure, said = np.maximum(p_yes, 1 - p_yes), p_yes >= 0.5
    wrong = said != truth
    if by_class:
        return Cutoffs(
            risk=risk,
            cutoffs={
                YES: _lowest(sure[~truth], (wrong & said)[~truth], risk),
                NO: _lowest(sure[truth], (wrong & ~said)[truth], risk),
            },
        )
    return Cutoffs(risk=risk, cutoffs={ANY: _lowest(sure, wrong, risk)})


def _lowest(sure: Floats, wrong: Bools, risk: float) -> float:
    """The lowest cut-off whose corrected loss keeps the risk; cut-offs are the confidences of the rows."""
    n = len(sure)
    if risk * (n + 1) < 1:
        return NEVER
    allowed = int(np.floor(risk * (n + 1) - 1 + 1e-9))
    lost = np.sort(sure[wrong])[::-1]
    if len(lost) <= allowed:
        return 0.5
    return float(np.nextafter(lost[allowed], 2.0))


def abstention_figures(answered: Bools, right: Bools, truth: Bools) -> dict[str, Any]:
    """Answered share, and how often an answer was wrong: of all rows, of those answered, and within each class."""
    wrong = answered & ~right
    told: dict[str, Any] = {"n": len(answered)}
    for name, hits, n in (
        ("answered", int(answered.sum()), len(answered)),
        ("answered_and_wrong", int(wrong.sum()), len(answered)),
        ("wrong_of_answered", int(wrong.sum()), int(answered.sum())),
        ("answered_and_wrong_of_yes", int(wrong[truth].sum()), int(truth.sum())),
        ("answered_and_wrong_of_no", int(wrong[~truth].sum()), int((~truth).sum())),
    ):
        told[name] = [hits / max(n, 1), *clopper_pearson(hits, n), n]
    return told


class Widening(Record):
    """How far given intervals are moved outwards, by kind; negative: inwards. None: too few rows, no interval."""

    level: float
    by: dict[str, float | None]

    def of(self, low: float, high: float, kind: str = ANY) -> tuple[float, float] | None:
        """The interval after widening; None when its kind has too few rows or shrinks to nothing."""
        margin = self.by.get(kind)
        if margin is None or low - margin > high + margin:
            return None
        return low - margin, high + margin


def widening(low: Floats, high: Floats, target: Floats, level: float, kinds: Sequence[str] | None = None) -> Widening:
    """Conformalised intervals (Romano, Patterson and Candes, NeurIPS 2019): quantile of max(low - y, y - high).

    Args:
        low: Shape (n,); equal to `high` for a bare number, which then gets an absolute-error interval.
        high: Shape (n,).
        target: Shape (n,).
        level: P(the interval holds the next target) to reach.
        kinds: One per row; each kind has its own quantile.
    """
    kind = np.asarray(kinds if kinds is not None else [ANY] * len(low))
    score = np.maximum(low - target, target - high)
    found = {str(k): conformal_quantile(score[kind == k], level) for k in np.unique(kind)}
    return Widening(level=level, by={k: None if np.isinf(v) else v for k, v in found.items()})


def interval_figures(intervals: Sequence[tuple[float, float] | None], target: Floats) -> Mapping[str, Any]:
    """Coverage with its Clopper-Pearson interval and mean width of the rows that have an interval."""
    held = [(i, y) for i, y in zip(intervals, target.tolist(), strict=True) if i is not None]
    hits = sum(i[0] <= y <= i[1] for i, y in held)
    return {
        "n": len(target),
        "with_interval": len(held),
        "coverage": [hits / max(len(held), 1), *clopper_pearson(hits, len(held)), len(held)],
        "mean_width": float(np.mean([i[1] - i[0] for i, _ in held])) if held else None,
    }
