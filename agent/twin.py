"""The twin check: the same question about the nearest confusable image.

An answer that rests on the image moves when the image shows something else. So the question is asked again about a
twin: an image that looks alike and of which it is known, or measured, that the evidence differs. Where evidence differs
and the answer stays, the confidence is limited to odds of 3 to 1; where the answer moves with it, nothing changes. The
limit is a rule and no calibration: it lowers a stated probability, it never makes or raises one.
"""

from collections.abc import Sequence
from typing import Literal

from secondread.agent.beliefs import CONTRADICTION_LOG_ODDS, sigmoid
from secondread.schema.answer import Answer
from secondread.schema.evidence import Findings, Measurement, Measurements
from secondread.schema.record import Record
from secondread.schema.units import Probability

LIMIT = sigmoid(CONTRADICTION_LOG_ODDS)
"""Largest confidence of an answer that does not move: 0.75, the odds at which sources count as contradicting."""
LIMITED = "limited by the twin check"
Moved = Literal["moved", "stuck", "same evidence", "no answer"]


class Twin(Record):
    """What asking about the twin has shown."""

    moved: Moved
    """`moved`: evidence and answer differ; `stuck`: evidence differs, the answer does not; `same evidence`: the twin
    tests nothing; `no answer`: one of both abstained."""
    differs: tuple[str, ...] = ()
    """What differs in the evidence, in words."""
    confidence: Probability | None = None
    """Of the answer after the check; None where it stated none."""
    method: str = ""


def check(answer: Answer, twin: Answer, *, known: Sequence[str] = ()) -> Twin:
    """Hold an answer against that about its twin.

    Args:
        answer: About the image.
        twin: About the twin, the same question.
        known: What is known to differ, in words, e.g. contrary labels of both images; evidence is compared beside it.
    """
    differs = (*known, *differences(answer, twin))
    kept = {"confidence": answer.confidence, "method": answer.confidence_method}
    if answer.abstained or twin.abstained:
        return Twin.model_validate({"moved": "no answer", "differs": differs, **kept})
    if not differs:
        return Twin.model_validate({"moved": "same evidence", **kept})
    if said(answer) != said(twin):
        return Twin.model_validate({"moved": "moved", "differs": differs, **kept})
    sure, limited = limit(answer.confidence)
    method = f"{answer.confidence_method}; {LIMITED}" if limited else answer.confidence_method
    return Twin(moved="stuck", differs=differs, confidence=sure, method=method)


def limit(confidence: float | None) -> tuple[float | None, bool]:
    """A confidence that the check has limited, and whether it has."""
    if confidence is None or confidence <= LIMIT:
        return confidence, False
    return LIMIT, True


def said(answer: Answer) -> tuple[str | None, str | None]:
    """What an answer says: verdict and choice."""
    return answer.verdict, answer.choice


def differences(a: Answer, b: Answer) -> tuple[str, ...]:
    """Measurements whose intervals do not meet but that lie on both sides of the threshold, and contrary findings.

    Two values on the same side of their threshold call for the same answer, so they are no difference here.
    """
    found: list[str] = []
    others = _measured(b)
    for name, one in _measured(a).items():
        other = others.get(name)
        if other is not None and _apart(one, other):
            found.append(f"{name} {one.value:.3g} against {other.value:.3g}")
    polarities = _found(b)
    for name, polarity in _found(a).items():
        if {polarity, polarities.get(name)} == {"present", "absent"}:
            found.append(f"{name} {polarity} against {polarities[name]}")
    return tuple(found)


def _measured(answer: Answer) -> dict[str, Measurement]:
    cited = {e for c in answer.claims for e in c.evidence}
    return {
        m.name: m
        for item in answer.evidence
        if item.id in cited and isinstance(item.result, Measurements)
        for m in item.result.items
        if m.value is not None
    }


def _found(answer: Answer) -> dict[str, str]:
    cited = {e for c in answer.claims for e in c.evidence}
    return {
        f.concept: f.polarity
        for item in answer.evidence
        if item.id in cited and isinstance(item.result, Findings)
        for f in item.result.items
        if f.verified
    }


def _apart(a: Measurement, b: Measurement) -> bool:
    if a.threshold is None or a.value is None or b.value is None:
        return False
    if (a.value > a.threshold.value) == (b.value > a.threshold.value):
        return False
    if a.interval is None or b.interval is None:
        return True
    return a.interval.high < b.interval.low or b.interval.high < a.interval.low


def limited(answer: Answer, twin: Answer, *, known: Sequence[str] = ()) -> Answer:
    """The answer, its confidence limited and a warning added where it does not move with the evidence.

    Args:
        answer: About the image.
        twin: About the twin, the same question.
        known: What is known to differ, see `check`.
    """
    if answer.confidence is None or answer.abstained:
        return answer
    result = check(answer, twin, known=known)
    if result.moved != "stuck":
        return answer
    told = f"The answer stays the same for a similar image although {'; '.join(result.differs)}."
    return answer.model_copy(
        update={
            "confidence": result.confidence,
            "confidence_method": result.method,
            "warnings": (*answer.warnings, told),
        }
    )
