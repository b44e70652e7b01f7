"""The knowledge graph in memory: look up, neighbours, paths, bounded subgraphs."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from secondread.kg.concept import Concept, Edge
from secondread.kg.load import core_files, read
from secondread.kg.words import fold
from secondread.schema.errors import InputError

if TYPE_CHECKING:
    import networkx

Direction = Literal["out", "in", "both"]
MAX_HOPS = 6
VISIT_LIMIT = 20_000
"""Partial paths looked at in one search, so that a search in a dense graph ends."""


class Graph:
    """Concepts and edges with indices both ways. Immutable once built; safe to share between threads."""

    def __init__(self, concepts: Iterable[Concept], edges: Iterable[Edge]) -> None:
        self._concepts = {c.id: c for c in concepts}
        self.edges: tuple[Edge, ...] = tuple(edges)
        self._out: dict[str, list[Edge]] = {c: [] for c in self._concepts}
        self._in: dict[str, list[Edge]] = {c: [] for c in self._concepts}
        for edge in self.edges:
            for end in (edge.subject, edge.object):
                if end not in self._concepts:
                    raise InputError(f"Edge {edge.id} names {end}, which is no concept of the graph.")
            self._out[edge.subject].append(edge)
            self._in[edge.object].append(edge)

    def __len__(self) -> int:
        return len(self._concepts)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self._concepts.values())

    def has(self, concept: str) -> bool:
        """Whether the graph holds this concept id."""
        return concept in self._concepts

    def concept(self, concept: str) -> Concept:
        """The concept with this id.

        Raises:
            InputError: There is none.
        """
        if concept not in self._concepts:
            raise InputError(f"The graph has no concept {concept[:80]!r}.", hint="See `secondread kg query`.")
        return self._concepts[concept]

    @cached_property
    def surfaces(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Folded words of every name and synonym -> the concept ids that it means."""
        found: dict[tuple[str, ...], list[str]] = {}
        for concept in self:
            for text in concept.surfaces():
                ids = found.setdefault(fold(text), [])
                if concept.id not in ids:
                    ids.append(concept.id)
        return {words: tuple(ids) for words, ids in found.items() if words}

    def lookup(self, text: str) -> list[Concept]:
        """Concepts that exactly this text names (case, plural, hyphen and spelling folded); several when ambiguous."""
        return [self._concepts[i] for i in self.surfaces.get(fold(text), ())]

    def neighbors(self, concept: str, relation: str | None = None, direction: Direction = "out") -> list[Edge]:
        """Edges of a concept in the order they were written, optionally of one relation.

        Raises:
            InputError: The graph lacks the concept, or the direction is not `out`, `in` or `both`.
        """
        self.concept(concept)
        if direction not in ("out", "in", "both"):
            raise InputError(f"Direction {direction!r} is not out, in or both.")
        found = [] if direction == "in" else list(self._out[concept])
        found += [] if direction == "out" else self._in[concept]
        return [e for e in found if relation is None or e.relation == relation]

    def paths(
        self,
        start: str,
        end: str,
        max_hops: int = 4,
        limit: int = 5,
        relations: Iterable[str] | None = None,
        *,
        directed: bool = False,
    ) -> list[tuple[Edge, ...]]:
        """Shortest simple chains of edges between two concepts, shortest first.

        Args:
            start: Concept id the chain starts from.
            end: Concept id it ends at.
            max_hops: Most edges in a chain, 1 to 6.
            limit: Most chains returned.
            relations: Only these relations; None for all.
            directed: Follow edges from subject to object only.

        Raises:
            InputError: An unknown concept, or a limit out of range.
        """
        self.concept(start), self.concept(end)
        if not 1 <= max_hops <= MAX_HOPS or limit < 1:
            raise InputError(f"max_hops is 1 to {MAX_HOPS} and limit at least 1.")
        allowed = None if relations is None else set(relations)
        found: list[tuple[Edge, ...]] = []
        queue: deque[tuple[str, tuple[Edge, ...], frozenset[str]]] = deque([(start, (), frozenset({start}))])
        visits = 0
        while queue and len(found) < limit and visits < VISIT_LIMIT:
            here, path, seen = queue.popleft()
            visits += 1
            for edge in self._out[here] + ([] if directed else self._in[here]):
                there = edge.object if edge.subject == here else edge.subject
                if there in seen or (allowed is not None and edge.relation not in allowed):
                    continue
                if there == end:
                    found.append((*path, edge))
                    if len(found) == limit:
                        break
                elif len(path) + 1 < max_hops:
                    queue.append((there, (*path, edge), seen | {there}))
        return found

    @cached_property
    def view(self) -> "networkx.MultiDiGraph":
        """The whole graph as a frozen networkx graph; nodes carry `concept`, edges `edge`, keyed by relation."""
        import networkx

        made = networkx.MultiDiGraph()
        for concept in self:
            made.add_node(concept.id, concept=concept)
        for edge in self.edges:
            made.add_edge(edge.subject, edge.object, key=edge.relation, edge=edge)
        return networkx.freeze(made)

    def subgraph(self, ids: Iterable[str], hops: int = 1, max_edges: int = 200) -> "networkx.MultiDiGraph":
        """Surroundings of some concepts as a networkx graph, nearest edges first until `max_edges`.

        Raises:
            InputError: An unknown concept, or a limit out of range.
        """
        import networkx

        if not 0 <= hops <= MAX_HOPS or max_edges < 1:
            raise InputError(f"hops is 0 to {MAX_HOPS} and max_edges at least 1.")
        made = networkx.MultiDiGraph()
        front = [self.concept(i).id for i in dict.fromkeys(ids)]
        for node in front:
            made.add_node(node, concept=self._concepts[node])
        for _ in range(hops):
            reached: list[str] = []
            for node in front:
                for edge in self._out[node] + self._in[node]:
                    if made.has_edge(edge.subject, edge.object, key=edge.relation):
                        continue
                    if made.number_of_edges() >= max_edges:
                        return made
                    for end in (edge.subject, edge.object):
                        if end not in made:
                            made.add_node(end, concept=self._concepts[end])
                            reached.append(end)
                    made.add_edge(edge.subject, edge.object, key=edge.relation, edge=edge)
            front = reached
        return made

    def parents(self, concept: str) -> list[str]:
        """The concept and all it is a kind of, nearest first."""
        found = [self.concept(concept).id]
        for here in found:
            found += [e.object for e in self._out[here] if e.relation == "is_a" and e.object not in found]
        return found

    def describe(self, concept: str) -> str:
        """Name, kind, description and synonyms in a few lines."""
        one = self.concept(concept)
        lines = [f"{one.name} ({one.id}, {one.kind}): {one.text}"]
        if one.synonyms:
            lines.append("also: " + ", ".join(one.synonyms))
        if one.attributes:
            lines.append("; ".join(f"{k}: {v}" for k, v in one.attributes.items()))
        if one.radlex:
            lines.append(f"RadLex {one.radlex}")
        return "\n".join(lines)

    def without(self, *edges: str) -> "Graph":
        """A copy that lacks these edges (ids `subject.relation.object`); to see what rests on them.

        Raises:
            InputError: The graph has no such edge.
        """
        missing = set(edges) - {e.id for e in self.edges}
        if missing:
            raise InputError(f"The graph has no edge {sorted(missing)[0]}.")
        return Graph(self, [e for e in self.edges if e.id not in edges])

    def stats(self) -> dict[str, Any]:
        """Counts: concepts, edges, surface forms, and both by kind and relation."""
        return {
            "concepts": len(self),
            "edges": len(self.edges),
            "surfaces": len(self.surfaces),
            "sources": len({e.source for e in self.edges}),
            "kinds": dict(sorted(Counter(c.kind for c in self).items())),
            "relations": dict(sorted(Counter(e.relation for e in self.edges).items())),
        }


@cache
def core_graph() -> Graph:
    """The graph that ships with the package, read once per process."""
    return Graph(*read(core_files()))
