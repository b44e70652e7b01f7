"""Statements that cannot hold together are caught by the edge they break, and only while that edge is there."""

from collections.abc import Callable
from typing import Any

from secondread.kg.graph import core_graph
from secondread.kg.reasoning.constraints import check_claims, contradictions


def test_both_ends_of_an_exclusion_break_it_until_the_edge_is_gone() -> None:
    said = {"pa_view": "present", "ap_view": "present"}
    (broken,) = check_claims(core_graph(), said)
    assert broken.triple == "pa_view.excludes.ap_view"
    assert set(broken.said) == set(said)
    assert broken.because == ()
    assert check_claims(core_graph().without("pa_view.excludes.ap_view"), said) == []


def test_a_strict_implication_is_caught_until_the_edge_is_gone() -> None:
    edge = "hydropneumothorax.implies.pleural_effusion"
    said = {"hydropneumothorax": "present", "pleural_effusion": "absent"}
    (broken,) = check_claims(core_graph(), said)
    assert broken.triple == edge
    assert check_claims(core_graph().without(edge), said) == []


def test_a_usual_consequence_may_be_absent() -> None:
    said = {"tension_pneumothorax": "present", "mediastinal_shift": "absent"}
    assert check_claims(core_graph(), said) == []


def test_what_follows_is_named_with_the_edges_that_lead_to_it() -> None:
    found = check_claims(core_graph(), {"newborn": "present", "adult": "present"})
    by_child = next(b for b in found if b.triple == "adult.excludes.child")
    assert [e.id for e in by_child.because] == ["newborn.is_a.child"]  # type: ignore[attr-defined]  # edges of the core graph have ids
    assert "newborn is a kind of child" in by_child.text.lower()


def test_one_lesion_or_side_does_not_bind_the_film() -> None:
    assert check_claims(core_graph(), {"nodule": "present", "mass": "present"}) == []
    assert check_claims(core_graph(), {"nonsense": "present", "mass": "uncertain"}) == []


def test_opposite_edges_of_a_store_are_shown_side_by_side(stored: Callable[..., Any]) -> None:
    store = stored(
        ("image:1", "shows", "X:a", "positive"),
        ("image:1", "shows", "X:a", "negative"),
        ("image:1", "shows", "X:b", "uncertain"),
    )
    found = contradictions(store, "image:1", "X:a")
    assert found is not None
    assert (len(found.affirming), len(found.denying)) == (1, 1)
    assert len(set(found.triples)) == 2
    assert contradictions(store, "image:1", "X:b") is None
    assert contradictions(store, "nobody", "X:b") is None


def test_the_authored_graph_has_no_pair_that_is_affirmed_and_denied() -> None:
    graph = core_graph()
    pairs = {(e.subject, e.object) for e in graph.edges if e.relation == "excludes"}
    assert [p for p in pairs if contradictions(graph, *p)] == []
