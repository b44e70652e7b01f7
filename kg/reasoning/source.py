"""What reasoning needs of a graph, whether the authored one in memory or a store on disk."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from secondread.schema.evidence import GraphEdge

if TYPE_CHECKING:
    import networkx

STRICT = "strict"
KIND_OF = ("is_a", "isa")
"""Spellings of the taxonomic relation, in the core graph and in built stores."""
MAX_UP = 40
"""Most ancestors that are looked at."""


class Source(Protocol):
    """The part of `Graph` and of `GraphStore` that reasoning uses."""

    def has(self, node: str, /) -> bool:
        """Whether there is such a concept."""

    def neighbors(
        self, node: str, /, relation: str | None = None, direction: Literal["out", "in", "both"] = "out"
    ) -> Sequence[GraphEdge]:
        """Edges of a concept."""

    def paths(
        self, start: str, end: str, /, *, max_hops: int = 4, limit: int = 5, relations: Iterable[str] | None = None
    ) -> Sequence[tuple[GraphEdge, ...]]:
        """Shortest chains of edges between two concepts."""

    def subgraph(self, ids: Iterable[str], /, *, hops: int = 1, max_edges: int = 200) -> "networkx.MultiDiGraph":
        """Surroundings of some concepts."""


def triple(edge: GraphEdge) -> str:
    """The id of an edge: its own, or `subject.relation.object` when it carries none."""
    own = getattr(edge, "id", None)
    return own if isinstance(own, str) else f"{edge.subject}.{edge.relation}.{edge.object}"


def other_end(edge: GraphEdge, node: str) -> str:
    """The end of an edge that is not this concept."""
    return edge.object if edge.subject == node else edge.subject


def qualifier(edge: GraphEdge, name: str) -> Any:
    """A qualifier of an authored edge, or the same entry of a stored edge's evidence; None when there is none."""
    held = getattr(edge, "qualifiers", None) or getattr(edge, "evidence", None) or {}
    return held.get(name) if isinstance(held, dict) else None


def entails(edge: GraphEdge) -> bool:
    """Whether the object holds without exception where the subject does."""
    return edge.relation in KIND_OF or (edge.relation == "implies" and qualifier(edge, "strength") == STRICT)


def kinds_of(source: Source, node: str) -> list[str]:
    """The concept and all it is a kind of, nearest first."""
    found = [node]
    for here in found:
        if len(found) >= MAX_UP:
            break
        if source.has(here):
            edges = source.neighbors(here)
            found += [e.object for e in edges if e.relation in KIND_OF and e.object not in found]
    return found
