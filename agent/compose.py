"""Judgements -> claims and the fixed templates around them. No number enters here that its evidence does not hold."""

from collections.abc import Mapping, Sequence
from typing import Literal

from secondread.agent.choices import chosen
from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Proposition
from secondread.agent.propositions import is_aside
from secondread.agent.ranking import ranking
from secondread.agent.wording import claims_of, name_of
from secondread.kg.graph import Graph
from secondread.kg.questions import Question
from secondread.schema.answer import Claim, Value
from secondread.schema.evidence import Evidence, Measurement
from secondread.schema.record import Record
from secondread.schema.units import Probability

Verdict = Literal["yes", "no", "indeterminate"]


class Draft(Record):
    """An answer before its claims have passed the gate."""

    lead: str
    """Fixed template: the verdict word or the abstention, no medical content of its own."""
    claims: tuple[Claim, ...]
    tail: tuple[str, ...] = ()
    """Fixed templates after the claims: reasons, what is missing."""
    verdict: Verdict | None = None
    value: Value | None = None
    choice: str | None = None
    confidence: Probability | None = None
    confidence_method: str = ""
    abstained: bool = False
    abstain_reason: str | None = None
    warnings: tuple[str, ...] = ()


def value_of(found: Measurement) -> Value:
    """A measurement as the answer's value."""
    i = found.interval
    return Value(
        name=found.name,
        value=round(found.value or 0.0, 4),
        unit=found.unit,
        low=round(i.low, 4) if i else None,
        high=round(i.high, 4) if i else None,
        level=i.level if i else None,
    )


def asked_verdict(prop: Proposition, judged: Judgement) -> Verdict | None:
    """The verdict in the sense of the question: yes to "is it normal" is no to "is it there"."""
    if judged.outcome not in ("yes", "no", "indeterminate"):
        return None if judged.outcome in ("told", "not_applicable") else "indeterminate"
    if prop.kind not in ("presence", "quality", "comparison"):
        return None
    if judged.outcome == "indeterminate":
        return "indeterminate"
    flipped = prop.asked == "absent"
    return "yes" if (judged.outcome == "yes") != flipped else "no"


def confidence_of(judged: Judgement) -> float | None:
    """P(the stated verdict is right): the belief's probability on the side of the verdict."""
    p = judged.belief.probability
    if p is None or judged.outcome not in ("yes", "no"):
        return None
    return p if judged.outcome == "yes" else 1.0 - p


def root(props: Sequence[Proposition], judged: Mapping[str, Judgement]) -> Proposition | None:
    """The proposition whose verdict is that of the answer: the only one, or the one on which all others depend."""
    if len(props) == 1:
        return props[0]
    roots = [p for p in props if p.parent is None]
    rest = [p for p in props if p.parent is not None]
    if len(roots) != 1 or not rest:
        return None
    settled = all(judged[p.id].closed_by is not None or p.kind not in ("presence", "quality") for p in rest)
    return roots[0] if settled else None


DETAILS = {"location": "place", "comparison": "comparison of the"}


def detailed(prop: Proposition, name: str) -> str:
    """What a part of a question asks of something: its place, its size, its side."""
    side = f"{prop.laterality} " if prop.laterality else ""
    what = DETAILS.get(prop.kind, "size" if prop.kind == "value" else "")
    return f"{what} of {side}{name}" if what else f"{side}{name}"


def not_applicable(prop: Proposition, judged: Judgement, name: str) -> str:
    """That nothing can be said of a detail of what is not there, with the evidence for its absence."""
    told = detailed(prop, name)
    tags = " ".join(f"[{e}]" for e in judged.evidence)
    return f"Not applicable: {told}; {'; '.join(judged.reasons)} {tags}".rstrip() + "."


