"""Multiple choice: the one choice that the judgements support, or none."""

from collections.abc import Mapping, Sequence

from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Proposition
from secondread.kg.asked import Choice, Question
from secondread.schema.record import Record
from secondread.schema.units import Probability
from secondread.tools.calibrators import calibrator_id
from secondread.tools.measure.error_model import error_model, record


class Chosen(Record):
    """The choice, its label None when none is supported."""

    label: str | None
    text: str = ""
    confidence: Probability | None = None
    method: str = ""
    reason: str = ""


def chosen(
    question: Question, props: Sequence[Proposition], judged: Mapping[str, Judgement], *, cutoff: float
) -> Chosen:
    """The choice that what was found states.

    A range is chosen by the probability mass of the error model inside it; a yes or no by the verdict; a named
    finding when its proposition was judged present and no other choice's was.
    """
    if any(c.low is not None or c.high is not None for c in question.choices):
        return _by_range(question.choices, judged, cutoff)
    fitting = [c for c in question.choices if _states(c, props, judged)]
    if len(fitting) != 1:
        return Chosen(label=None, reason="no single choice is supported by the evidence")
    choice = fitting[0]
    prop = _prop_of(choice, props)
    one = judged[prop.id]
    p = one.belief.probability
    sure = p if p is None or one.outcome == "yes" else 1 - p
    return Chosen(label=choice.label, text=choice.text, confidence=sure, method=one.belief.method)


def _prop_of(choice: Choice, props: Sequence[Proposition]) -> Proposition:
    return next((p for p in props if p.concept == choice.concept), props[0])


def _states(choice: Choice, props: Sequence[Proposition], judged: Mapping[str, Judgement]) -> bool:
    """Whether what was judged is just what the choice states."""
    if not props:
        return False
    if choice.answer is not None:
        prop = _prop_of(choice, props)
        outcome = judged[prop.id].outcome
        if outcome not in ("yes", "no"):
            return False
        said = outcome if prop.asked != "absent" else {"yes": "no", "no": "yes"}[outcome]
        return said == choice.answer
    prop_ = next((p for p in props if p.concept == choice.concept), None)
    if prop_ is None:
        return False
    outcome = judged[prop_.id].outcome
    if choice.laterality is not None and prop_.laterality not in (None, choice.laterality):
        return False
    return outcome == ("yes" if choice.polarity == "present" else "no")


def _by_range(choices: Sequence[Choice], judged: Mapping[str, Judgement], cutoff: float) -> Chosen:
    measured = next(
        (j.measurement for j in judged.values() if j.measurement is not None and j.measurement.value is not None), None
    )
    if measured is None:
        return Chosen(label=None, reason="the value that the choices are about was not measured")
    model = error_model(measured.name)
    value, spread = measured.value or 0.0, measured.spread or 0.0
    if model is None:
        return Chosen(label=None, reason="the value has no error model, so no range can be preferred")

    def above(limit: float | None, without: float) -> float:
        return without if limit is None else model.probability_above(value, spread, limit, measured.uncertainty)

    ranged = [c for c in choices if c.low is not None or c.high is not None]
    mass, best = max(((above(c.low, 1.0) - above(c.high, 0.0), c) for c in ranged), key=lambda pair: pair[0])
    if mass < cutoff:
        reason = f"the likeliest range holds {mass:.2f} of the probability, {cutoff:.2f} is needed"
        return Chosen(label=None, reason=reason)
    held = record(measured.name)
    method = "probability mass of the value's error model" + (f"; {calibrator_id(held)}" if held is not None else "")
    return Chosen(label=best.label, text=best.text, confidence=min(mass, 1.0), method=method)
