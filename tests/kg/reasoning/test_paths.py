"""Two concepts are related by chains that mean one thing, the most telling first."""

import pytest

from secondread.kg.graph import core_graph
from secondread.kg.reasoning.paths import TYPES, typed_paths


def test_a_direct_explanation_comes_before_a_shared_place() -> None:
    first, *rest = typed_paths(core_graph(), "pulmonary_edema", "heart_failure")
    assert first.type == "explanation"
    assert len(first.edges) == 1
    assert [p.cost for p in (first, *rest)] == sorted(p.cost for p in (first, *rest))


def test_a_chain_of_one_type_holds_only_its_relations() -> None:
    for one in typed_paths(core_graph(), "mitral_stenosis", "carina", limit=20):
        allowed = {r for n, rs in TYPES.items() if one.type in (n, "mixed") for r in rs} | {"is_a"}
        assert {e.relation for e in one.edges} <= allowed
        assert len(one.triples) == len(one.edges)


def test_without_the_edge_the_route_is_another() -> None:
    graph = core_graph()
    best = typed_paths(graph, "mitral_stenosis", "left_atrium")[0]
    other = typed_paths(graph.without(*best.triples), "mitral_stenosis", "left_atrium")[0]
    assert other.triples != best.triples
    assert other.cost > best.cost


@pytest.mark.parametrize("end", ["nonsense", "heart"])
def test_the_unknown_and_the_same_have_no_path(end: str) -> None:
    assert typed_paths(core_graph(), "heart", end) == []


def test_no_chain_runs_through_a_tool_or_capability() -> None:
    graph = core_graph()
    for one in typed_paths(graph, "asthma", "osteoporosis", limit=20):
        kinds = {graph.concept(n).kind for e in one.edges for n in (e.subject, e.object)}
        assert not kinds & {"tool", "capability"}
