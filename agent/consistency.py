"""Does what is said keep the clinical rules: within one answer, and with what was answered before of the same study.

The rules are data (`kg.rulebook`), and so are the edges of the graph that exclude or imply. Nothing here measures or
decides; it only compares. What is unknown breaks no rule but one that requires it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from secondread.kg.reasoning.constraints import check_claims
from secondread.kg.rulebook import ANY, Condition, Rule
from secondread.schema.evidence import Measurement
from secondread.schema.record import Record

if TYPE_CHECKING:
    from secondread.kg.graph import Graph


class Told(Record):
    """What one answer says of a study, in a form that rules can be held against."""

    run: str = ""
    said: dict[str, str] = Field(default_factory=dict)
    """Concept -> `present` or `absent`; only what is stated of the image."""
    sides: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Measure -> sides that claims about it name."""
    values: dict[str, Measurement] = Field(default_factory=dict)
    """Measures with a value, by name."""
    claimed: tuple[str, ...] = ()
    """Measures that the answer tells."""
    images: tuple[str, ...] = ()
    """Ids of the images it is about."""
    source: str = ""
    """Hash of the files that were handed over; empty when they were none."""


class Broken(Record):
    """One rule that does not hold."""

    rule: str
    """Id of the rule, or of the edge of the graph."""
    text: str
    """The rule as a sentence."""
    source: str
    concerns: tuple[str, ...]
    """Concepts and measures on which nothing may be said."""
    earlier: str = ""
    """Run whose answer it contradicts; empty within one answer."""
    tools: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """The rule by its id and in words, for a reader."""
        before = f" (with the answer of run {self.earlier})" if self.earlier else ""
        return f"rule {self.rule} is broken{before}: {self.text.rstrip('.')}"


def broken(
    rules: Sequence[Rule],
    now: Told,
    facts: Mapping[str, object],
    before: Iterable[Told] = (),
    graph: "Graph | None" = None,
) -> list[Broken]:
    """Every rule that an answer breaks, each once.

    Args:
        rules: The clinical rules.
        now: What the answer says.
        facts: Of the image: `quality`, `view`, `read_as`, `age`, .. as in `kg.rulebook`; missing or None: unknown.
        before: Earlier answers about the same study, oldest first.
        graph: Its strict `implies` and its `excludes` edges are rules too.
    """
    found: dict[str, Broken] = {}
    earlier = list(before)
    for rule in rules:
        for other in [None] if rule.kind != "agrees" else earlier:
            one = _agrees(rule, now, other) if other is not None else _breaks(rule, now, facts, earlier)
            if one is not None:
                found.setdefault(one.rule, one)
    if graph is not None:
        for one in _edges(graph, now, earlier):
            found.setdefault(one.rule, one)
    return list(found.values())


def _breaks(rule: Rule, now: Told, facts: Mapping[str, object], earlier: Sequence[Told]) -> Broken | None:
    """A rule held against this answer, then against it together with each earlier one."""
    for other in (None, *earlier):
        both = now if other is None else _together(other, now)
        if not all(_holds(c, both, facts) for c in rule.when):
            continue
        hit = [c for c in rule.then if _violates(rule, c, both, facts)]
        if not hit:
            continue
        own = {*now.said, *now.claimed, *now.sides}
        concerns = tuple(c for c in rule.concerns if c in own)
        if not concerns or not _by_now(rule, hit, now, facts):
            continue
        return Broken(
            rule=rule.id,
            text=rule.text,
            source=rule.source,
            concerns=concerns,
            earlier=other.run if other is not None else "",
            tools=rule.tools,
        )
    return None


def _by_now(rule: Rule, hit: Sequence[Condition], now: Told, facts: Mapping[str, object]) -> bool:
    """Whether this answer has a part in the violation, so that an earlier one is not held against it."""
    own = {*now.said, *now.claimed, *now.sides}
    named = {x for c in (*rule.when, *hit) for x in (c.concept, *c.measures) if x is not None}
    return bool(named & own)


def _together(before: Told, now: Told) -> Told:
    return Told(
        said={**before.said, **now.said},
        sides={**before.sides, **now.sides},
        values={**before.values, **now.values},
        claimed=tuple(dict.fromkeys((*before.claimed, *now.claimed))),
    )


