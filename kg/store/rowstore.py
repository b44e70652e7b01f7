"""What all stores share: the questions of the interface, answered from rows of nodes and numbers of edges."""

import abc
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store.interface import HUB, MAX_HOPS
from secondread.kg.store.key import normal, variants
from secondread.kg.store.records import Direction, Edges, Node, Paths, StoredEdge
from secondread.kg.store.wording import description
from secondread.schema.errors import InputError, StoreError

if TYPE_CHECKING:
    import networkx

Ints = NDArray[Any]
MOST_HITS = 2000
"""Names of one normal form that a look-up considers."""
LONGEST_TEXT = 10_000
"""Characters of the longest text that is looked up."""


class Hit(NamedTuple):
    """A name that has the normal form looked for."""

    row: int
    text: str
    preferred: bool


class Fan(NamedTuple):
    """Edges of several nodes, in the order of the nodes."""

    parents: Ints
    """Which of the nodes each edge belongs to, from 0."""
    others: Ints
    """Rows of the nodes at the other ends."""
    edges: Ints
    sampled: int
    """How many of the nodes had more edges than were taken."""


def sample(weights: Ints | None, total: int, count: int) -> Ints:
    """Which `count` of `total` edges to take: the most confident, and evenly spread where they are equally so."""
    if total <= count:
        return np.arange(total)
    if weights is None or not len(weights) or weights.min() == weights.max():
        return np.linspace(0, total - 1, count).round().astype(np.int64)
    order = np.argsort(-weights.astype(np.int16), kind="stable")
    least = weights[order[count - 1]]
    above = order[weights[order] > least]
    level = order[weights[order] == least]
    spread = level[np.linspace(0, len(level) - 1, count - len(above)).round().astype(np.int64)]
    return np.sort(np.concatenate((above, spread)))