def compose(
    question: Question,
    props: Sequence[Proposition],
    judged: Mapping[str, Judgement],
    ledger: Mapping[str, Evidence],
    graph: Graph,
    *,
    exhausted: str | None = None,
    cutoff: float = 0.75,
) -> Draft:
    """The draft of an answer to all propositions of one question."""
    claims: list[Claim] = []
    tail: list[str] = []
    warnings: list[str] = []
    verdicts: list[Verdict | None] = []
    reasons: list[str] = []
    value: Value | None = None
    for prop in props:
        one = judged[prop.id]
        made = claims_of(prop, one, ledger, graph, first=len(claims) + 1)
        worded = {c.text for c in claims}
        claims += [c for c in made if c.text not in worded]
        name = name_of(prop.concept, graph)
        if is_aside(prop, question):
            warnings += [c[0].upper() + c[1:].rstrip(".") + "." for c in one.caveats if c]
            if one.outcome not in ("yes", "no"):
                tail.append(f"Not decided: {name}.")
            continue
        if prop.kind == "knowledge":
            tail += ranking(one, ledger, graph, weighed=question.topic == "support")
        verdict = asked_verdict(prop, one)
        verdicts.append(verdict)
        if one.outcome == "not_applicable":
            tail.append(not_applicable(prop, one, name))
        if one.outcome in ("indeterminate", "unanswerable", "pending"):
            why = "; ".join(one.reasons) or (
                "the run ended before it was measured" if exhausted else "nothing was found"
            )
            reasons.append(f"{detailed(prop, name) if one.closed_by else name}: {why}")
            if one.missing:
                tail.append(one.missing)
        if one.measurement is not None and one.measurement.value is not None and value is None:
            value = value_of(one.measurement)
        warnings += [c[0].upper() + c[1:].rstrip(".") + "." for c in one.caveats if c]
    if exhausted:
        warnings.append(f"The run reached its limit of {exhausted}; this is what was known by then.")
    choice = chosen(question, props, judged, cutoff=cutoff) if question.choices else None
    if question.choices and choice is not None and choice.label is None:
        reasons.append(choice.reason)
    open_ones = [v for v in verdicts if v == "indeterminate"]
    told = any(j.outcome == "told" for j in judged.values())
    abstained = bool(open_ones) or (not told and not any(verdicts))
    if question.choices and choice is not None:
        abstained = choice.label is None
    lead_prop = root(props, judged)
    single = judged[lead_prop.id] if lead_prop is not None else None
    confidence = confidence_of(single) if single is not None else None
    method = single.belief.method if single is not None else ""
    if choice is not None and choice.label is not None:
        confidence, method = choice.confidence, choice.method
    verdict = verdicts[0] if len(props) == 1 else ("indeterminate" if open_ones else None)
    if lead_prop is not None and single is not None and not open_ones:
        verdict = asked_verdict(lead_prop, single)
    if verdict is None and abstained:
        verdict = "indeterminate"
    lead = _lead(verdict, abstained, reasons, choice.label if choice else None, choice.text if choice else "")
    context = next((j.view_text for j in judged.values() if j.view_text), "")
    if context and any(j.outcome in ("yes", "no", "indeterminate") for j in judged.values()):
        tail.insert(0, context[0].upper() + context[1:] + ".")
    if confidence is None and not abstained and any(v in ("yes", "no") for v in verdicts):
        tail.append("Confidence: uncalibrated.")
    return Draft(
        lead=lead,
        claims=tuple(claims),
        tail=tuple(dict.fromkeys(tail)),
        verdict=verdict,
        value=value,
        choice=choice.label if choice else None,
        confidence=None if abstained else confidence,
        confidence_method=method if not abstained else "",
        abstained=abstained,
        abstain_reason="; ".join(reasons) if abstained else None,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _lead(verdict: Verdict | None, abstained: bool, reasons: Sequence[str], label: str | None, text: str) -> str:
    if label is not None:
        return f"{label}." if label == text else f"{label} ({text})."
    if abstained:
        return "No verdict: " + "; ".join(r.rstrip(".") for r in reasons) + "." if reasons else "No verdict."
    return {"yes": "Yes.", "no": "No."}.get(verdict or "", "")
