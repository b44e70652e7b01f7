"""Numbers and comparison words against the facts of the cited evidence."""

import re

from secondread.agent.gate.comparisons import Comparison, direction, holds
from secondread.agent.gate.facts import Fact, matches
from secondread.agent.gate.numbers import Number
from secondread.agent.gate.said import Said
from secondread.agent.gate.sides import RIGHT_OVER_LEFT, oriented
from secondread.agent.gate.violation import Violation
from secondread.schema.evidence import GraphPaths, Measurement

_AXIS = re.compile(r"\b(?:(?P<x>columns?)|(?P<y>rows?))\b", re.IGNORECASE)
_COMPLEMENT = re.compile(r"\b(?:probability|chance|likelihood) (?:of|that)\b", re.IGNORECASE)
_LENGTH = ("mm", "cm", "m", "um")


def number_violations(said: Said) -> list[Violation]:
    """Numbers that no cited fact holds, in this role, unit and about the measurement named before them."""
    found = [Violation(rule="number", reason=f"'{piece[:20]}' cannot be read") for piece in said.unreadable]
    for number in said.numbers:
        reason = _unsupported(number, said)
        if reason:
            found.append(Violation(rule="number", reason=reason))
    return found


def _unsupported(number: Number, said: Said) -> str | None:
    shown = said.text[number.start : number.end].strip()
    facts = _oriented_facts(number, said)
    fitting = [f for f in facts if matches(number, f) and _axis_agrees(number, f, said)]
    if not fitting:
        return f"'{shown}' is not in the cited evidence"
    if number.role == "probability":
        return None
    about = said.last_mention(number.start, {f.concept for f in facts})
    if about is None or any(f.concept == about for f in fitting):
        return None
    if any(f.concept == about and _same_kind(number, f) for f in facts):
        return f"'{shown}' is not a number of {about}"
    return None


def _oriented_facts(number: Number, said: Said) -> list[Fact]:
    """Facts with right / left ratios turned over where the clause names the left side first."""
    low, high = said.clause(number.start)
    clause = said.text[low:high]
    found: list[Fact] = []
    for fact in said.facts:
        if fact.concept in RIGHT_OVER_LEFT and fact.role in ("value", "interval") and fact.value:
            value = oriented(clause, fact.value)
            top = oriented(clause, fact.high) if fact.high else fact.high
            low_end, high_end = (top, value) if top is not None and top < value else (value, top)
            found.append(Fact(fact.role, fact.concept, low_end, fact.unit, high_end))
        else:
            found.append(fact)
    if number.role == "probability" and _COMPLEMENT.search(clause):
        found += [
            Fact("probability", c.concept, 1 - c.probability, "1")
            for c in said.claims
            if c.probability is not None and c.polarity == "absent"
        ]
        found = [f for f in found if not _stated_wrongly(f, said)]
    return found


def _stated_wrongly(fact: Fact, said: Said) -> bool:
    """In "probability of X" an absent claim's own probability would be that of the opposite."""
    return any(
        c.concept == fact.concept and c.polarity == "absent" and c.probability == fact.value for c in said.claims
    )


def _axis_agrees(number: Number, fact: Fact, said: Said) -> bool:
    if not fact.axis:
        return True
    named = [m for m in _AXIS.finditer(said.text, 0, number.start)]
    if not named:
        return bool(number.unit)
    return named[-1].lastgroup == fact.axis


def _same_kind(number: Number, fact: Fact) -> bool:
    """Whether the number could have been meant as this fact, so that it should have matched."""
    if fact.bare and not number.unit:
        return True
    if number.unit in ("", "1", "%"):
        return fact.unit == "1"
    return number.unit == fact.unit or (number.unit in _LENGTH and fact.unit in _LENGTH)


def comparison_violations(said: Said) -> list[Violation]:
    """Comparison words such as "above" that the measured numbers do not bear out."""
    found: list[Violation] = []
    for comparison in said.comparisons:
        reason = _stated_rule(comparison, said) if said.knowledge else _untrue(comparison, said)
        if reason:
            found.append(Violation(rule="comparison", reason=reason))
    return found


def _stated_rule(comparison: Comparison, said: Said) -> str | None:
    """For knowledge: the same bound with the same direction must be in a cited edge."""
    from secondread.agent.gate.comparisons import comparisons
    from secondread.agent.gate.numbers import numbers

    for item in said.cited:
        texts = [e.text for path in item.result.paths for e in path] if isinstance(item.result, GraphPaths) else []
        for text in texts:
            for known in comparisons(text, numbers(text)[0]):
                same = known.bound is not None and comparison.bound is not None
                if same and abs((known.bound or 0) - (comparison.bound or 0)) < 1e-9:
                    return None if direction(known.op) == direction(comparison.op) else _says(comparison, "the graph")
    return None if comparison.bound is None else _says(comparison, "no cited edge")


def _says(comparison: Comparison, who: str) -> str:
    return (
        f"'{comparison.words}' disagrees with {who}"
        if who != "no cited edge"
        else f"'{comparison.words}' is in no edge"
    )


def _untrue(comparison: Comparison, said: Said) -> str | None:
    subjects = _subjects(comparison, said)
    if not subjects:
        return f"'{comparison.words}' compares nothing that was measured"
    for measurement in subjects:
        limit = comparison.bound if comparison.bound is not None else _limit(measurement, said)
        if limit is None:
            return f"{measurement.name} has no threshold"
        if comparison.general and measurement.threshold is not None:
            if direction(comparison.op) != measurement.threshold.direction:
                return f"'{comparison.words}' turns the threshold of {measurement.name} round"
            continue
        value = measurement.value or 0.0
        value = abs(value) if measurement.unit == "deg" else value
        interval = next((f for f in said.facts if f.role == "interval" and f.concept == measurement.name), None)
        factor = {"cm": 10.0, "%": 0.01}.get(comparison.unit, 1.0)
        bound = limit * (factor if comparison.bound is not None else 1.0)
        if not holds(comparison, value, interval, bound):
            return f"'{comparison.words}' is not true of {measurement.name} {value:.4g}"
    return None


def _limit(measurement: Measurement, said: Said) -> float | None:
    if measurement.threshold is not None:
        return said.thresholds.get(measurement.threshold.concept, measurement.threshold.value)
    return next((f.value for f in said.facts if f.role == "threshold" and f.concept == measurement.name), None)


def _subjects(comparison: Comparison, said: Said) -> list[Measurement]:
    """What a comparison is about: the measurement named last before it, else the one with this threshold, else all."""
    named = said.last_mention(comparison.start, said.measured)
    if named is not None:
        return [said.measurements[named]]
    claims = {c.concept for c in said.claims}
    verdicts = [m for m in said.measurements.values() if m.threshold is not None and m.threshold.concept in claims]
    if verdicts:
        return verdicts
    owners = [
        m
        for m in said.measurements.values()
        if any(f.role == "threshold" and f.concept == m.name and _close(f.value, comparison.bound) for f in said.facts)
    ]
    claimed = [said.measurements[c.concept] for c in said.claims if c.concept in said.measurements]
    return owners or claimed or list(said.measurements.values())


def _close(value: float, bound: float | None) -> bool:
    return bound is not None and abs(value - bound) < 0.005
