"""Paths of the knowledge graph that bear on a question."""

from typing import Literal

from pydantic import Field

from secondread.kg.concept import SENTENCES
from secondread.kg.reason import facts
from secondread.schema.errors import InputError
from secondread.schema.evidence import GraphEdge, GraphPaths
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="graph_facts",
    version="1.0",
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
    topic: Literal["all", "definition", "causes", "meaning", "limits", "assessment", "place"] = "all"
    """For a knowledge question: what is wanted."""
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
    found = facts(graph, request.concepts, topic=topic, relations=request.relations, limit=request.limit)
    return GraphPaths(paths=tuple(tuple(_plain(edge.model_dump()) for edge in path) for path in found))


def _plain(edge: dict[str, str]) -> GraphEdge:
    return GraphEdge.model_validate({k: v for k, v in edge.items() if k in GraphEdge.model_fields})


def summarise(result: GraphPaths) -> str:
    """How many paths, and the first of them."""
    if not result.paths:
        return "the graph says nothing of it"
    return f"{len(result.paths)} path(s), first: {' '.join(edge.text for edge in result.paths[0])}"
