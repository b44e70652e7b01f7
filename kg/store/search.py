"""Shortest simple paths between two rows: layers from both ends, joined where they meet."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store.interface import HUB

if TYPE_CHECKING:
    from secondread.kg.store.rowstore import RowStore

FAN = 500
"""Edges taken of one node when a layer past the ends is expanded."""
LAYER = 60_000
"""Edges taken in one layer."""
TRIED = 20_000
"""Combinations of half paths looked at in one search."""


class Layer(NamedTuple):
    """Nodes that a walk of some length ends at, and the steps that led there."""

    nodes: NDArray[np.int64]
    """Sorted, each once."""
    begin: NDArray[np.int64]
    """Where the steps to each node start in `parents` and `edges`; one more at the end."""
    parents: NDArray[np.int64]
    """Index into the nodes of the layer before."""
    edges: NDArray[np.int64]


class Side:
    """Layers grown from one end."""

    def __init__(self, store: "RowStore", root: int, far: int, relations: frozenset[str] | None) -> None:
        nothing = np.zeros(0, np.int64)
        self.layers = [Layer(np.array([root]), np.zeros(2, np.int64), nothing, nothing)]
        self.sampled = 0
        self._store, self._ends, self._relations = store, (root, far), relations

    def layer(self, depth: int) -> Layer:
        """The layer at this many edges from the end."""
        while len(self.layers) <= depth:
            self._grow()
        return self.layers[depth]

    def _grow(self) -> None:
        """One more layer; walks through either end lead to no simple path, so the ends are not expanded again."""
        last = self.layers[-1]
        first = len(self.layers) == 1
        inner = np.arange(len(last.nodes)) if first else np.flatnonzero(~np.isin(last.nodes, self._ends))
        cap = HUB if first else max(8, min(FAN, LAYER // max(1, len(inner))))
        if len(inner) * cap > 4 * LAYER:
            self.sampled += len(inner) - LAYER
            inner = inner[:LAYER]
        fan = self._store.expand(last.nodes[inner], cap, self._relations)
        self.sampled += fan.sampled
        back = fan.others != self._ends[0]
        others, parents, edges = fan.others[back], inner[fan.parents[back]], fan.edges[back]
        order = np.argsort(others, kind="stable")
        others = others[order]
        new = np.flatnonzero(np.append(True, others[1:] != others[:-1])) if len(others) else np.zeros(0, np.int64)
        self.layers.append(Layer(others[new], np.append(new, len(others)), parents[order], edges[order]))

    def walks(self, depth: int, index: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Simple walks that end at a node of a layer: rows from the node back to the root, and the edges between."""
        layer = self.layers[depth]
        row = int(layer.nodes[index])
        if depth == 0:
            yield (row,), ()
            return
        for step in range(int(layer.begin[index]), int(layer.begin[index + 1])):
            for rows, edges in self.walks(depth - 1, int(layer.parents[step])):
                if row not in rows:
                    yield (row, *rows), (int(layer.edges[step]), *edges)


def chains(
    store: "RowStore",
    start: int,
    end: int,
    max_hops: int,
    limit: int,
    relations: frozenset[str] | None,
    deadline: float,
) -> tuple[list[tuple[int, ...]], str | None]:
    """Edge numbers of simple paths, shortest first, and why there may be more.

    A path of n edges is a walk of (n + 1) // 2 edges from the start and one of n // 2 from the end that meet.
    """
    found: list[tuple[int, ...]] = []
    if start == end:
        return found, None
    ahead, behind = Side(store, start, end, relations), Side(store, end, start, relations)
    tried = 0
    for length in range(1, max_hops + 1):
        here, there = (length + 1) // 2, length // 2
        left, right = ahead.layer(here), behind.layer(there)
        _, at_left, at_right = np.intersect1d(left.nodes, right.nodes, assume_unique=True, return_indices=True)
        for i, j in zip(at_left.tolist(), at_right.tolist(), strict=True):
            for rows, edges in ahead.walks(here, i):
                for back, rest in behind.walks(there, j):
                    tried += 1
                    if not set(rows) & set(back[1:]):
                        found.append((*reversed(edges), *rest))
                        if len(found) == limit:
                            return found, f"{limit} paths (limit)"
                    if tried >= TRIED or time.perf_counter() > deadline:
                        return found, "time" if tried < TRIED else f"{TRIED} combinations tried (limit)"
        if time.perf_counter() > deadline and length < max_hops:
            return found, "time"
    return found, _note(ahead.sampled + behind.sampled)


def _note(sampled: int) -> str | None:
    return f"{sampled} node{'s' * (sampled > 1)} with many edges sampled" if sampled else None


def layers_of(store: "RowStore", row: int, hops: int, cap: int) -> list[NDArray[Any]]:
    """Rows first reached at 0, 1, .. hops edges from a row, each node expanded by at most `cap` edges."""
    seen = np.array([row], np.int64)
    found = [seen]
    for _ in range(hops):
        there = np.unique(store.expand(found[-1], cap).others)
        there = there[~np.isin(there, seen, assume_unique=True)]
        seen = np.union1d(seen, there)
        found.append(there)
    return found
