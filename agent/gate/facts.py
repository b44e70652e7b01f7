"""What recorded evidence holds, as facts that a text can be compared with: numbers, concepts, words, sides."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from secondread.agent.gate.numbers import Number, numbers
from secondread.agent.gate.sides import RIGHT_OVER_LEFT
from secondread.agent.gate.text import bare, plain
from secondread.schema.evidence import (
    DerivedImage,
    Evidence,
    Findings,
    GraphPaths,
    Measurement,
    Measurements,
    Passages,
    QualityReport,
    Regions,
    SimilarCases,
)
from secondread.schema.region import Box

FactRole = Literal["value", "interval", "spread", "threshold", "level", "probability", "count", "coordinate"]
_ALLOWED: dict[str, tuple[FactRole, ...]] = {
    "plain": ("value", "count", "coordinate"),
    "range": ("interval", "coordinate"),
    "spread": ("spread", "interval"),
    "bound": ("threshold",),
    "level": ("level", "value"),
    "probability": ("probability",),
}
_SCALE = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}


@dataclass(frozen=True)
class Fact:
    """One number of the evidence; `high` is the upper end of an interval."""

    role: FactRole
    concept: str
    """Concept id the number is about."""
    value: float
    unit: str
    high: float | None = None
    axis: Literal["", "x", "y"] = ""
    """Axis of a coordinate; the text must name it as columns or rows."""
    bare: bool = False
    """May be written without its unit, as coordinates and quality attributes are."""


def matches(number: Number, fact: Fact) -> bool:
    """Whether a number of a text is this fact, after rounding to the digits shown and in the same unit.

    A unitless fraction may be written as percent, and a signed length or angle by its size. For unitless numbers the
    rounding may not move the number by more than a tenth of itself (or 0.005), so 0.53 cannot be told as "1".
    """
    if fact.role not in _ALLOWED[number.role]:
        return False
    scale = 1.0 if fact.bare and not number.unit else _to_fact_unit(number.unit, fact.unit)
    if scale is None:
        return False
    if number.role == "range" and fact.high is not None:
        return _near(number.value, fact.value, number, scale, fact.unit) and _near(
            number.other or 0.0, fact.high, number, scale, fact.unit
        )
    if number.role == "spread" and fact.high is not None:
        return _near(number.value, (fact.high - fact.value) / 2, number, scale, fact.unit)
    if fact.high is not None:
        return False
    unsigned = not number.signed and fact.unit in ("deg", "px", "z", "mm")
    value = abs(fact.value) if unsigned else fact.value
    if number.role == "range":
        return False
    return _near(number.value, value, number, scale, fact.unit)


def _to_fact_unit(written: str, unit: str) -> float | None:
    """Factor from the written unit to the fact's, or None when they are not the same kind."""
    if unit in ("1", "", "count") and written in ("", "1"):
        return 1.0
    if unit in ("1", "") and written == "%":
        return 0.01
    if written in _SCALE and unit in _SCALE:
        return _SCALE[written] / _SCALE[unit]
    return 1.0 if written == unit else None


def _near(shown: float, true: float, number: Number, scale: float, unit: str) -> bool:
    tolerance = number.step * scale
    if unit in ("1", ""):
        tolerance = min(tolerance, max(0.1 * abs(true), 0.005))
    return abs(shown * scale - true) <= tolerance + 1e-9


def _of_measurement(m: Measurement) -> Iterable[Fact]:
    if m.value is not None:
        yield Fact("value", m.name, m.value, m.unit)
    if m.interval is not None:
        yield Fact("interval", m.name, m.interval.low, m.unit, m.interval.high)
        yield Fact("level", m.name, m.interval.level, "1")
    if m.spread is not None:
        yield Fact("spread", m.name, m.spread, m.unit)
    if m.spread is not None and m.interval is None and m.value is not None:
        margin = 1.645 * m.spread
        yield Fact("interval", m.name, m.value - margin, m.unit, m.value + margin)
        yield Fact("level", m.name, 0.9, "1")
    if m.threshold is not None:
        yield Fact("threshold", m.name, m.threshold.value, m.threshold.unit)


def _of_box(concept: str, box: Box) -> Iterable[Fact]:
    """Outer edges of the box, and the first and last pixel inside it."""
    axes: tuple[tuple[Literal["x", "y"], float, float], ...] = (("x", box.x0, box.x1), ("y", box.y0, box.y1))
    for axis, low, high in axes:
        for inset in (0.0, 0.5):
            yield Fact("coordinate", concept, low + inset, "px", high - inset, axis, bare=True)
            yield Fact("coordinate", concept, low + inset, "px", None, axis, bare=True)
            yield Fact("coordinate", concept, high - inset, "px", None, axis, bare=True)
        yield Fact("coordinate", concept, high - low, "px", None, axis)


def _of_text(text: str) -> Iterable[Fact]:
    """Numbers of an authored or quoted sentence, in the roles that they have in it."""
    for n in numbers(bare(plain(text)))[0]:
        scale, unit = (0.01, "1") if n.unit == "%" else (1.0, n.unit or "1")
        role = _ALLOWED[n.role][0]
        yield Fact(role, "", n.value * scale, unit, None if n.other is None else n.other * scale)


