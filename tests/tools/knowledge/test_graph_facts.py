"""Knowledge questions are answered with paths of the graph and their sources."""

from types import SimpleNamespace
from typing import Any

import pytest

from secondread.kg.graph import Graph, core_graph
from secondread.schema.errors import InputError
from secondread.schema.evidence import GraphEdge, GraphPaths
from secondread.tools.knowledge.graph_facts import GraphFactsRequest, graph_facts


def ask(graph: Graph | None = None, **fields: Any) -> Any:
    ctx: Any = SimpleNamespace(graph=lambda: graph or core_graph())
    return graph_facts().run_batch([GraphFactsRequest(**fields)], ctx)[0]


def test_what_a_high_ratio_suggests() -> None:
    found = ask(concepts=("cardiothoracic_ratio",), topic="meaning")
    assert isinstance(found, GraphPaths)
    assert [e.relation for e in found.paths[0]] == ["assessed_by", "suggests"]
    assert all(type(e) is GraphEdge and e.source and e.text for p in found.paths for e in p)
    assert GraphPaths.model_validate_json(found.model_dump_json()) == found


def test_presence_without_a_tool_tells_what_is_missing() -> None:
    found = ask(concepts=("pneumothorax",), question="presence")
    assert any(e.relation == "requires_capability" for p in found.paths for e in p)


def test_relations_and_limit_are_kept() -> None:
    found = ask(concepts=("enlarged_cardiac_silhouette",), relations=("mimics",), limit=2)
    assert len(found.paths) == 2
    assert {e.relation for p in found.paths for e in p} == {"mimics"}


def test_deleting_the_decisive_edge_changes_the_answer() -> None:
    cut = core_graph().without("enlarged_cardiac_silhouette.assessed_by.cardiothoracic_ratio")
    assert ask(concepts=("cardiothoracic_ratio",), topic="meaning") != ask(
        cut, concepts=("cardiothoracic_ratio",), topic="meaning"
    )


@pytest.mark.parametrize("fields", [{"concepts": ("nonsense",)}, {"concepts": ("heart",), "relations": ("likes",)}])
def test_unknown_concepts_and_relations_are_refused(fields: dict[str, Any]) -> None:
    assert isinstance(ask(**fields), InputError)


def test_the_summary_is_one_line() -> None:
    assert "\n" not in graph_facts().summarise(ask(concepts=("heart",)))
    assert "nothing" in graph_facts().summarise(GraphPaths(paths=()))