def _violates(rule: Rule, condition: Condition, told: Told, facts: Mapping[str, object]) -> bool:
    if rule.kind == "not_applicable":
        if condition.concept is not None:
            return condition.concept in told.said
        if condition.side is not None:
            return bool(_holds(condition, told, facts))
        return condition.measure in told.claimed
    holds = _holds(condition, told, facts)
    if rule.kind == "excludes":
        return holds is True
    return holds is not True if rule.kind == "requires" else holds is False


def _holds(condition: Condition, told: Told, facts: Mapping[str, object]) -> bool | None:
    """True, false, or None when it is not known."""
    if condition.concept is not None:
        said = told.said.get(condition.concept)
        return None if said is None else said == condition.polarity
    if condition.fact is not None:
        value = facts.get(condition.fact)
        if value is None:
            return None
        if condition.is_:
            return str(value) in condition.is_
        return _limited(float(str(value)), float(str(value)), condition)
    assert condition.measure is not None
    if condition.side is not None:
        named = told.sides.get(condition.measure, ())
        return bool(named) if condition.side == "any" else condition.side in named
    found = told.values.get(condition.measure)
    if found is None or found.value is None or (condition.unit is not None and found.unit != condition.unit):
        return None
    if condition.at_most_of or condition.sum_of or condition.ratio_of:
        return _derived(condition, found.value, told)
    low, high = (found.interval.low, found.interval.high) if found.interval is not None else (found.value, found.value)
    if condition.magnitude:
        low, high = (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
    return _limited(low, high, condition)


def _limited(low: float, high: float, condition: Condition) -> bool | None:
    """A range against the limit of a condition; None when the limit lies inside it, true when there is no limit."""
    upper = condition.above if condition.above is not None else condition.at_most
    if upper is not None:
        above = True if low > upper else False if high <= upper else None
        return above if condition.above is not None or above is None else not above
    lower = condition.at_least if condition.at_least is not None else condition.below
    if lower is not None:
        reached = True if low >= lower else False if high < lower else None
        return reached if condition.at_least is not None or reached is None else not reached
    return True


def _derived(condition: Condition, value: float, told: Told) -> bool | None:
    """A number against what it follows from; None when one of those is missing or has another unit."""
    names = (condition.at_most_of,) if condition.at_most_of else condition.sum_of or condition.ratio_of
    others = [told.values.get(n or "") for n in names]
    numbers = [o.value for o in others if o is not None and o.value is not None]
    if len(numbers) != len(names):
        return None
    if condition.at_most_of:
        return value <= numbers[0] * (1 + condition.tolerance)
    if condition.sum_of:
        return abs(value - sum(numbers)) <= condition.tolerance * abs(value)
    return numbers[1] != 0 and abs(value - numbers[0] / numbers[1]) <= condition.tolerance


def _agrees(rule: Rule, now: Told, before: Told) -> Broken | None:
    """What was told otherwise before, of the same study."""
    concerns: list[str] = []
    for condition in rule.then:
        if condition.concept is not None:
            names = [c for c in now.said if condition.concept in (ANY, c)]
            concerns += [c for c in names if c in before.said and before.said[c] != now.said[c]]
        else:
            names = [m for m in now.claimed if condition.measure in (ANY, m)]
            concerns += [m for m in names if _apart(now.values.get(m), before.values.get(m))]
    if not concerns:
        return None
    return Broken(
        rule=rule.id, text=rule.text, source=rule.source, concerns=tuple(concerns), earlier=before.run, tools=rule.tools
    )


def _apart(a: Measurement | None, b: Measurement | None) -> bool:
    """Whether two tellings of one measure cannot both be right."""
    if a is None or b is None or a.value is None or b.value is None or (a.unit, a.structure) != (b.unit, b.structure):
        return False
    if a.interval is None or b.interval is None:
        return abs(a.value - b.value) > 0.1 * max(abs(a.value), abs(b.value))
    return a.interval.low > b.interval.high or b.interval.low > a.interval.high


def _edges(graph: "Graph", now: Told, earlier: Sequence[Told]) -> Iterable[Broken]:
    """Edges of the graph that the statements break together."""
    for other in (None, *earlier):
        before = {b.triple for b in check_claims(graph, other.said)} if other is not None else set()
        said = now.said if other is None else {**other.said, **now.said}
        for one in check_claims(graph, said):
            concerns = tuple(c for c in dict.fromkeys((*one.said, one.edge.subject, one.edge.object)) if c in now.said)
            if one.triple not in before and concerns:
                yield Broken(
                    rule=one.triple,
                    text=one.text,
                    source=one.edge.source,
                    concerns=concerns,
                    earlier=other.run if other is not None else "",
                )
