"""A graph in memory: small graphs, and the authored core and networkx graphs behind the same interface."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store.identity import checked
from secondread.kg.store.key import normal
from secondread.kg.store.records import (
    Name,
    Node,
    StoredEdge,
    confidence_byte,
    confidence_of,
    flag_byte,
    flags_of,
    names_of,
    polarity_of,
)
from secondread.kg.store.rowstore import MOST_HITS, Hit, Ints, RowStore
from secondread.kg.store.wording import sentence

if TYPE_CHECKING:
    import networkx

    from secondread.kg.graph import Graph


@dataclass
class _Held:
    """A node while it grows."""

    id: str
    kind: str = "unknown"
    names: list[Name] = field(default_factory=list)
    definition: str = ""
    types: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)

    def first(self) -> Name | None:
        """The name that the node goes by."""
        return next((n for n in self.names if n.preferred), self.names[0] if self.names else None)


class _Row(NamedTuple):
    subject: int
    object: int
    relation: int
    source: int
    flags: int
    confidence: int
    evidence: dict[str, Any] | None
    text: str


class _Sorted(NamedTuple):
    """Edges in the order of the interface, with where each node's start."""

    edges: list[_Row]
    subjects: Ints
    objects: Ints
    relations: Ints
    confidence: Ints | None
    out: Ints
    into: Ints
    back: Ints


