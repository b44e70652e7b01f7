"""Cited passages that bear on a question."""

from typing import Any

from pydantic import Field

from secondread.schema.errors import NotApplicable
from secondread.schema.evidence import Passage, Passages
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.retrieve.extract import extract
from secondread.tools.retrieve.records import Found, Hit

CARD = Card(
    name="literature",
    version="1",
    summary="Passages of the user's corpora and of the shipped ones that bear on a question, quoted with their source.",
    kind="passage",
    establishes=("literature_tool",),
    image="none",
    cost_seconds=0.05,
    examples=({"query": "limits of the cardiothoracic ratio"},),
    cache="memory",
    limits=(
        "It quotes what a source says; it says nothing about the patient on an image.",
        "Texts are found by words, concepts and graph neighbours; by meaning only in a corpus with a text encoder.",
    ),
)


class LiteratureRequest(ToolRequest):
    """What to look for."""

    query: str = Field(min_length=1, max_length=2000)
    """The question, or words of it."""
    k: int = Field(default=3, ge=1, le=20)
    """Most passages."""
    source: str | None = Field(default=None, max_length=200)
    """Only passages of this source."""


@tool(CARD, request=LiteratureRequest, result=Passages, summary=lambda result: summarise(result))
def literature(request: LiteratureRequest, ctx: Context) -> Passages:
    """Passages that bear on a question, each with id, source, licence, corpus and version."""
    where: dict[str, Any] = {"source": request.source} if request.source else {}
    found = [one.passages(request.query, request.k, where=where) for one in ctx.library().all()]
    ranked = sorted(
        ((hit, one) for one in found for hit in one.hits), key=lambda pair: (-pair[0].score, pair[0].item.id)
    )[: request.k]
    if not ranked:
        raise NotApplicable(
            "No passage of the installed corpora is close to this question.",
            hint="Add texts with `secondread index build`, and name the corpus with --corpus.",
        )
    return Passages(items=tuple(_passage(hit, one, request.query) for hit, one in ranked))


def _passage(hit: Hit, found: Found, query: str) -> Passage:
    item = hit.item
    return Passage(
        text=extract(query, item.text),
        source=item.source,
        licence=item.licence,
        id=item.id,
        title=item.title,
        date=item.date,
        corpus=f"{found.corpus.name} v{found.corpus.version}",
        ranks=dict(hit.ranks),
    )


def summarise(result: Passages) -> str:
    """How many passages, and where they are from."""
    sources = ", ".join(dict.fromkeys(p.source for p in result.items))
    return f"{len(result.items)} passage(s) from {sources}"
