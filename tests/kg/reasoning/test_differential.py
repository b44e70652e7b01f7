"""Explanations are ranked by edges and by what was found; taking the decisive edge away changes the ranking."""

from collections.abc import Callable
from typing import Any

import pytest

from secondread.kg.graph import core_graph
from secondread.kg.reasoning.differential import Candidate, explanations, ranked_differential, tellable, weigh
from secondread.kg.reasoning.paths import typed_paths
from secondread.kg.reasoning.rank import pagerank

ECS = "enlarged_cardiac_silhouette"


def place(ranked: list[Candidate], concept: str) -> int:
    return [c.concept for c in ranked].index(concept)


def test_a_present_finding_lifts_what_would_show_it() -> None:
    graph = core_graph()
    alone = ranked_differential(graph, ECS, limit=50)
    with_edema = ranked_differential(graph, ECS, ["pulmonary_edema"], limit=50)
    assert with_edema[0].concept == "heart_failure"
    assert "heart_failure.seen_as.pulmonary_edema" in with_edema[0].triples
    one = next(c for c in alone if c.concept == "heart_failure")
    assert with_edema[0].score > one.score


def test_without_the_decisive_edges_the_ranking_changes() -> None:
    graph = core_graph()
    cut = graph.without("heart_failure.seen_as.pulmonary_edema", "pulmonary_edema.suggests.heart_failure")
    full, less = (ranked_differential(g, ECS, ["pulmonary_edema"], limit=50) for g in (graph, cut))
    assert place(full, "heart_failure") == 0
    before, after = (next(c for c in r if c.concept == "heart_failure") for r in (full, less))
    assert before.support and not after.support
    assert before.score > after.score
    gone = graph.without(f"{ECS}.may_indicate.high_output_state")
    assert "high_output_state" in explanations(graph, ECS)
    assert "high_output_state" not in explanations(gone, ECS)


def test_an_absent_finding_speaks_against_and_both_sides_are_kept() -> None:
    one = weigh(core_graph(), "heart_failure", ["kerley_b_lines"], [ECS])
    assert [e.id for e in one.against] == ["heart_failure.seen_as.enlarged_cardiac_silhouette"]  # type: ignore[attr-defined]  # edges of the core graph have ids
    assert one.support
    assert one.contradicted
    assert weigh(core_graph(), "heart_failure", ["kerley_b_lines"]).contradicted is False


def test_a_mimic_that_was_ruled_out_sinks() -> None:
    graph = core_graph()
    out, there = (ranked_differential(graph, ECS, p, a, limit=50) for p, a in (((), ["ap_view"]), (["ap_view"], ())))
    assert place(there, "ap_view") < place(out, "ap_view")
    assert next(c for c in out if c.concept == "ap_view").found is False


def test_an_excluded_candidate_loses() -> None:
    one = weigh(core_graph(), "hyperinflation", ["poor_inspiration"])
    assert [e.relation for e in one.against] == ["excludes"]
    assert one.score < 0


def test_an_unknown_finding_has_no_explanation() -> None:
    assert ranked_differential(core_graph(), "nonsense") == []
    assert tellable(core_graph(), "nonsense") == ["nonsense"]
    assert pagerank(core_graph(), ["nonsense"]) == []


def test_the_walk_stays_near_the_question() -> None:
    near = pagerank(core_graph(), [ECS, "pulmonary_edema"], limit=10)
    names = [n for n, _ in near]
    assert "heart_failure" in names[:3]
    assert sum(s for _, s in near) < 1
    assert [s for _, s in near] == sorted((s for _, s in near), reverse=True)


@pytest.mark.parametrize("finding", ["pleural_effusion", "widened_mediastinum", "consolidation"])
def test_every_candidate_is_backed_by_edges_of_the_graph(finding: str) -> None:
    graph = core_graph()
    ids = {e.id for e in graph.edges}
    for one in ranked_differential(graph, finding, ["pulmonary_edema"], ["cavity"], limit=50):
        assert one.link
        assert set(one.triples) <= ids


def test_it_works_on_stored_edges_too(stored: Callable[..., Any]) -> None:
    store = stored(
        ("X:disease", "seen_as", "X:sign"), ("X:rival", "seen_as", "X:sign"), ("X:disease", "seen_as", "X:other")
    )
    first, second = ranked_differential(store, "X:sign", ["X:other"])
    assert (first.concept, second.concept) == ("X:disease", "X:rival")
    assert first.triples == ("X:disease|seen_as|X:sign#1", "X:disease|seen_as|X:other#1")
    (path,) = typed_paths(store, "X:rival", "X:other", limit=1)
    assert path.triples == ("X:rival|seen_as|X:sign#1", "X:disease|seen_as|X:sign#1", "X:disease|seen_as|X:other#1")
