"""Clinical rules as data: what a rule says, read from `kg/rules/*.yaml` and checked.

A rule has conditions `when` and `then`; each is true, false or unknown. What breaks it depends on its kind:

    implies         all of `when` hold and one of `then` does not
    excludes        all of `when` hold and one of `then` holds too
    requires        all of `when` hold and one of `then` is not known to hold
    not_applicable  all of `when` hold and something is said of a concept or side in `then`, be it yes or no
    agrees          something in `then` was said otherwise in an earlier answer about the same study
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from secondread.schema.errors import InputError
from secondread.schema.record import Record

Stage = Literal["quality", "feature", "inference", "diagnosis"]
RuleKind = Literal["implies", "excludes", "requires", "not_applicable", "agrees"]
Fact = Literal[
    "quality", "plausible", "heart_side", "view", "read_as", "age", "age_group", "position", "portable", "modality"
]
ANY = "*"
"""Stands for every concept or measure; in `agrees` rules alone."""


class Condition(Record):
    """One thing that holds, does not, or is unknown: a concept, a measured number or a fact of the image."""

    concept: str | None = None
    polarity: Literal["present", "absent"] = "present"
    measure: str | None = None
    """Concept id of a measurement; true by itself when it was measured."""
    unit: str | None = None
    """Unit in which limits are given; the number counts only when it has that unit."""
    magnitude: bool = False
    """Limits are on the size of the number, not on its sign."""
    above: float | None = None
    """True when the whole interval lies above, false when the whole lies at or below."""
    at_most: float | None = None
    below: float | None = None
    at_least: float | None = None
    at_most_of: str | None = None
    """Another measure that it does not exceed."""
    sum_of: tuple[str, ...] = ()
    """Measures that it is the sum of, within `tolerance` of itself."""
    ratio_of: tuple[str, ...] = ()
    """Two measures that it is the quotient of, within `tolerance` in absolute terms."""
    tolerance: float = Field(default=0.0, ge=0)
    side: Literal["left", "right", "any"] | None = None
    """True when a claim about the measure names this side."""
    fact: Fact | None = None
    is_: tuple[str, ...] = Field(default=(), alias="is")

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if sum(x is not None for x in (self.concept, self.measure, self.fact)) != 1:
            raise ValueError("a condition is about one concept, one measure or one fact")
        limits = [x for x in (self.above, self.at_most, self.below, self.at_least) if x is not None]
        derived = [x for x in (self.at_most_of, *self.sum_of, *self.ratio_of) if x]
        if self.concept is not None and (limits or derived or self.is_ or self.side):
            raise ValueError("a condition on a concept has a polarity only")
        if self.fact is not None and not (limits or self.is_):
            raise ValueError("a condition on a fact has `is` or a limit")
        if len(limits) > 1 or (limits and derived):
            raise ValueError("a condition has one limit")
        if self.ratio_of and len(self.ratio_of) != 2:
            raise ValueError("`ratio_of` names two measures")
        return self

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure that the condition reads."""
        own = (self.measure,) if self.measure is not None else ()
        return tuple(m for m in (*own, self.at_most_of, *self.sum_of, *self.ratio_of) if m)


class Rule(Record):
    """One clinical rule."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    stage: Stage
    kind: RuleKind
    when: tuple[Condition, ...] = ()
    then: tuple[Condition, ...] = Field(min_length=1)
    withdraws: tuple[str, ...] = ()
    """Concepts and measures on which nothing is said when it is broken; empty: those that it names."""
    text: str = Field(min_length=20)
    """The rule as a sentence for a reader."""
    source: str
    """Where it stands; in the file the short name of a source."""
    tools: tuple[str, ...] = ()
    """Tools that a second look may take when it is broken."""

    @model_validator(mode="after")
    def _conditions(self) -> Self:
        if (self.kind == "agrees") == bool(self.when):
            raise ValueError("every kind but `agrees` has conditions in `when`, and `agrees` has none")
        stars = [c for c in (*self.when, *self.then) if ANY in (c.concept, c.measure)]
        if stars and self.kind != "agrees":
            raise ValueError(f"{ANY!r} stands in `agrees` rules alone")
        if any(c.fact is not None for c in self.then):
            raise ValueError("`then` is about what is said, not about a fact of the image")
        return self

    @property
    def concerns(self) -> tuple[str, ...]:
        """Concepts and measures on which nothing is said when it is broken."""
        if self.withdraws:
            return self.withdraws
        named = [x for c in (*self.then, *self.when) for x in (c.concept, c.measure) if x is not None]
        if self.kind in ("implies", "excludes", "not_applicable"):  # the verdicts go, numbers that led to them stay
            named = [x for c in self.then for x in (c.concept, c.measure) if x is not None]
            named += [c.concept for c in self.when if c.concept is not None]
        return tuple(dict.fromkeys(named))


def rule_files() -> list[tuple[str, str]]:
    """Name and text of each shipped rule file, in a fixed order."""
    folder = files("secondread.kg").joinpath("rules")
    return sorted((f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".yaml"))


def read_rules(texts: Iterable[tuple[str, str]]) -> tuple[Rule, ...]:
    """Rules of rule files, with their sources in full.

    Args:
        texts: File name and YAML text of each file; names appear in errors.

    Raises:
        InputError: Not YAML, an unknown key or source, a rule that is no rule, or an id given twice.
    """
    import yaml

    found: dict[str, Rule] = {}
    for name, text in texts:
        try:
            parsed = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark is not None else ""
            raise InputError(f"{name}{where}: not valid YAML.") from error
        if not isinstance(parsed, dict) or set(parsed) != {"sources", "rules"}:
            raise InputError(f"{name}: a rule file has the keys sources and rules.")
        for number, entry in enumerate(parsed["rules"] or (), start=1):
            rule = _rule(f"{name}: rule {number}", entry, parsed["sources"] or {})
            if rule.id in found:
                raise InputError(f"{name}: rule {rule.id} is given twice.")
            found[rule.id] = rule
    return tuple(found.values())


def _rule(where: str, entry: Any, sources: dict[str, str]) -> Rule:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: a rule is a mapping.")
    where = f"{where} {entry.get('id', '')}"
    if entry.get("source") not in sources:
        raise InputError(f"{where}: no source {entry.get('source')!r}.")
    try:
        return Rule.model_validate({**entry, "source": sources[entry["source"]]})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules that ship with the package, read once per process."""
    return read_rules(rule_files())


def rule_table(rules: Iterable[Rule]) -> str:
    """Rules as a Markdown table, in the order of their stages."""
    order = {stage: number for number, stage in enumerate(("quality", "feature", "inference", "diagnosis"))}
    head = ["| stage | rule | kind | says | source |", "|---|---|---|---|---|"]
    ranked = sorted(rules, key=lambda r: order[r.stage])
    return "\n".join([*head, *(f"| {r.stage} | `{r.id}` | {r.kind} | {r.text} | {r.source} |" for r in ranked)])
