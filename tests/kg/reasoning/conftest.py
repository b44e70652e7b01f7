"""A handful of stored edges, with the ids, polarities and evidence that stores give them."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Literal

import networkx
import pytest

from secondread.kg.store.records import StoredEdge

Row = tuple[str, str, str] | tuple[str, str, str, str]


class Stored:
    """The part of a store that reasoning uses, over a networkx graph."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.graph = networkx.MultiDiGraph()
        for number, (subject, relation, obj, *polarity) in enumerate(rows, 1):
            edge = StoredEdge(
                subject=subject,
                relation=relation,
                object=obj,
                text=f"{subject} {relation} {obj}.",
                source="s",
                id=f"{subject}|{relation}|{obj}#{number}",
                polarity=polarity[0] if polarity else None,  # type: ignore[arg-type]  # pydantic checks the literal
            )
            self.graph.add_edge(subject, obj, key=edge.id, edge=edge)

    def has(self, node: str, /) -> bool:
        return node in self.graph

    def neighbors(
        self, node: str, /, relation: str | None = None, direction: Literal["out", "in", "both"] = "out"
    ) -> list[StoredEdge]:
        found = [] if direction == "in" else [d["edge"] for _, _, d in self.graph.out_edges(node, data=True)]
        found += [] if direction == "out" else [d["edge"] for _, _, d in self.graph.in_edges(node, data=True)]
        return [e for e in found if relation is None or e.relation == relation]

    def paths(self, start: str, end: str, /, **limits: Any) -> list[tuple[StoredEdge, ...]]:
        allowed = set(limits["relations"])
        kept = [(a, b) for a, b, d in self.graph.edges(data=True) if d["edge"].relation in allowed]
        part = networkx.Graph(kept)
        if start not in part or end not in part or not networkx.has_path(part, start, end):
            return []
        nodes = networkx.shortest_path(part, start, end)
        return [tuple(self._between(a, b) for a, b in pairwise(nodes))]

    def _between(self, a: str, b: str) -> StoredEdge:
        return next(e for e in self.neighbors(a, direction="both") if b in (e.subject, e.object))

    def subgraph(self, ids: Iterable[str], /, *, hops: int = 1, max_edges: int = 200) -> networkx.MultiDiGraph:
        return self.graph


@pytest.fixture
def stored() -> Callable[..., Stored]:
    """`stored((subject, relation, object[, polarity]), ..)`."""
    return lambda *rows: Stored(rows)
