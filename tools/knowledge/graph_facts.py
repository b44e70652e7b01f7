"""Paths of the knowledge graph that bear on a question."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from secondread.kg.concept import SENTENCES
from secondread.kg.reason import facts
from secondread.kg.reasoning.source import triple
from secondread.kg.reasoning.told import TOPICS, Told, tell
from secondread.schema.errors import InputError
from secondread.schema.evidence import GraphEdge, GraphPaths
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="graph_facts",
    version="1.1",
    summary="What the knowledge graph says of some concepts: causes, meaning, limits, how assessed, what is missing.",
    kind="graph_path",
    establishes=(),
    image="none",
    cost_seconds=0.01,
    examples=({"concepts": ["cardiothoracic_ratio"]},),
    cache="memory",
    limits=("General knowledge; it says nothing about the patient on an image.",),
)


class GraphFactsRequest(ToolRequest):
    """Which concepts, and what is wanted of them."""

    concepts: tuple[str, ...] = Field(min_length=1, max_length=12)
    """Concept ids, in the order asked."""
    relations: tuple[str, ...] = ()
    """Only these relations; empty: those that fit the question."""
    question: str = Field(default="knowledge", max_length=40)
    """Kind of the question; for `presence` the paths say how the concept is judged and what is missing."""
    topic: Literal["all", "definition", "causes", "meaning", "relation", "support", "limits", "assessment", "place"] = (
        "all"
    )
    """For a knowledge question: what is wanted. `causes` ranks explanations, `support` tells what speaks for and
    against the concepts, `relation` how they are connected."""
    present: tuple[str, ...] = Field(default=(), max_length=40)
    """Concept ids found present on the image; they count for explanations that would show them."""
    absent: tuple[str, ...] = Field(default=(), max_length=40)
    """Concept ids found absent on the image."""
    limit: int = Field(default=8, ge=1, le=50)
    """Most paths returned."""


@tool(CARD, request=GraphFactsRequest, result=GraphPaths, summary=lambda result: summarise(result))
def graph_facts(request: GraphFactsRequest, ctx: Context) -> GraphPaths:
    """What the knowledge graph says of some concepts, as paths with their sources."""
    graph = ctx.graph()
    unknown = [c for c in request.concepts if not graph.has(c)]
    if unknown:
        raise InputError(f"The graph has no concept {unknown[0][:80]!r}.", hint="Ask with a concept id of the graph.")
    wrong = [r for r in request.relations if r not in SENTENCES]
    if wrong:
        raise InputError(
            f"The graph has no relation {wrong[0][:80]!r}.", hint=f"Known: {', '.join(sorted(SENTENCES))}."
        )
    topic = request.topic if request.question == "knowledge" else "assessment"
    told = Told([])
    if topic in TOPICS and not request.relations:
        told = tell(graph, request.concepts, topic, request.present, request.absent, limit=request.limit)
        if topic == "support" and not (request.present or request.absent):
            told = Told([])
    paths: Sequence[Sequence[GraphEdge]] = told.paths
    if not (paths or request.present or request.absent):
        fallback = {"relation": "all", "support": "meaning"}.get(topic, topic)
        paths = facts(graph, request.concepts, topic=fallback, relations=request.relations, limit=request.limit)
    return GraphPaths(
        paths=tuple(tuple(_plain(edge.model_dump()) for edge in path) for path in paths),
        triples=tuple(tuple(triple(edge) for edge in path) for path in paths),
        ranked=told.ranked,
    )


def _plain(edge: dict[str, str]) -> GraphEdge:
    return GraphEdge.model_validate({k: v for k, v in edge.items() if k in GraphEdge.model_fields})


def summarise(result: GraphPaths) -> str:
    """How many paths, and the first of them."""
    if not result.paths:
        return "the graph says nothing of it"
    return f"{len(result.paths)} path(s), first: {' '.join(edge.text for edge in result.paths[0])}"
