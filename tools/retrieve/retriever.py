"""Search in a corpus: dense, words, concepts and graph, each with its own ranking, joined by reciprocal ranks."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import SecondReadError, UsageError
from secondread.tools.retrieve.build import check_fingerprint
from secondread.tools.retrieve.corpus.corpus import Corpus
from secondread.tools.retrieve.encoders.base import Encoder, Picture, encoder, unit
from secondread.tools.retrieve.fuse import adaptive, fused, ranks_of
from secondread.tools.retrieve.index.vector_index import IndexCard, VectorIndex, read_card
from secondread.tools.retrieve.lexical import idf, stem, stems, terms
from secondread.tools.retrieve.records import IMAGE_KINDS, TEXT_KINDS, Found, Hit, Item

if TYPE_CHECKING:
    from secondread.kg.graph import Graph

CHANNELS = ("dense", "words", "concepts", "graph")
WEIGHTS = {"dense": 1.0, "words": 1.0, "concepts": 0.02, "graph": 0.005}
"""Weights of the channels in the fusion; concepts and graph order what words leave nearly level. Chosen on the half of
the topics that `evals.passages --choose` prints."""
POOL = 50
"""Candidates of each channel that go into the fusion."""
MAX_K = 100
COVERED = 0.5
"""A passage counts as relevant only when it holds at least this share of the weight of the query's words; a word that
belongs to a concept counts as held when the passage names the concept in any wording."""
FLOOR_QUANTILE = 0.01
"""An image is similar only when its similarity is at least this quantile of the similarities between stored images of
different people and their nearest neighbours: what is farther than 99 of 100 neighbours is no neighbour."""
FLOOR_SAMPLE = 400
DAMPING = 0.5
"""Of the personalised PageRank (HippoRAG 2 uses 0.5: half of the walk stays near the question)."""


class Retriever:
    """One corpus, open for search. Thread-safe."""

    def __init__(self, corpus: Corpus, graph: "Graph | None" = None) -> None:
        self.corpus = corpus
        self._graph = graph
        self._lock = threading.RLock()
        self._encoders: dict[str, Encoder] = {}
        self._indices: dict[str, tuple[VectorIndex, NDArray[np.int64]]] = {}
        self._floor: float | None = None

    @classmethod
    def open(cls, folder: Path) -> "Retriever":
        """Open a corpus for search.

        Raises:
            InputError: There is none, or it is damaged.
        """
        return cls(Corpus.open(folder))

    @property
    def graph(self) -> "Graph":
        """The graph that queries are linked to."""
        if self._graph is None:
            from secondread.kg.graph import core_graph

            self._graph = core_graph()
        return self._graph

    def close(self) -> None:
        """Close the corpus."""
        self.corpus.close()

    # texts ------------------------------------------------------------------------------------------------------

    def passages(
        self,
        query: str,
        k: int = 5,
        *,
        where: Mapping[str, Any] | None = None,
        channels: Sequence[str] | None = None,
        not_patients: Sequence[str] = (),
        cut: bool = True,
        floor: bool = True,
    ) -> Found:
        """Passages and reports that answer a query.

        Args:
            query: Free text.
            k: Most hits, 1 to 100.
            where: Filters, see `Corpus.allowed`.
            channels: Of `dense`, `words`, `concepts`, `graph`; None: all that the corpus has.
            not_patients: Opaque keys of people whose reports are left out.
            cut: Stop where the ranking falls off; False gives k hits when there are as many above the floor.
            floor: Leave out passages that hold too little of the query, see `COVERED`.

        Raises:
            UsageError: `k` is out of range, or a channel is unknown.
            InputError: An unknown filter.
        """
        info = self.corpus.info()
        _check_k(k)
        wanted = tuple(channels) if channels is not None else CHANNELS
        unknown = sorted(set(wanted) - set(CHANNELS))
        if unknown:
            raise UsageError(f"There is no channel {unknown[0]!r}.")
        words = terms(query)
        allowed = self.corpus.allowed({"kind": TEXT_KINDS, **(where or {})}, not_patients=not_patients)
        named = self._concepts(query)
        rankings: dict[str, list[int]] = {}
        similar: dict[int, float] = {}
        if "words" in wanted and words:
            rankings["words"] = _kept([r for r, _ in self.corpus.words(words, 4 * POOL)], allowed)
        if "concepts" in wanted and named:
            rankings["concepts"] = _kept(self._by_concepts(named), allowed)
        if "graph" in wanted and named:
            rankings["graph"] = _kept(self._by_graph(named), allowed)
        if "dense" in wanted and info.text_encoder and words:
            similar = self._dense_texts(query, allowed)
            rankings["dense"] = list(similar)
        ranked = fused({c: r[:POOL] for c, r in rankings.items() if r}, WEIGHTS)
        if not ranked:
            return Found(hits=(), corpus=info, note="nothing in the corpus matches the question")
        items = self.corpus.rows([row for row, _ in ranked[: 4 * POOL]])
        asked = self._asked(query, words, info.items)
        relevant = [
            (row, score)
            for row, score in ranked
            if row in items and (not floor or self._covers(asked, items[row]) >= COVERED)
        ]
        if not relevant:
            return Found(hits=(), corpus=info, below_floor=True, note="nothing in the corpus is close to the question")
        count = min(k, adaptive([s for _, s in relevant], least=min(3, k)) if cut else k)
        hits = [
            Hit(item=items[row], score=round(score, 6), similarity=similar.get(row), ranks=ranks_of(rankings, row))
            for row, score in relevant[:count]
        ]
        return Found(hits=tuple(hits), corpus=info)

    def _asked(self, query: str, words: Sequence[str], count: int) -> list[tuple[str, float, frozenset[str]]]:
        """Each word of a query with its weight and the concepts in whose mention it stands."""
        from secondread.kg.link import mentions

        within: dict[str, set[str]] = {}
        for mention in mentions(query, self.graph):
            for word in terms(mention.text):
                within.setdefault(word, set()).update((mention.concept, *mention.alternatives))
        return [(w, idf(self.corpus.frequency(w), count), frozenset(within.get(w, ()))) for w in words]

    def _covers(self, asked: Sequence[tuple[str, float, frozenset[str]]], item: Item) -> float:
        """Share of the query's weight that an item holds, in its own words or by the concepts it names."""
        text = f"{item.title} {item.text} {' '.join(item.labels)}"
        held, named = stems(text), set(self._concepts(text))
        total = sum(weight for _, weight, _ in asked)
        met = sum(weight for word, weight, concepts in asked if stem(word) in held or concepts & named)
        return met / total if total > 0 else 0.0

    def _concepts(self, text: str) -> list[str]:
        from secondread.kg.link import mentions

        return list(dict.fromkeys(m.concept for m in mentions(text, self.graph)))

    def _by_concepts(self, named: Sequence[str]) -> list[int]:
        """Rows by the summed weight of the query's concepts that they name; rare concepts weigh more."""
        count = max(1, self.corpus.info().items)
        pairs = self.corpus.named(named)
        often = {c: sum(1 for _, other in pairs if other == c) for c in named}
        total: dict[int, float] = {}
        for row, concept in pairs:
            total[row] = total.get(row, 0.0) + idf(often[concept], count)
        return [r for r, _ in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))]

    def _by_graph(self, named: Sequence[str]) -> list[int]:
        """Rows by the rank that a walk from the query's concepts gives to the concepts they name."""
        import networkx

        around = self.graph.subgraph(named, hops=2, max_edges=400)
        if around.number_of_edges() == 0:
            return []
        ranks = networkx.pagerank(around, alpha=1 - DAMPING, personalization=dict.fromkeys(named, 1.0))
        best = dict(sorted(ranks.items(), key=lambda pair: (-pair[1], pair[0]))[:40])
        total: dict[int, float] = {}
        for row, concept in self.corpus.named(list(best)):
            total[row] = total.get(row, 0.0) + best[concept]
        return [r for r, _ in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))]

    def _dense_texts(self, query: str, allowed: set[int] | None) -> dict[int, float]:
        index, rows = self._index("text")
        vector = self._encoder("text").embed_texts([query])
        return self._near(index, rows, vector, POOL, allowed)

    # images -----------------------------------------------------------------------------------------------------

    def similar(
        self,
        pictures: Sequence[Picture],
        k: int = 5,
        *,
        where: Mapping[str, Any] | None = None,
        not_patients: Sequence[str] = (),
        not_items: Sequence[str] = (),
        floor: bool = True,
    ) -> Found:
        """Images like a picture (several pictures count as one, by their mean vector).

        Args:
            pictures: Red, green and blue, each (rows, columns, 3).
            k: Most hits, 1 to 100.
            where: Filters, see `Corpus.allowed`.
            not_patients: Opaque keys of people whose images are left out.
            not_items: Ids that are left out, e.g. the image itself.
            floor: Leave out images that are farther than neighbours of this corpus are.

        Raises:
            UsageError: `k` is out of range.
            InputError: An unknown filter, or vectors of another encoder.
        """
        _check_k(k)
        info = self.corpus.info()
        if not info.encoder:
            return Found(hits=(), corpus=info, note="the corpus holds no images")
        vectors = self._encoder("image").embed_images(list(pictures))
        query = unit(vectors.mean(0, keepdims=True))
        return self._similar(query, k, where, not_patients, not_items, self.floor() if floor else None)

    def pictured(self, text: str, k: int = 5, *, where: Mapping[str, Any] | None = None) -> Found:
        """Images that a text describes: by the image encoder where it takes texts, and by labels and titles.

        Raises:
            UsageError: `k` is out of range.
            InputError: An unknown filter.
        """
        _check_k(k)
        info = self.corpus.info()
        allowed = self.corpus.allowed({"kind": IMAGE_KINDS, **(where or {})})
        rankings: dict[str, list[int]] = {}
        similar: dict[int, float] = {}
        words, named = terms(text), self._concepts(text)
        if words:
            rankings["words"] = _kept([r for r, _ in self.corpus.words(words, 4 * POOL)], allowed)
        if named:
            rankings["concepts"] = _kept(self._by_concepts(named), allowed)
        if info.encoder and "texts" in self._encoder("image").card.takes:
            index, rows = self._index("image")
            similar = self._near(index, rows, self._encoder("image").embed_texts([text]), POOL, allowed)
            rankings["dense"] = list(similar)
        ranked = fused({c: r[:POOL] for c, r in rankings.items() if r})[:k]
        items = self.corpus.rows([row for row, _ in ranked])
        hits = tuple(
            Hit(item=items[row], score=round(score, 6), similarity=similar.get(row), ranks=ranks_of(rankings, row))
            for row, score in ranked
            if row in items
        )
        return Found(hits=hits, corpus=info, note="" if hits else "no image in the corpus is described like this")

    def _similar(
        self,
        query: NDArray[np.float32],
        k: int,
        where: Mapping[str, Any] | None,
        not_patients: Sequence[str],
        not_items: Sequence[str],
        floor: float | None,
    ) -> Found:
        info = self.corpus.info()
        index, rows = self._index("image")
        filters = {"kind": IMAGE_KINDS, **(where or {})}
        allowed = self.corpus.allowed(filters, not_patients=not_patients)
        near = self._near(index, rows, query, k + len(not_items), allowed)
        items = self.corpus.rows(list(near))
        ranked = [(row, s) for row, s in near.items() if row in items and items[row].id not in set(not_items)]
        kept = [(row, s) for row, s in ranked if floor is None or s >= floor][:k]
        if ranked and not kept:
            return Found(hits=(), corpus=info, below_floor=True, note="no image of the corpus is close to this one")
        hits = tuple(
            Hit(item=items[row], score=round(s, 4), similarity=round(s, 4), ranks={"dense": rank})
            for rank, (row, s) in enumerate(kept, 1)
        )
        return Found(hits=hits, corpus=info, note="" if hits else "no image of the corpus passes the filter")

    def floor(self) -> float:
        """The least similarity that counts: see `FLOOR_QUANTILE`; -1 when the corpus is too small to tell."""
        with self._lock:
            if self._floor is None:
                self._floor = self._measured_floor()
            return self._floor

    def _measured_floor(self) -> float:
        stored = self.corpus.meta("floor:image")
        version = self.corpus.meta("version")
        if stored.startswith(f"{version} "):
            return float(stored.split()[1])
        index, rows = self._index("image")
        live = np.flatnonzero(rows >= 0)
        if len(live) < 50:
            return -1.0
        rng = np.random.default_rng(60200)
        picked = np.sort(rng.choice(live, min(FLOOR_SAMPLE, len(live)), replace=False))
        items = self.corpus.rows([int(rows[n]) for n in picked])
        best: list[float] = []
        for number in picked:
            item = items.get(int(rows[number]))
            if item is None:
                continue
            others = self.corpus.allowed({"kind": IMAGE_KINDS}, not_patients=[item.patient]) if item.patient else None
            near = self._near(index, rows, np.asarray(index.vectors[number])[None], 3, others)
            near.pop(int(rows[number]), None)
            if near:
                best.append(max(near.values()))
        return float(np.quantile(best, FLOOR_QUANTILE)) if best else -1.0

    def _near(
        self,
        index: VectorIndex,
        rows: NDArray[np.int64],
        query: NDArray[np.float32],
        k: int,
        allowed: set[int] | None,
    ) -> dict[int, float]:
        """Row -> similarity of the nearest vectors whose items are there and allowed, best first."""
        mask = rows >= 0
        if allowed is not None:
            mask &= np.isin(rows, np.fromiter(allowed, np.int64, len(allowed)))
        ids, scores = index.search(query, k, allowed=None if mask.all() else mask)
        return {int(rows[i]): float(s) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0}

    def _encoder(self, kind: str) -> Encoder:
        with self._lock:
            if kind not in self._encoders:
                made = encoder(self.corpus.meta(f"encoder:{kind}"))
                check_fingerprint(self.corpus, kind, made)
                self._encoders[kind] = made
            return self._encoders[kind]

    def _index(self, space: str) -> tuple[VectorIndex, NDArray[np.int64]]:
        with self._lock:
            if space not in self._indices:
                vectors = self.corpus.space(space).all()
                stored = read_card(self.corpus.meta(f"index:{space}"))
                card = stored or IndexCard(
                    kind="flat", space=space, fingerprint=self.corpus.meta(f"fingerprint:{space}"),
                    dimension=vectors.shape[1], count=len(vectors),
                )  # fmt: skip
                if card.fingerprint != self.corpus.meta(f"fingerprint:{space}"):
                    raise SecondReadError("The index is of another encoder.", hint="Build the index again.")
                opened = VectorIndex(vectors, card, self.corpus.folder)
                self._indices[space] = (opened, self.corpus.vector_rows(space))
            return self._indices[space]


def _kept(rows: Sequence[int], allowed: set[int] | None) -> list[int]:
    return [r for r in rows if allowed is None or r in allowed]


def _check_k(k: int) -> None:
    if not 1 <= k <= MAX_K:
        raise UsageError(f"k is {k}; it must be 1 to {MAX_K}.")
