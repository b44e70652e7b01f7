"""Several tools on one finding: their calibrated words become one belief, and a conflict stays visible."""

from collections.abc import Mapping, Sequence

from secondread.agent.beliefs import Term, combine, logit
from secondread.agent.judging.judgement import Judgement, Outcome
from secondread.agent.planners.base import Belief
from secondread.schema.evidence import Evidence


def together(made: Sequence[Judgement], ledger: Mapping[str, Evidence], cutoff: float) -> Judgement:
    """One judgement from those of several tools on the same proposition.

    A fact stands by itself. Calibrated verdicts add up as log-odds from a flat prior, the strongest of each network
    counting once; tools that share no weights are taken as independent. Below `cutoff` either way there is no verdict,
    and the reason names who says what.

    Args:
        made: One per tool, none of them empty.
        ledger: Evidence by id.
        cutoff: P(right) that a verdict of tools which disagree needs.
    """
    decided = [j for j in made if j.outcome in ("yes", "no")]
    fact = next((j for j in decided if j.belief.probability is None), None)
    if fact is not None or len(decided) < 2:
        return fact or next(iter(decided), made[0])
    terms = [
        Term(
            group=ledger[j.evidence[0]].weights or ledger[j.evidence[0]].tool,
            log_ratio=logit(j.belief.probability or 0.0),
            evidence=j.evidence,
            source=ledger[j.evidence[0]].tool,
        )
        for j in decided
    ]
    found = combine(terms, prior=0.5)
    p = found.probability
    agree = len({j.outcome for j in decided}) == 1
    outcome: Outcome = "yes" if p > 0.5 else "no"
    names = ", ".join(f"{ledger[j.evidence[0]].tool} {j.belief.probability:.2f}" for j in decided)
    if not agree and max(p, 1 - p) < cutoff:
        outcome = "indeterminate"
    # The tools that say what comes out are cited first.
    ordered = sorted(decided, key=lambda j: j.outcome != outcome)
    evidence = tuple(dict.fromkeys(e for j in ordered for e in j.evidence))
    reasons = () if outcome != "indeterminate" else (f"the tools disagree ({names})",)
    return ordered[0].model_copy(
        update={
            "outcome": outcome,
            "belief": Belief(
                probability=p,
                log_odds=found.log_odds,
                method=f"{'; '.join(j.belief.method for j in ordered)}; combined, flat prior, {names}",
                polarity="uncertain" if outcome == "indeterminate" else "present" if outcome == "yes" else "absent",
                evidence=evidence,
                contradiction=found.contradiction,
                reason="; ".join(reasons),
            ),
            "evidence": evidence,
            "reasons": reasons,
            "caveats": () if agree else (f"the tools disagree: {names}",),
        }
    )
