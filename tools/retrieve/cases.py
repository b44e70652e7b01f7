"""Hits of an image search as evidence: what each case is, and in which words it may be quoted."""

from collections import Counter
from collections.abc import Sequence

from secondread.schema.evidence import SimilarCase, SimilarCases
from secondread.tools.retrieve.records import Found, Hit

LABELS = 6
"""Labels of one case that are worded."""


def case_of(hit: Hit, found: Found) -> SimilarCase:
    """One hit as a case."""
    item = hit.item
    return SimilarCase(
        id=item.id,
        source=item.source,
        licence=item.licence,
        date=item.date,
        corpus=f"{found.corpus.name} v{found.corpus.version}",
        labels=item.labels,
        modality=item.modality,
        similarity=hit.similarity,
        ranks=dict(hit.ranks),
        text=said(hit),
    )


def said(hit: Hit) -> str:
    """The case in one sentence: id, how near, and what its source calls it."""
    item = hit.item
    near = f" with similarity {hit.similarity:.2f}" if hit.similarity is not None else ""
    labels = ", ".join(item.labels[:LABELS]).replace("_", " ")
    called = f"its source labels it {labels}" if labels else "its source gives it no label"
    return f"{item.id} from {item.source}{near}; {called}"


def merged(found: Sequence[Found], k: int) -> list[tuple[Hit, Found]]:
    """Hits of several corpora, best first: by similarity where all have one, else by score."""
    pairs = [(hit, one) for one in found for hit in one.hits]
    near = all(hit.similarity is not None for hit, _ in pairs)
    return sorted(pairs, key=lambda p: (-((p[0].similarity or 0.0) if near else p[0].score), p[0].item.id))[:k]


def summarise(result: SimilarCases) -> str:
    """How many cases, and what their sources call them."""
    counts = Counter(label for case in result.items for label in case.labels)
    labels = ", ".join(f"{label} {n}" for label, n in counts.most_common(5))
    return f"{len(result.items)} case(s){f', labels: {labels}' if labels else ', without labels'}"
