"""From the concepts of a question over image nodes of the user's graphs to cases of their corpora."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from secondread.kg.graph import Graph
from secondread.kg.store.csr import CsrStore
from secondread.kg.store.records import StoredEdge
from secondread.kg.store.rowstore import RowStore
from secondread.kg.text.link import Linker
from secondread.schema.evidence import SimilarCase
from secondread.tools.retrieve.library import Library
from secondread.tools.retrieve.records import Item

IMAGES = "IMAGE:"
"""Namespace of image nodes whose key is the id of the image in the image store and in corpora."""
KINDS = ("finding", "disease", "device")
MOST = 20_000
"""Edges of one concept that are looked at."""


class Wanted(NamedTuple):
    """What an image has to show."""

    concept: str
    polarity: str


def wanted(text: str, graph: Graph) -> list[Wanted]:
    """Concepts of a question with the polarity in which it names them: `films without effusion` is negative."""
    found: dict[str, Wanted] = {}
    for mention in Linker.from_graph(graph).link(text):
        if graph.concept(mention.concept).kind in KINDS:
            polarity = {"absent": "negative", "uncertain": "uncertain"}.get(mention.assertion, "positive")
            found.setdefault(mention.concept, Wanted(mention.concept, polarity))
    return list(found.values())


def shown(text: str, graph: Graph, library: Library, k: int, modality: str | None = None) -> list[SimilarCase]:
    """Images that edges of the user's graphs say show everything that the text names; [] without such.

    Args:
        text: A question or a few words.
        graph: The authored graph, which names concepts.
        library: The user's graphs and corpora.
        k: Most cases.
        modality: Only images of this DICOM modality in their corpus.

    Returns:
        Cases by how many sources agree less how many say otherwise, then by id.
    """
    asked = wanted(text, graph) if library.graph_folders else []
    cases: list[tuple[int, SimilarCase]] = []
    for store in library.graphs() if asked else ():
        around = [_images(store, one) for one in asked]
        for node in set.intersection(*(set(images) for images in around)):
            edges = [edge for images in around for edge in images[node]]
            points = sum(1 if edge.polarity == one.polarity else -1 for one, images in zip(asked, around, strict=True)
                         for edge in images[node])  # fmt: skip
            cases.append((points, _case(node, asked, edges, store, library)))
    kept = [case for case in sorted(cases, key=lambda c: (-c[0], c[1].id)) if modality in (None, case[1].modality)]
    return [case for _, case in kept[:k]]


def _images(store: RowStore, one: Wanted) -> dict[str, list[StoredEdge]]:
    """Image nodes with an edge of the wanted polarity, and all their edges to the concept, others included."""
    if not store.has(one.concept):
        return {}
    found: dict[str, list[StoredEdge]] = {}
    for edge in store.neighbors(one.concept, "shows", "in", limit=MOST):
        if edge.polarity is not None:
            found.setdefault(edge.subject, []).append(edge)
    return {node: edges for node, edges in found.items() if any(e.polarity == one.polarity for e in edges)}


def _case(
    node: str, asked: Iterable[Wanted], edges: list[StoredEdge], store: RowStore, library: Library
) -> SimilarCase:
    key = node.removeprefix(IMAGES)
    item, corpus = _item(key, library)
    source = item.source if item is not None else edges[0].source
    name = f"graph {store.folder.name}" if isinstance(store, CsrStore) else "graph"
    said = "; ".join(_said(store, one, [e for e in edges if e.object == one.concept]) for one in asked)
    return SimilarCase(
        id=key,
        source=source,
        licence=item.licence if item is not None else "",
        date=item.date if item is not None else "",
        corpus=f"{corpus}, {name}" if corpus else name,
        labels=item.labels if item is not None else tuple(dict.fromkeys(e.object for e in edges)),
        modality=item.modality if item is not None else "",
        triples=tuple(edge.id for edge in edges),
        text=f"{key} from {source}: {said}",
    )


def _item(key: str, library: Library) -> tuple[Item | None, str]:
    """The image in the first of the user's corpora that holds it, and that corpus."""
    for held in library.users():
        item = held.corpus.get(key)
        if item is not None:
            info = held.corpus.info()
            return item, f"{info.name} v{info.version}"
    return None, ""


def _said(store: RowStore, one: Wanted, edges: list[StoredEdge]) -> str:
    """What sources say of one concept, contradictions side by side."""
    name = store.node(one.concept).name
    counts = Counter((edge.polarity or "", edge.source) for edge in edges)
    parts = [f"{polarity} by {source}" for polarity, source in sorted(counts, key=lambda c: (c[0] != one.polarity, c))]
    place = next(({**e.evidence} for e in edges if e.evidence and "start" in e.evidence), None)
    where = f" (report {place['report']}, {place['section'] or 'text'})" if place is not None else ""
    return f"{name} {' but '.join(parts) if len({p for p, _ in counts}) > 1 else ' and '.join(parts)}{where}"
