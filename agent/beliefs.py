"""Evidence -> probability: log-odds terms, one per source group, capped by quality, contradictions kept visible."""

import math
from collections.abc import Sequence

from secondread.schema.evidence import Polarity
from secondread.schema.record import Record
from secondread.schema.units import Probability

CONTRADICTION_LOG_ODDS = math.log(3.0)
"""Two terms contradict each other when both lean at least this far to opposite sides (odds of 3 to 1)."""


class Term(Record):
    """One piece of calibrated evidence, as a log likelihood ratio in favour of presence."""

    group: str
    """Backbone or data set; within a group only the strongest term counts."""
    log_ratio: float
    evidence: tuple[str, ...]
    source: str


class Combined(Record):
    """A belief and what it rests on."""

    probability: Probability
    log_odds: float
    terms: tuple[Term, ...]
    """The terms that counted, one per group."""
    capped: bool
    contradiction: bool

    @property
    def polarity(self) -> Polarity:
        """The side the belief leans to; uncertain at exactly even odds."""
        if self.log_odds == 0:
            return "uncertain"
        return "present" if self.log_odds > 0 else "absent"


def logit(probability: float, *, floor: float = 1e-6) -> float:
    """Log-odds of a probability clipped to [floor, 1 - floor]."""
    p = min(max(probability, floor), 1 - floor)
    return math.log(p / (1 - p))


def sigmoid(log_odds: float) -> float:
    """Probability of log-odds, without overflow."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


def likelihood_ratio(probability: float, fit_prevalence: float) -> float:
    """Log likelihood ratio of a calibrated probability: its log-odds less those of the prevalence it was fitted at."""
    return logit(probability) - logit(fit_prevalence)


def combine(terms: Sequence[Term], *, prior: float = 0.5, cap: float | None = None) -> Combined:
    """Posterior of one proposition: prior log-odds + the strongest term of each group, |sum| limited to `cap`.

    Groups are taken as independent given the truth; sources that share a backbone or a data set must therefore
    share a group. A term that does not count, because a stronger one of its group does, still shows a contradiction.
    """
    strongest: dict[str, Term] = {}
    for term in terms:
        held = strongest.get(term.group)
        if held is None or abs(term.log_ratio) > abs(held.log_ratio):
            strongest[term.group] = term
    used = tuple(sorted(strongest.values(), key=lambda t: t.group))
    total = logit(prior) + sum(t.log_ratio for t in used)
    capped = cap is not None and abs(total) > cap
    if cap is not None and capped:
        total = math.copysign(cap, total)
    return Combined(
        probability=sigmoid(total),
        log_odds=total,
        terms=used,
        capped=capped,
        contradiction=any(t.log_ratio >= CONTRADICTION_LOG_ODDS for t in terms)
        and any(t.log_ratio <= -CONTRADICTION_LOG_ODDS for t in terms),
    )
