"""Tools that look into the knowledge graph: concepts, chains between two of them, what is said of some."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult
from pydantic import Field

from secondread.kg.concept import Concept
from secondread.schema.errors import SecondReadError, UsageError
from secondread.schema.evidence import GraphEdge, GraphPaths
from secondread.schema.record import Record
from secondread.serve.mcp.asking import Desk
from secondread.serve.mcp.clients import client_of
from secondread.serve.mcp.expert import run_expert, shown_type
from secondread.serve.mcp.wire import PAGE, refusal

if TYPE_CHECKING:
    from secondread.kg.graph import Graph

Term = Annotated[str, Field(min_length=1, max_length=200, description="Concept id or words.")]


class ConceptShown(Record):
    """A concept of the graph and its edges."""

    concept: Concept
    text: str
    """What the graph says of it, in words."""
    edges: tuple[GraphEdge, ...]
    next: int | None = None
    """First edge of the next page; None: these are the last."""


class PathsShown(Record):
    """Chains of edges between two concepts, shortest first."""

    start: str
    end: str
    paths: tuple[tuple[GraphEdge, ...], ...]


class Knowledge:
    """The kg_ tools.

    Args:
        desk: Runs `graph_facts` and keeps its evidence.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def kg_concept(
        self,
        term: Term,
        relation: Annotated[str | None, Field(max_length=64, description="Only edges of this relation.")] = None,
        first: Annotated[int, Field(ge=0, le=1_000_000, description="First edge of the page.")] = 0,
    ) -> ConceptShown:
        """A concept of the knowledge graph: definition, synonyms, and its edges with their sources."""
        return await asyncio.to_thread(_concept, term, relation, first)

    async def kg_paths(
        self,
        start: Term,
        end: Term,
        max_hops: Annotated[int, Field(ge=1, le=6, description="Longest chain, in edges.")] = 4,
        limit: Annotated[int, Field(ge=1, le=25, description="Most chains.")] = 5,
    ) -> PathsShown:
        """How two concepts of the knowledge graph are connected: chains of edges with their sources."""
        return await asyncio.to_thread(_paths, start, end, max_hops, limit)

    async def kg_facts(
        self,
        ctx: Context,
        concepts: Annotated[list[Term], Field(min_length=1, max_length=12, description="Concept ids or words.")],
        topic: Annotated[
            Literal["all", "definition", "causes", "meaning", "relation", "support", "limits", "assessment", "place"],
            Field(description="What is wanted of them."),
        ] = "all",
        present: Annotated[list[Term], Field(max_length=40, description="Found present on the image.")] = [],  # noqa: B006  # never changed; the SDK reads it
        absent: Annotated[list[Term], Field(max_length=40, description="Found absent on the image.")] = [],  # noqa: B006  # as above
        limit: Annotated[int, Field(ge=1, le=50, description="Most paths.")] = 8,
    ) -> Annotated[CallToolResult, shown_type(GraphPaths)]:
        """What the knowledge graph says of some concepts, as evidence: causes, meaning, limits, how they are judged."""
        given: dict[str, Any] = {
            "concepts": await asyncio.to_thread(_ids, concepts),
            "topic": topic,
            "present": await asyncio.to_thread(_ids, present),
            "absent": await asyncio.to_thread(_ids, absent),
            "limit": limit,
        }
        return await run_expert(self._desk, "graph_facts", given, client_of(ctx))


def _graph() -> "Graph":
    from secondread.kg.graph import core_graph

    return core_graph()


def _id(graph: "Graph", term: str) -> str:
    if graph.has(term):
        return term
    found = graph.lookup(term)
    if len(found) == 1:
        return found[0].id
    if not found:
        raise UsageError("The graph has nothing of this name.", hint="Try another word for it.")
    raise UsageError(f"The term can mean more than one thing: {', '.join(one.id for one in found[:8])}.")


def _ids(terms: list[str]) -> list[str]:
    try:
        return [_id(_graph(), term) for term in terms]
    except SecondReadError as error:
        raise refusal(error) from None


def _concept(term: str, relation: str | None, first: int) -> ConceptShown:
    graph = _graph()
    try:
        name = _id(graph, term)
    except SecondReadError as error:
        raise refusal(error) from None
    ways: tuple[Literal["out", "in"], ...] = ("out", "in")
    edges = [e for way in ways for e in graph.neighbors(name, relation, direction=way)]
    return ConceptShown(
        concept=graph.concept(name),
        text=graph.describe(name),
        edges=tuple(_plain(e) for e in edges[first : first + PAGE]),
        next=first + PAGE if first + PAGE < len(edges) else None,
    )


def _paths(start: str, end: str, max_hops: int, limit: int) -> PathsShown:
    graph = _graph()
    try:
        a, b = _id(graph, start), _id(graph, end)
        found = graph.paths(a, b, max_hops=max_hops, limit=limit)
    except SecondReadError as error:
        raise refusal(error) from None
    return PathsShown(start=a, end=b, paths=tuple(tuple(_plain(e) for e in path) for path in found))


def _plain(edge: GraphEdge) -> GraphEdge:
    return GraphEdge.model_validate({name: getattr(edge, name) for name in GraphEdge.model_fields})