class RowStore(abc.ABC):
    """A `GraphStore` over rows. Subclasses say how rows, edges and names are read."""

    inverses: dict[str, str]
    """Relation that was folded away -> the relation its edges are kept as, the other way round."""

    @abc.abstractmethod
    def row(self, node: str) -> int:
        """Row of an id, -1 when there is none."""

    @abc.abstractmethod
    def id_of(self, row: int) -> str:
        """Id of a row."""

    @abc.abstractmethod
    def label(self, row: int) -> tuple[str, str]:
        """Name and kind of a row."""

    @abc.abstractmethod
    def record(self, row: int) -> Node:
        """Everything about the node of a row."""

    @abc.abstractmethod
    def out_edges(self, row: int) -> tuple[Ints, Ints]:
        """Rows of the objects and numbers of the edges that leave a row, by object, relation, source, order added."""

    @abc.abstractmethod
    def in_edges(self, row: int) -> tuple[Ints, Ints]:
        """Rows of the subjects and numbers of the edges that reach a row."""

    @abc.abstractmethod
    def matching(self, edges: Ints, relations: frozenset[str]) -> NDArray[np.bool_]:
        """Which edges have one of these relations."""

    @abc.abstractmethod
    def weights(self, edges: Ints) -> Ints | None:
        """Confidence bytes of edges, None when no edge has one."""

    @abc.abstractmethod
    def edge(self, number: int) -> StoredEdge:
        """The record of an edge."""

    @abc.abstractmethod
    def hits(self, form: str) -> list[Hit]:
        """Names with exactly this normal form."""

    @abc.abstractmethod
    def stats(self) -> dict[str, Any]:
        """Counts by kind, relation and source, and where the store comes from."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of files; the store cannot be used afterwards."""

    def degree(self, row: int) -> int:
        """Edges of a row, both ways."""
        return len(self.out_edges(row)[1]) + len(self.in_edges(row)[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The interface

    def _known(self, node: str) -> int:
        row = self.row(node)
        if row < 0:
            raise InputError(f"The graph has no node {node[:80]!r}.", hint="See `secondread kg query`.")
        return row

    def has(self, node: str) -> bool:
        """Whether there is a node with this id."""
        return self.row(node) >= 0

    def node(self, node: str) -> Node:
        """The node with this id.

        Raises:
            InputError: There is none.
        """
        return self.record(self._known(node))

    def lookup(self, text: str, *, limit: int = 20) -> list[Node]:
        """Nodes that exactly this text names; see `GraphStore.lookup`.

        Raises:
            InputError: The limit is below 1.
        """
        return [self.record(row) for row in self.lookup_rows(text, limit=limit)]

    def lookup_rows(self, text: str, *, limit: int = 20) -> list[int]:
        """Rows of the nodes that `lookup` finds."""
        if limit < 1:
            raise InputError("A limit is at least 1.")
        text = text.strip()
        if not normal(text) or len(text) > LONGEST_TEXT:
            return []
        for form in variants(text):
            best: dict[int, tuple[bool, bool]] = {}
            for hit in self.hits(form):
                rank = (hit.text != text, not hit.preferred)
                best[hit.row] = min(rank, best.get(hit.row, rank))
            if best:
                ranked = sorted((*rank, -self.degree(row), self.id_of(row), row) for row, rank in best.items())
                return [row for *_, row in ranked[:limit]]
        return []

    def describe(self, node: str) -> str:
        """Name, kind, definition and names in a few lines.

        Raises:
            InputError: No such node.
        """
        return description(self.node(node))

    def neighbors(
        self, node: str, relation: str | None = None, direction: Direction = "out", *, limit: int = 200
    ) -> Edges:
        """Edges of a node, those that leave it first; see `GraphStore.neighbors`.

        Raises:
            InputError: No such node, direction or limit.
        """
        row = self._known(node)
        if direction not in ("out", "in", "both"):
            raise InputError(f"Direction {str(direction)[:20]!r} is not out, in or both.")
        if limit < 1:
            raise InputError("A limit is at least 1.")
        numbers = self.neighbor_edges(row, relation, direction)
        total = len(numbers)
        if total <= limit:
            return Edges(self.edge(int(n)) for n in numbers)
        if total > HUB:
            taken, how = sample(self.weights(numbers), total, limit), "a sample of a hub, by confidence"
        else:
            taken, how = np.arange(limit), "limit"
        return Edges((self.edge(int(n)) for n in numbers[taken]), f"{limit} of {total} edges ({how})")

    def neighbor_edges(self, row: int, relation: str | None, direction: Direction) -> Ints:
        """Numbers of all edges of a row, optionally of one relation."""
        kept = None if relation is None else self.inverses.get(relation)
        parts = [np.zeros(0, np.int64)]
        for way, other in (("out", "in"), ("in", "out")):
            # `a folded b` is kept as `b kept a`, so what leaves by a folded relation is found among what reaches.
            wanted = {
                name for name, at in ((relation, way), (kept, other)) if name is not None and direction in (at, "both")
            }
            if not wanted and not (relation is None and direction in (way, "both")):
                continue
            numbers = self.out_edges(row)[1] if way == "out" else self.in_edges(row)[1]
            parts.append(numbers if relation is None else numbers[self.matching(numbers, frozenset(wanted))])
        return np.concatenate(parts)

    def expand(self, rows: Ints, cap: int, relations: frozenset[str] | None = None) -> Fan:
        """Edges of several nodes both ways; of a node with more than `cap` of them a sample."""
        parents, others, numbers, sampled = [], [], [], 0
        for index, row in enumerate(rows):
            there, edges = (
                np.concatenate(two) for two in zip(self.out_edges(int(row)), self.in_edges(int(row)), strict=True)
            )
            if relations is not None:
                fits = self.matching(edges, relations)
                there, edges = there[fits], edges[fits]
            if len(edges) > cap:
                sampled += 1
                taken = sample(self.weights(edges), len(edges), cap)
                there, edges = there[taken], edges[taken]
            parents.append(np.full(len(edges), index))
            others.append(there)
            numbers.append(edges)
        nothing = np.zeros(0, np.int64)
        first, second, third = (np.concatenate([nothing, *p]).astype(np.int64) for p in (parents, others, numbers))
        return Fan(first, second, third, sampled)

    def paths(
        self,
        start: str,
        end: str,
        *,
        max_hops: int = 4,
        limit: int = 5,
        relations: Iterable[str] | None = None,
        timeout_s: float = 2.0,
    ) -> Paths:
        """Shortest simple chains of edges between two nodes; see `GraphStore.paths`.

        Raises:
            InputError: No such node, or a limit out of range.
        """
        from secondread.kg.store.search import chains

        ends = self._known(start), self._known(end)
        if not 1 <= max_hops <= MAX_HOPS or limit < 1 or not timeout_s > 0:
            raise InputError(f"max_hops is 1 to {MAX_HOPS}, limit at least 1, timeout_s above 0.")
        found, truncated = chains(self, *ends, max_hops, limit, self.kept(relations), time.perf_counter() + timeout_s)
        return Paths((tuple(self.edge(n) for n in chain) for chain in found), truncated)

    def kept(self, relations: Iterable[str] | None) -> frozenset[str] | None:
        """Relations as edges carry them."""
        if relations is None:
            return None
        return frozenset(self.inverses.get(name, name) for name in relations)

    def subgraph(
        self, ids: Iterable[str], *, hops: int = 1, max_edges: int = 2000, timeout_s: float = 2.0
    ) -> "networkx.MultiDiGraph":
        """Surroundings of some nodes, nearest edges first; see `GraphStore.subgraph`.

        Raises:
            InputError: No such node, or a limit out of range.
        """
        import networkx

        if not 0 <= hops <= MAX_HOPS or max_edges < 1 or not timeout_s > 0:
            raise InputError(f"hops is 0 to {MAX_HOPS}, max_edges at least 1, timeout_s above 0.")
        seeds = [self._known(node) for node in dict.fromkeys(ids)]
        rows, numbers, truncated = self.surroundings(seeds, hops, max_edges, time.perf_counter() + timeout_s)
        made = networkx.MultiDiGraph(truncated=truncated)
        for row in rows:
            name, kind = self.label(row)
            made.add_node(self.id_of(row), name=name, kind=kind)
        for number in numbers:
            edge = self.edge(number)
            made.add_edge(edge.subject, edge.object, key=edge.id, edge=edge)
        return made

    def surroundings(
        self, seeds: list[int], hops: int, max_edges: int, deadline: float
    ) -> tuple[list[int], list[int], str | None]:
        """Rows and edge numbers around some rows, nearest first, and why there are not all of them."""
        rows: dict[int, None] = dict.fromkeys(seeds)
        numbers: dict[int, None] = {}
        hubs, front = 0, np.array(seeds, np.int64)
        for _ in range(hops):
            reached: dict[int, None] = {}
            for fan in self._pieces(front):
                hubs += fan.sampled
                for there, number in zip(fan.others.tolist(), fan.edges.tolist(), strict=True):
                    if number in numbers:
                        continue
                    if len(numbers) == max_edges:
                        return list(rows), list(numbers), f"{max_edges} edges (limit)"
                    numbers[number] = None
                    if there not in rows:
                        rows[there] = reached[there] = None
                if time.perf_counter() > deadline:
                    return list(rows), list(numbers), "time"
            front = np.fromiter(reached, np.int64, len(reached))
        return list(rows), list(numbers), hub_note(hubs)

    def _pieces(self, front: Ints) -> Iterator[Fan]:
        """Edges of a front, some nodes at a time, so that limits are met soon."""
        for begin in range(0, len(front), 64):
            yield self.expand(front[begin : begin + 64], HUB)


def hub_note(hubs: int) -> str | None:
    """What a result says when hubs were sampled."""
    return f"{hubs} hub{'s' * (hubs > 1)} sampled (more than {HUB} edges)" if hubs else None


def damaged() -> StoreError:
    """The error for numbers that point out of the store."""
    return StoreError(
        "The graph store is damaged: a number points outside it.", hint="Run `secondread kg check FOLDER`."
    )
