"""The records of the graph: concepts and authored edges."""

from typing import Any, Literal

from pydantic import Field

from secondread.schema.evidence import GraphEdge
from secondread.schema.record import Record

Kind = Literal[
    "anatomy",
    "finding",
    "device",
    "disease",
    "attribute",
    "measurement",
    "quality",
    "view",
    "position",
    "population",
    "tool",
    "capability",
]


class Concept(Record):
    """One thing that questions, tools and findings can be about."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    """Preferred name in plain words."""
    kind: Kind
    synonyms: tuple[str, ...] = ()
    """Other ways to say it; the name and the id in words need not be repeated."""
    text: str
    """One sentence in this project's own words."""
    radlex: str | None = Field(default=None, pattern=r"^RID\d+$")
    """RadLex identifier of the same thing."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """For findings: shape, density, location, border."""
    tool: str | None = None
    """For tools: the name in the catalogue."""
    ambiguous: tuple[str, ...] = ()
    """Surface forms that this concept knowingly shares with another one."""

    def surfaces(self) -> tuple[str, ...]:
        """Every text by which the concept is known, the preferred name first."""
        return tuple(dict.fromkeys((self.name, self.id.replace("_", " "), *self.synonyms)))


class Edge(GraphEdge):
    """An edge of the core graph with its qualifiers."""

    qualifiers: dict[str, Any] = Field(default_factory=dict)
    """E.g. `value`, `unit`, `direction`, `population` of a threshold; `strength` of an implication."""

    @property
    def id(self) -> str:
        """`subject.relation.object`, unique in the graph."""
        return f"{self.subject}.{self.relation}.{self.object}"

    def plain(self) -> GraphEdge:
        """The edge as evidence carries it."""
        return GraphEdge(
            subject=self.subject, relation=self.relation, object=self.object, text=self.text, source=self.source
        )


SENTENCES: dict[str, str] = {
    "described_as": "{s}: {o}.",
    "is_a": "{s} is a kind of {o}.",
    "part_of": "{s} is part of {o}.",
    "located_in": "{s} lies in {o}.",
    "adjacent_to": "{s} lies next to {o}.",
    "assessed_by": "{s} is assessed by {o}.",
    "suggested_by": "{s} is hinted at by {o}.",
    "established_by": "{s} is established by the {o}.",
    "requires_capability": "{s} cannot be judged without {o}, which is not shipped.",
    "limited_by": "{s} is limited by {o}.",
    "measured_on": "{s} is measured on {o}.",
    "derived_from": "{s} is derived from {o}.",
    "stands_in_for": "{s} stands in for {o}, without being it.",
    "describes": "{s} describes {o}.",
    "suggests": "{s} may go with {o}.",
    "may_indicate": "{s} may indicate {o}, among other causes.",
    "seen_as": "{s} may be seen as {o}.",
    "implies": "{s} implies {o}.",
    "excludes": "{s} excludes {o}.",
    "mimics": "{s} can look like {o}.",
    "hides": "{s} can hide {o}.",
    "magnifies": "{s} magnifies {o}.",
    "preferred_for": "{s} is preferred for {o}.",
    "differential": "{s} may be confused with {o}.",
    "seen_on": "{s} is looked for on {o}.",
    "shows": "{s} shows {o}.",
    "needs": "{s} needs the result of the {o}.",
    "valid_on": "{s} is valid on {o}.",
    "helps": "{s} helps {o}.",
    "explains": "{s} explains {o}.",
    "lists": "{s} lists {o}.",
    "would_compare": "{s} would compare {o}.",
}
"""Relation -> the sentence of an edge that has none of its own; also the closed list of relations."""


def definition(concept: Concept) -> Edge:
    """The description of a concept as an edge to itself, so that an answer can cite it like any other."""
    lower = concept.text[0].lower() if concept.text[1:2].islower() else concept.text[0]
    name = concept.name[0].upper() + concept.name[1:]
    return Edge(
        subject=concept.id,
        relation="described_as",
        object=concept.id,
        text=f"{name}: {lower}{concept.text[1:]}",
        source="authored: definition",
    )


def sentence(subject: Concept, relation: str, obj: Concept) -> str:
    """The edge in plain words, with a capital letter."""
    text = SENTENCES[relation].format(s=subject.name, o=obj.name)
    return text[0].upper() + text[1:]