def facts(evidence: Evidence) -> list[Fact]:
    """Every number that a text citing this evidence may state."""
    result = evidence.result
    found: list[Fact] = []
    if isinstance(result, Measurements):
        for m in result.items:
            made = list(_of_measurement(m))
            found.extend(made)
            if m.structure is not None:  # "the area of the liver is ..": a number of the liver as much as of the area
                found.extend(replace(fact, concept=m.structure) for fact in made)
        for name, mask in result.outlined.items():
            found.append(Fact("count", name, float(mask.pixels), "px"))
            if mask.box is not None:
                found.extend(_of_box(name, mask.box))
    elif isinstance(result, Findings):
        for f in result.items:
            if f.score is not None:
                role: FactRole = "probability" if f.score_kind == "calibrated probability" else "value"
                found.append(Fact(role, f.concept, f.score, "z" if f.score_kind == "z" else "1"))
            if f.region is not None:
                found.extend(_of_box(f.concept, f.region))
        found.append(Fact("count", evidence.tool, float(len(result.items)), "1"))
    elif isinstance(result, Regions):
        for name, mask in result.masks.items():
            found.append(Fact("count", name, float(mask.pixels), "px"))
            if mask.box is not None:
                found.extend(_of_box(name, mask.box))
        found.append(Fact("count", evidence.tool, float(len(result.masks)), "1"))
    elif isinstance(result, QualityReport):
        found.extend(Fact("value", a.name, a.value, a.unit, bare=True) for a in result.attributes)
    elif isinstance(result, DerivedImage) and result.box is not None:
        found.extend(_of_box(evidence.tool, result.box))
    elif isinstance(result, GraphPaths):
        found.append(Fact("count", evidence.tool, float(len(result.paths)), "1"))
        found.extend(f for path in result.paths for edge in path for f in _of_text(edge.text))
    elif isinstance(result, Passages):
        found.append(Fact("count", evidence.tool, float(len(result.items)), "1"))
        found.extend(f for passage in result.items if not passage.third_party for f in _of_text(passage.text))
    elif isinstance(result, SimilarCases):
        found.append(Fact("count", evidence.tool, float(len(result.items)), "1"))
        found.extend(Fact("value", evidence.tool, c.similarity, "1") for c in result.items if c.similarity is not None)
    return found


def concepts(evidence: Evidence) -> set[str]:
    """Concept ids that the evidence is about. A surrogate is about itself, not about what it hints at."""
    result = evidence.result
    found: set[str] = set()
    if isinstance(result, Measurements):
        found.update(c.concept for c in result.counted)
        found.update(result.outlined)
        for m in result.items:
            found.add(m.name)
            if m.structure is not None:
                found.add(m.structure)
            found.update(p.name for p in m.landmarks if p.name)
            if m.threshold is not None and m.surrogate_for is None:
                found.add(m.threshold.concept)
            if m.name in RIGHT_OVER_LEFT:
                found.update(("lung", "right_lung", "left_lung"))
    elif isinstance(result, Findings):
        found.update(f.concept for f in result.items)
    elif isinstance(result, Regions):
        found.update(result.masks)
    elif isinstance(result, QualityReport):
        found.update(a.name for a in result.attributes)
    elif isinstance(result, GraphPaths):
        for path in result.paths:
            for edge in path:
                found.update((edge.subject, edge.object))
    return found


def told(evidence: Evidence) -> list[str]:
    """Texts of the evidence: authored sentences and tool notes; for words and secondary numbers, never for findings."""
    result = evidence.result
    found: list[str] = list(evidence.caveats)
    if isinstance(result, Measurements):
        for m in result.items:
            found.extend(m.caveats)
            found.extend(t for t in (m.not_measurable, m.threshold.population if m.threshold else None) if t)
    elif isinstance(result, Findings):
        found.extend(f.note for f in result.items if f.note)
    elif isinstance(result, Regions):
        found.extend(result.reasons)
    elif isinstance(result, QualityReport):
        found.extend((*result.reasons, *(a.reason for a in result.attributes if a.reason)))
    elif isinstance(result, GraphPaths):
        found.extend(edge.text for path in result.paths for edge in path)
    elif isinstance(result, Passages):
        own = [p for p in result.items if not p.third_party]
        found.extend(t for p in own for t in dict.fromkeys((p.cited, p.text)))
        found.extend(re.sub(r"\d+", "", p.text) for p in result.items if p.third_party)
    elif isinstance(result, SimilarCases):
        found.extend(case.text for case in result.items)
    elif result.kind == "tool_failure":
        found.extend((result.message, result.hint))
    return found


def names(evidence: Evidence) -> str:
    """Names in the evidence (concept ids, regions, landmarks, tool, relations, grades) as words."""
    return re.sub(r"[_\W]+", " ", " ".join((*sorted(concepts(evidence)), evidence.tool, *_words(evidence))))


def _words(evidence: Evidence) -> tuple[str, ...]:
    if isinstance(evidence.result, GraphPaths):
        return tuple(edge.relation for path in evidence.result.paths for edge in path)
    if isinstance(evidence.result, QualityReport):
        return (evidence.result.overall, *(a.grade for a in evidence.result.attributes))
    return ()
