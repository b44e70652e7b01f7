"""What follows from the graph: assessments, constraints, differentials, what is missing."""

import pytest

from secondread.kg.graph import core_graph
from secondread.kg.questions import parse
from secondread.kg.reason import (
    assessments,
    differential,
    excluded,
    explain,
    facts,
    implied,
    limits_of,
    missing_capability,
    tools_of,
)

ECS = "enlarged_cardiac_silhouette"
DECISIVE = f"{ECS}.assessed_by.cardiothoracic_ratio"


def test_heart_size_is_assessed_by_the_ratio_with_its_threshold() -> None:
    (found,) = assessments(core_graph(), ECS)
    assert (found.measurement, found.tool, found.edge) == ("cardiothoracic_ratio", "cardiothoracic_ratio", DECISIVE)
    assert found.threshold is not None
    assert (found.threshold.value, found.threshold.direction, found.threshold.concept) == (0.5, "above", ECS)
    assert "Danzer" in found.threshold.source


def test_without_the_decisive_edge_nothing_assesses_heart_size() -> None:
    cut = core_graph().without(DECISIVE)
    assert assessments(cut, ECS) == []
    asked = parse("what does a CTR above 0.5 suggest?", core_graph())
    with_edge, without_edge = explain(asked, core_graph()), explain(asked, cut)
    assert any(e.object == "heart_failure" for p in with_edge for e in p)
    assert not any(e.object == "heart_failure" for p in without_edge for e in p)


def test_a_capability_is_missing_once_the_tool_edge_is_gone() -> None:
    assert missing_capability(core_graph(), "rotated_film") is None
    cut = core_graph().without("pneumothorax.requires_capability.pneumothorax_detector")
    assert missing_capability(cut, "pneumothorax") is None


@pytest.mark.parametrize(
    ("concept", "capability"),
    [
        ("pneumothorax", "pneumothorax_detector"),
        ("rib_fracture", "fracture_detector"),
        ("pacemaker", "device_detector"),
        ("heart_failure", "clinical_assessment"),
        ("widened_mediastinum", "mediastinum_segmenter"),
        ("tracheal_deviation", "airway_segmenter"),
    ],
)
def test_what_no_tool_judges_says_what_is_missing_and_how_to_add_it(concept: str, capability: str) -> None:
    missing = missing_capability(core_graph(), concept)
    assert missing is not None
    assert missing.capability == capability
    assert "secondread.tools" in missing.text
    assert f"`{concept}`" in missing.text


@pytest.mark.parametrize("concept", [ECS, "cardiothoracic_ratio", "pa_view", "underexposed_film", "not_in_the_graph"])
def test_nothing_is_missing_for_what_ships(concept: str) -> None:
    assert missing_capability(core_graph(), concept) is None


def test_broken_constraints_are_named() -> None:
    graph = core_graph()
    assert [e.id for e in excluded(graph, {"pa_view": "present", "ap_view": "present"})] == ["pa_view.excludes.ap_view"]
    assert [e.id for e in excluded(graph, {"rib_fracture": "present", "fracture": "absent"})] == [
        "rib_fracture.is_a.fracture"
    ]
    assert excluded(graph, {"pa_view": "present", "ap_view": "absent"}) == []
    assert excluded(graph, {"nodule": "present", "mass": "present"}) == []
    assert excluded(graph, {"pa_view": "uncertain", "ap_view": "present"}) == []


def test_a_constraint_holds_through_what_is_implied() -> None:
    broken = excluded(core_graph(), {"newborn": "present", "adult": "present"})
    assert {e.id for e in broken} >= {"newborn.excludes.adult", "adult.excludes.child"}


def test_implication_goes_up_when_present_and_down_when_absent() -> None:
    assert implied(core_graph(), {"hydropneumothorax": "present"}) == {
        "pneumothorax": "present",
        "pleural_effusion": "present",
    }
    down = implied(core_graph(), {"fracture": "absent"})
    assert down["rib_fracture"] == "absent"
    assert implied(core_graph(), {"fracture": "present"}) == {}


def test_a_usual_consequence_is_not_taken_for_a_strict_one() -> None:
    assert "mediastinal_shift" not in implied(core_graph(), {"tension_pneumothorax": "present"})


def test_differential_and_limits() -> None:
    others = {e.subject if e.object == ECS else e.object for e in differential(core_graph(), ECS)}
    assert {"pericardial_effusion", "ap_view", "poor_inspiration", "pericardial_fat_pad", "pectus_excavatum"} <= others
    assert {"ap_view", "supine", "poor_inspiration", "rotated_film", "child"} <= {
        e.object for e in limits_of(core_graph(), "cardiothoracic_ratio")
    }
    assert limits_of(core_graph(), "nonsense") == []


def test_the_finding_is_never_called_a_diagnosis() -> None:
    for edge in core_graph().neighbors(ECS, direction="both"):
        assert "confirmed" not in edge.text.lower()
        if edge.relation == "suggests":
            assert "may" in edge.text


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("what causes an enlarged heart?", "may_indicate"),
        ("what limits the CTR", "limited_by"),
        ("how is cardiomegaly assessed", "assessed_by"),
        ("why does an AP film magnify the heart", "magnifies"),
        ("what does heart failure look like", "seen_as"),
    ],
)
def test_an_explanation_leads_with_what_was_asked(text: str, relation: str) -> None:
    paths = explain(parse(text, core_graph()), core_graph())
    assert paths
    assert relation in {e.relation for p in paths[:4] for e in p}


def test_two_concepts_are_linked_by_a_path_first() -> None:
    paths = facts(core_graph(), ["pleural_effusion", "heart_failure"])
    assert {paths[0][0].subject, paths[0][-1].object} == {"pleural_effusion", "heart_failure"}


def test_tools_named_by_the_graph_are_in_the_catalogue_and_back() -> None:
    from secondread.tools.catalogue import catalogue

    graph = core_graph()
    built_in = (catalogue().get(name) for name in catalogue().names())
    cards = {t.card.name: t.card for t in built_in if type(t).__module__.startswith("secondread.")}
    for card in cards.values():
        for concept in card.establishes:
            assert graph.has(concept), f"{card.name} establishes {concept}, which the graph lacks"
    for concept_ in graph:
        for name in tools_of(graph, concept_.id):
            if name in cards and cards[name].establishes and cards[name].kind != "quality":
                assert concept_.id in cards[name].establishes, f"{name} does not establish {concept_.id}"


def test_a_definition_is_told_first_and_cited() -> None:
    ((edge,), *_) = explain(parse("what is a pneumothorax?", core_graph()), core_graph())
    assert (edge.relation, edge.text) == ("described_as", "Pneumothorax: air in the pleural space.")
    assert edge.source == "authored: definition"
