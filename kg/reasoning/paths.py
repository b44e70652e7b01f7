"""How two concepts are related: chains of edges that mean one thing, before chains that only connect."""

from secondread.kg.reasoning.source import KIND_OF, Source, triple
from secondread.schema.evidence import GraphEdge
from secondread.schema.record import Record

TYPES: dict[str, tuple[str, ...]] = {
    "explanation": ("suggests", "may_indicate", "seen_as", "implies"),
    "place": ("located_in", "part_of", "adjacent_to"),
    "assessment": ("assessed_by", "suggested_by", "derived_from", "measured_on", "stands_in_for", "describes"),
    "confusion": ("mimics", "differential", "excludes", "hides"),
    "film": ("magnifies", "limited_by", "preferred_for", "seen_on", "shows"),
}
"""What a chain of these relations says; `is_a` may be part of any chain."""
COSTS = {"is_a": 0.5, "isa": 0.5, "adjacent_to": 2.0, "located_in": 1.5, "differential": 1.5}
"""How little an edge tells, 1 by default: a shared place relates two concepts less than a shared cause."""
MIXED_COST = 1.0
"""Added to chains of several types."""


class TypedPath(Record):
    """One chain of edges and what kind of relation it is."""

    type: str
    """A key of `TYPES`, or `mixed`."""
    edges: tuple[GraphEdge, ...]
    triples: tuple[str, ...]
    """Ids of the edges, in order."""
    cost: float


def typed_paths(
    source: Source, start: str, end: str, *, types: tuple[str, ...] | None = None, max_hops: int = 4, limit: int = 5
) -> list[TypedPath]:
    """Chains between two concepts, cheapest first; empty when the graph lacks one of them or knows of none.

    Args:
        source: The graph.
        start: Concept id.
        end: Concept id.
        types: Only these types of chains; None: every type, and mixed chains of them.
        max_hops: Most edges in a chain.
        limit: Most chains returned.

    Raises:
        InputError: A limit out of range.
    """
    if start == end or not (source.has(start) and source.has(end)):
        return []
    found: dict[tuple[str, ...], TypedPath] = {}
    for name in types or TYPES:
        _collect(source, start, end, name, (*TYPES[name], *KIND_OF), max_hops, limit, found)
    if types is None:
        every = tuple(dict.fromkeys(r for relations in TYPES.values() for r in relations))
        _collect(source, start, end, "mixed", (*every, *KIND_OF), min(max_hops, 3), limit, found)
    return sorted(found.values(), key=lambda p: (p.cost, p.triples))[:limit]


def _collect(
    source: Source,
    start: str,
    end: str,
    name: str,
    relations: tuple[str, ...],
    max_hops: int,
    limit: int,
    found: dict[tuple[str, ...], TypedPath],
) -> None:
    for path in source.paths(start, end, max_hops=max_hops, limit=limit, relations=relations):
        triples = tuple(triple(e) for e in path)
        if triples not in found:
            cost = sum(COSTS.get(e.relation, 1.0) for e in path) + (MIXED_COST if name == "mixed" else 0.0)
            found[triples] = TypedPath(type=name, edges=tuple(path), triples=triples, cost=cost)