class MemoryStore(RowStore):
    """Nodes and edges in lists; also takes nodes and edges one at a time (`GraphSink`)."""

    def __init__(self, about: Mapping[str, Any] | None = None) -> None:
        self.about = dict(about or {})
        self.inverses: dict[str, str] = {}
        self._nodes: list[_Held] = []
        self._rows: dict[str, int] = {}
        self._hits: dict[str, list[Hit]] = {}
        self._edges: list[_Row] = []
        self._same: set[tuple[int, int, int, int, int]] = set()
        self._relations: dict[str, int] = {}
        self._sources: dict[str, tuple[int, int]] = {}

    # Adding

    def source(self, name: str, *, srl: int = 0, licence: str = "") -> int:
        """Declare a source of names and edges."""
        self._sources.setdefault(name, (len(self._sources), srl))
        return self._sources[name][0]

    def _add(self, node: str) -> int:
        if node not in self._rows:
            self._rows[checked(node)] = len(self._nodes)
            self._nodes.append(_Held(node))
            self.__dict__.pop("_sorted", None)
        return self._rows[node]

    def put(
        self,
        node: str,
        *,
        kind: str,
        name: str,
        synonyms: Sequence[str | Name] = (),
        definition: str = "",
        types: Sequence[str] = (),
        source: str,
        srl: int = 0,
        attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a node, or more names to one; its row."""
        names = names_of(name, synonyms, source, srl)
        row = self._add(node)
        held = self._nodes[row]
        held.kind = kind
        held.names += names
        held.definition = held.definition or definition
        held.types += types
        held.attributes |= attributes or {}
        for one in names:
            self._hits.setdefault(normal(one.text), []).append(Hit(row, one.text, one.preferred))
        return row

    def join(
        self,
        subject: str,
        relation: str,
        obj: str,
        *,
        source: str,
        polarity: str | None = None,
        confidence: float | None = None,
        evidence: Mapping[str, Any] | None = None,
        flags: Sequence[str] = (),
        text: str = "",
    ) -> None:
        """Add an edge; ends that were not added become bare nodes of kind `unknown`.

        Self loops are left out, and so is an edge without evidence that its source gave before.

        Args:
            subject: Node id.
            relation: Name of the relation.
            obj: Node id.
            source: Where the edge comes from.
            polarity: positive, negative, uncertain or None.
            confidence: 0 to 1 or None.
            evidence: What the edge was read from.
            flags: Of `suppressed`, `inverted`, `inferred`.
            text: The edge in words; made from its names when empty.
        """
        first, second = self._add(subject), self._add(obj)
        byte = flag_byte(polarity, flags)
        code = self._relations.setdefault(relation, len(self._relations))
        key = (first, second, code, self.source(source), byte & 0b11000)
        if first == second or (not evidence and key in self._same):
            return
        if not evidence:
            self._same.add(key)
        row = _Row(*key[:4], byte, confidence_byte(confidence), dict(evidence) if evidence else None, text)
        self._edges.append(row)
        self.__dict__.pop("_sorted", None)

    @classmethod
    def of_networkx(cls, graph: "networkx.MultiDiGraph") -> "MemoryStore":
        """A store of a graph that `subgraph` or `view` gave; nodes carry `name` and `kind`, edges `edge`."""
        made = cls({"source": "networkx graph"})
        for node, data in graph.nodes(data=True):
            made.put(node, kind=data["kind"], name=data["name"], source="")
        for _, _, data in graph.edges(data=True):
            edge: StoredEdge = data["edge"]
            made.source(edge.source, srl=edge.srl)
            made.join(
                edge.subject, edge.relation, edge.object, source=edge.source, polarity=edge.polarity,
                confidence=edge.confidence, evidence=edge.evidence, flags=edge.flags, text=edge.text,
            )  # fmt: skip
        return made

    @cached_property
    def _sorted(self) -> _Sorted:
        edges = sorted(self._edges, key=lambda e: (e.subject, e.object, e.relation, e.source))
        columns = np.array([e[:6] for e in edges], np.int64).reshape(-1, 6)
        subjects, objects, relations = columns[:, 0], columns[:, 1], columns[:, 2]
        every = np.arange(len(self._nodes) + 1)
        back = np.argsort(objects, kind="stable")
        confidence = columns[:, 5].astype(np.uint8)
        return _Sorted(
            edges, subjects, objects, relations, confidence if confidence.any() else None,
            np.searchsorted(subjects, every), np.searchsorted(objects[back], every), back,
        )  # fmt: skip

    # Reading

    def row(self, node: str) -> int:
        """Row of an id, -1 when there is none."""
        return self._rows.get(node, -1)

    def id_of(self, row: int) -> str:
        """Id of a row."""
        return self._nodes[row].id

    def label(self, row: int) -> tuple[str, str]:
        """Name and kind of a row."""
        held = self._nodes[row]
        first = held.first()
        return (first.text if first else held.id), held.kind

    def record(self, row: int) -> Node:
        """Everything about the node of a row."""
        held = self._nodes[row]
        first = held.first()
        return Node(
            id=held.id, name=first.text if first else held.id, kind=held.kind, synonyms=tuple(held.names),
            definition=held.definition, types=tuple(held.types), source=first.source if first else "",
            srl=min((n.srl for n in held.names), default=0), attributes=dict(held.attributes),
        )  # fmt: skip

    def out_edges(self, row: int) -> tuple[Ints, Ints]:
        """Objects and edge numbers of the edges that leave a row."""
        held = self._sorted
        begin, end = int(held.out[row]), int(held.out[row + 1])
        return held.objects[begin:end], np.arange(begin, end)

    def in_edges(self, row: int) -> tuple[Ints, Ints]:
        """Subjects and edge numbers of the edges that reach a row."""
        held = self._sorted
        numbers = held.back[int(held.into[row]) : int(held.into[row + 1])]
        return held.subjects[numbers], numbers

    def matching(self, edges: Ints, relations: frozenset[str]) -> NDArray[np.bool_]:
        """Which edges have one of these relations."""
        codes = [self._relations[name] for name in relations if name in self._relations]
        return np.isin(self._sorted.relations[edges], codes)

    def weights(self, edges: Ints) -> Ints | None:
        """Confidence bytes of edges."""
        held = self._sorted.confidence
        return None if held is None else held[edges]

    def edge(self, number: int) -> StoredEdge:
        """The record of an edge."""
        held = self._sorted.edges
        one = held[number]
        nth = 1
        while number - nth >= 0 and held[number - nth][:3] == one[:3]:
            nth += 1
        relation, source = list(self._relations)[one.relation], list(self._sources)[one.source]
        subject, obj, polarity = self._nodes[one.subject].id, self._nodes[one.object].id, polarity_of(one.flags)
        said = one.text or sentence(self.label(one.subject)[0], relation, self.label(one.object)[0], polarity)
        return StoredEdge(
            subject=subject, relation=relation, object=obj, text=said, source=source,
            id=f"{subject}|{relation}|{obj}#{nth}", polarity=polarity, confidence=confidence_of(one.confidence),
            evidence=one.evidence, srl=self._sources[source][1], flags=flags_of(one.flags),
        )  # fmt: skip

    def hits(self, form: str) -> list[Hit]:
        """Names with exactly this normal form."""
        return self._hits.get(form, [])[:MOST_HITS]

    @cached_property
    def view(self) -> "networkx.MultiDiGraph":
        """The whole graph as networkx sees it, frozen; as `subgraph` gives it. Not for more than a million edges."""
        import networkx

        made = networkx.MultiDiGraph(truncated=None)
        for row, held in enumerate(self._nodes):
            name, kind = self.label(row)
            made.add_node(held.id, name=name, kind=kind)
        for number in range(len(self._sorted.edges)):
            edge = self.edge(number)
            made.add_edge(edge.subject, edge.object, key=edge.id, edge=edge)
        return networkx.freeze(made)

    def stats(self) -> dict[str, Any]:
        """Counts by kind, relation and source, and where the store comes from."""
        relations, sources = list(self._relations), list(self._sources)
        return {
            **self.about,
            "nodes": len(self._nodes),
            "edges": len(self._edges),
            "names": sum(len(n.names) for n in self._nodes),
            "kinds": dict(sorted(Counter(n.kind for n in self._nodes).items())),
            "relations": dict(sorted(Counter(relations[e.relation] for e in self._edges).items())),
            "sources": dict(sorted(Counter(sources[e.source] for e in self._edges).items())),
        }

    def close(self) -> None:
        """Nothing is held open."""


def core_store(graph: "Graph") -> MemoryStore:
    """The authored graph behind the interface of stores; qualifiers of its edges are their evidence."""
    made = MemoryStore({"source": "authored core graph", "licence": "Apache-2.0", "restricted": False})
    for concept in graph:
        made.put(
            concept.id, kind=concept.kind, name=concept.name,
            synonyms=[text for text in concept.surfaces() if text != concept.name], definition=concept.text,
            source="core", attributes=dict(concept.attributes),
        )  # fmt: skip
    for edge in graph.edges:
        made.join(
            edge.subject, edge.relation, edge.object, source=edge.source, evidence=edge.qualifiers or None,
            text=edge.text,
        )  # fmt: skip
    return made
