"""One text with all it is held against: its claims, their evidence, and what can be read from both once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from secondread.agent.gate.comparisons import Comparison, comparisons
from secondread.agent.gate.entities import established, measured, mentioned
from secondread.agent.gate.facts import Fact, facts
from secondread.agent.gate.numbers import Number, numbers
from secondread.agent.gate.support import knowledge_only
from secondread.agent.gate.text import clause_of
from secondread.agent.rules import STRONG_ROTATION_DEGREES
from secondread.schema.answer import Claim
from secondread.schema.evidence import Evidence, Measurement, Measurements

if TYPE_CHECKING:
    from secondread.kg.graph import Graph
    from secondread.kg.link import Mention

RULE_LIMITS: Mapping[str, tuple[float, str]] = {"in_plane_rotation": (STRONG_ROTATION_DEGREES, "deg")}
"""Limits that come from the clinical rules and not from the measurement itself."""


@dataclass
class Said:
    """A bare text (no tags, no list numbers, verbatim notes taken out) and its ground."""

    text: str
    claims: Sequence[Claim]
    cited: Sequence[Evidence]
    graph: "Graph"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    notes: Collection[str] = ()

    @cached_property
    def knowledge(self) -> bool:
        """The text states knowledge, nothing about an image."""
        return knowledge_only(self.cited)

    @cached_property
    def mentions(self) -> "list[Mention]":
        """Concepts in the text, in order; of several meanings the one that the evidence is about."""
        expected = self.established | {c.concept for c in self.claims}
        found = []
        for mention in mentioned(self.text, self.graph):
            meant = next((c for c in (mention.concept, *mention.alternatives) if c in expected), mention.concept)
            found.append(mention.model_copy(update={"concept": meant}))
        return sorted(found, key=lambda m: m.start)

    @cached_property
    def _read(self) -> tuple[list[Number], list[str]]:
        return numbers(self.text)

    @property
    def numbers(self) -> list[Number]:
        """Numbers in the text, in order."""
        return self._read[0]

    @property
    def unreadable(self) -> list[str]:
        """Pieces that look like numbers and cannot be read."""
        return self._read[1]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Comparisons that the text asserts."""
        return comparisons(self.text, self.numbers)

    @cached_property
    def established(self) -> set[str]:
        """Concepts that the evidence is about."""
        return established(self.cited)

    @cached_property
    def measured(self) -> set[str]:
        """Measurements with a value."""
        return measured(self.cited)

    @cached_property
    def measurements(self) -> dict[str, Measurement]:
        """Measurements with a value by name; a later citation wins."""
        return {
            m.name: m
            for item in self.cited
            if isinstance(item.result, Measurements)
            for m in item.result.items
            if m.value is not None
        }

    @cached_property
    def facts(self) -> list[Fact]:
        """Every number that the text may state."""
        found = [f for item in self.cited for f in facts(item)]
        found += [Fact("probability", c.concept, c.probability, "1") for c in self.claims if c.probability is not None]
        found += [Fact("threshold", name, *RULE_LIMITS[name]) for name in self.measured if name in RULE_LIMITS]
        units = {m.threshold.concept: m.threshold.unit for m in self.measurements.values() if m.threshold}
        for concept, value in self.thresholds.items():
            if concept in self.established or any(c.concept == concept for c in self.claims):
                found.append(Fact("threshold", concept, value, units.get(concept, "1")))
        return found

    def clause(self, position: int) -> tuple[int, int]:
        """Bounds of the clause that holds a position."""
        return clause_of(self.text, position)

    def last_mention(self, position: int, among: Collection[str]) -> str | None:
        """The concept, of these, that is named last before a position, anywhere in the same sentence or clause."""
        start = max(self.text.rfind(". ", 0, position), self.text.rfind("\n", 0, position), 0)
        named = [m.concept for m in self.mentions if start <= m.start < position and m.concept in among]
        return named[-1] if named else None
