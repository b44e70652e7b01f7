"""Which concepts a text may mention, and which of them it asserts."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from secondread.agent.gate.facts import concepts, told
from secondread.schema.evidence import Evidence, Measurements, QualityReport

if TYPE_CHECKING:
    from secondread.kg.graph import Graph
    from secondread.kg.link import Mention

NEUTRAL_KINDS = frozenset(
    {"anatomy", "attribute", "measurement", "view", "position", "population", "tool", "capability", "modality"}
)
"""Kinds of concept that name a thing without saying that a patient has it or that a film is bad."""
STRUCTURAL_KINDS = frozenset({"anatomy", "attribute", "measurement", "tool", "capability"})
"""Kinds whose names may stand beside a concept that they are one edge away from."""


@lru_cache(maxsize=2048)
def mentioned(text: str, graph: "Graph") -> tuple["Mention", ...]:
    """Concepts in a text, in order; kept, because a run asks for the same texts again and again."""
    from secondread.kg.link import mentions

    return tuple(mentions(text, graph))


def asserting(concept: str, graph: "Graph") -> bool:
    """Whether naming this concept without denying it says that it is there; unknown concepts count as such."""
    if not graph.has(concept):
        return True
    return str(getattr(graph.concept(concept), "kind", "finding")) not in NEUTRAL_KINDS


def structural(concept: str, graph: "Graph") -> bool:
    """Whether this is the name of a structure, measurement or tool, and so no circumstance of this film."""
    return graph.has(concept) and str(getattr(graph.concept(concept), "kind", "")) in STRUCTURAL_KINDS


def quality_answers(evidence: Evidence) -> dict[str, str]:
    """Polarity of each quality concept that a quality report settles."""
    if not isinstance(evidence.result, QualityReport):
        return {}
    from secondread.tools.quality.answers import answers

    return {concept: polarity for concept, (polarity, _) in answers(evidence.result).items()}


def established(items: Iterable[Evidence]) -> set[str]:
    """Concept ids that cited evidence is about."""
    found: set[str] = set()
    for item in items:
        found |= concepts(item) | set(quality_answers(item))
    return found


def measured(items: Iterable[Evidence]) -> set[str]:
    """Names of the measurements with a value."""
    return {
        m.name
        for item in items
        if isinstance(item.result, Measurements)
        for m in item.result.items
        if m.value is not None
    }


def neighbours(ids: Collection[str], graph: "Graph") -> set[str]:
    """Concepts one edge away, in either direction."""
    found: set[str] = set()
    for concept in ids:
        if graph.has(concept):
            for edge in (*graph.neighbors(concept, direction="out"), *graph.neighbors(concept, direction="in")):
                found.update((edge.subject, edge.object))
    return found


def in_words(items: Iterable[Evidence], graph: "Graph") -> set[str]:
    """Concepts named in the notes and sentences of evidence."""
    return {m.concept for item in items for text in told(item) for m in mentioned(text, graph)}
