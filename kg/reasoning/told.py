"""Answers of the graph to questions of causes, relations, and what speaks for or against something."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from secondread.kg.reasoning.differential import Candidate, ranked_differential, weigh
from secondread.kg.reasoning.paths import typed_paths
from secondread.kg.reasoning.source import Source, other_end, triple
from secondread.schema.evidence import GraphEdge, RankedConcept

TOPICS = ("causes", "relation", "support")
MAX_PAIRS = 6


class Told(NamedTuple):
    """Paths in the order they should be told, and the ranking behind them."""

    paths: list[tuple[GraphEdge, ...]]
    ranked: tuple[RankedConcept, ...] = ()


def tell(
    source: Source,
    concepts: Sequence[str],
    topic: str,
    present: Collection[str] = (),
    absent: Collection[str] = (),
    *,
    limit: int = 12,
) -> Told:
    """Paths that answer a question of one of `TOPICS`; no paths when the graph knows none.

    Args:
        source: The graph.
        concepts: Ids in the order asked; unknown ones are passed over.
        topic: `causes`, `relation` or `support`.
        present: Concept ids found present on the image.
        absent: Concept ids found absent on the image.
        limit: Most paths and ranked concepts.
    """
    known = [c for c in dict.fromkeys(concepts) if source.has(c)]
    if topic == "relation":
        pairs = [(a, b) for i, a in enumerate(known) for b in known[i + 1 :]][:MAX_PAIRS]
        found = [p for a, b in pairs for p in typed_paths(source, a, b, limit=limit)]
        return Told([p.edges for p in found][:limit])
    if topic == "support":
        weighed = [weigh(source, c, present, absent) for c in known]
        edges = [e for one in weighed for e in (*one.support, *one.against)]
        return Told(_single(edges)[:limit], tuple(_ranked(c) for c in weighed))
    made = [c for one in known for c in ranked_differential(source, one, present, absent, limit=limit)]
    edges = [e for c in made for e in (*_first(c.link), *_first(c.support), *_first(c.against))]
    return Told(_single(edges)[:limit], tuple(_ranked(c) for c in made[:limit]))


def _first(edges: tuple[GraphEdge, ...]) -> tuple[GraphEdge, ...]:
    """Of edges between the same two concepts the first: they say much the same."""
    seen: dict[frozenset[str], GraphEdge] = {}
    for edge in edges:
        seen.setdefault(frozenset((edge.subject, edge.object)), edge)
    return tuple(seen.values())


def _single(edges: Iterable[GraphEdge]) -> list[tuple[GraphEdge, ...]]:
    return [(e,) for e in {triple(e): e for e in edges}.values()]


def _ranked(one: Candidate) -> RankedConcept:
    shown = dict.fromkeys(other_end(e, one.concept) for e in one.support)
    excluded = dict.fromkeys(other_end(e, one.concept) for e in one.against if e.relation == "excludes")
    missing = dict.fromkeys(other_end(e, one.concept) for e in one.against if e.relation != "excludes")
    return RankedConcept(
        concept=one.concept,
        score=one.score,
        support=tuple(triple(e) for e in (*one.link, *one.support)),
        against=tuple(triple(e) for e in one.against),
        present=tuple(shown) + ((one.concept,) if one.found else ()),
        opposed=tuple(excluded),
        missing=tuple(missing) + ((one.concept,) if one.found is False else ()),
    )
