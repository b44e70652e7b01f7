"""Explanations, relations and what speaks for or against, through the whole loop; the graph decides the answer."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from secondread.agent.agent import Agent
from secondread.agent.claims import gate
from secondread.agent.config import Settings
from secondread.agent.planners.base import Belief
from secondread.evals.phantom import Film
from secondread.kg.graph import Graph, core_graph
from secondread.schema.answer import Answer, Claim
from secondread.schema.evidence import Evidence, Finding, Findings, GraphPaths

Films = Callable[..., Film]
ADULT_PA: dict[str, Any] = {"view": "PA", "age": 60}
ECS = "enlarged_cardiac_silhouette"


def graph_evidence(answer: Answer) -> GraphPaths:
    (found,) = (e.result for e in answer.evidence if isinstance(e.result, GraphPaths))
    return found


@pytest.fixture
def with_graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Graph], Agent]]:
    """An agent whose every part knows another graph; its runtime is its own, so no result is remembered."""
    made: list[Agent] = []

    def make(graph: Graph) -> Agent:
        for module in ("kg.graph", "agent.agent", "agent.durable.driving", "agent.planners.protocol"):
            monkeypatch.setattr(f"secondread.{module}.core_graph", lambda: graph)
        made.append(Agent(settings=Settings()))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("question", "concept"),
    [
        ("What could explain an enlarged heart?", "heart_failure"),
        ("differential of a pleural effusion", "heart_failure"),
        ("What may account for a widened mediastinum?", "aortic_dissection"),
    ],
)
def test_explanations_are_ranked_and_cited_by_triples(agent: Agent, question: str, concept: str) -> None:
    answer = agent.ask(None, question)
    found = graph_evidence(answer)
    ids = {e.id for e in core_graph().edges}
    assert not answer.abstained
    assert concept in [r.concept for r in found.ranked]
    assert {t for triples in found.triples for t in triples} <= ids
    assert all(r.support for r in found.ranked)
    assert "none of them shown" in answer.text


def test_two_concepts_are_related_by_paths(agent: Agent) -> None:
    answer = agent.ask(None, "How are mitral stenosis and the left atrium related?")
    assert not answer.abstained
    assert "mitral_stenosis.located_in.left_atrium" in {t for p in graph_evidence(answer).triples for t in p}
    assert answer.claims


def test_what_is_found_speaks_for_and_what_is_missing_against(agent: Agent, film: Films) -> None:
    wide = agent.ask(film(3, 0.62).grey, "What supports heart failure here?", **ADULT_PA)
    slim = agent.ask(film(4, 0.40).grey, "What speaks against heart failure here?", **ADULT_PA)
    (found,), (missing,) = graph_evidence(wide).ranked, graph_evidence(slim).ranked
    assert (found.present, found.missing) == ((ECS,), ())
    assert (missing.present, missing.missing) == ((), (ECS,))
    assert wide.verdict is None and not wide.abstained
    assert "for it enlarged cardiac silhouette" in wide.text
    assert "against it no enlarged cardiac silhouette" in slim.text
    assert {"cardiothoracic_ratio", ECS} <= {c.concept for c in wide.claims}


def test_without_the_edge_the_finding_no_longer_speaks_for_it(
    with_graph: Callable[[Graph], Agent], film: Films
) -> None:
    cut = core_graph().without(f"heart_failure.seen_as.{ECS}", f"{ECS}.suggests.heart_failure")
    answer = with_graph(cut).ask(film(3, 0.62).grey, "What supports heart failure here?", **ADULT_PA)
    assert not any(ECS in r.present for r in graph_evidence(answer).ranked)
    assert not any(e.tool == "cardiothoracic_ratio" for e in answer.evidence)


def test_without_the_assessing_edge_no_tool_is_routed_to(with_graph: Callable[[Graph], Agent], film: Films) -> None:
    one = film(3, 0.62)
    cut = core_graph().without(f"{ECS}.assessed_by.cardiothoracic_ratio")
    answer = with_graph(cut).ask(one.grey, "Is the heart enlarged?", **ADULT_PA)
    assert answer.abstained
    assert not any(e.tool == "cardiothoracic_ratio" for e in answer.evidence)


def test_without_an_edge_an_explanation_is_no_longer_named(with_graph: Callable[[Graph], Agent]) -> None:
    cut = core_graph().without(f"{ECS}.may_indicate.high_output_state")
    found = graph_evidence(with_graph(cut).ask(None, "What could explain an enlarged heart?"))
    assert "high_output_state" not in [r.concept for r in found.ranked]


def test_the_circumstances_of_a_film_are_weighed_too(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(3, 0.62).grey, "What could explain the enlarged heart here?", **ADULT_PA)
    ranked = {r.concept: r for r in graph_evidence(answer).ranked}
    assert ranked["ap_view"].missing == ("ap_view",) if "ap_view" in ranked else len(ranked) == 12
    assert not answer.abstained


@pytest.mark.parametrize(
    ("question", "lacking"),
    [
        ("Is there honeycombing?", "chest CT reader"),
        ("Are there drusen?", "retinal lesion reader"),
        ("is there splenomegaly?", "abdominal scan reader"),
        ("any mediastinal lymphadenopathy?", "mediastinum segmenter"),
        ("is the central line malpositioned? is there a malpositioned central line?", "device detector"),
        ("does the patient have thrombocytopenia?", "blood smear reader"),
        ("is there hippocampal atrophy?", "head scan reader"),
    ],
)
def test_a_finding_without_a_tool_names_the_missing_capability(
    agent: Agent, film: Films, question: str, lacking: str
) -> None:
    answer = agent.ask(film(4, 0.40).grey, question, **ADULT_PA)
    assert answer.abstained
    assert lacking in answer.text


def _finding(number: int, concept: str) -> tuple[Evidence, Claim]:
    item = Evidence(
        id=f"E{number}", kind="finding", tool="t", tool_version="1", image="i", summary="s", call_key="k",
        result=Findings(items=(Finding(concept=concept, polarity="present", verified=True),)),
    )  # fmt: skip
    name = core_graph().concept(concept).name
    claim = Claim(
        id=f"C{number}", concept=concept, polarity="present", text=f"{name} [E{number}].", evidence=(f"E{number}",)
    )
    return item, claim


def test_the_gate_refuses_what_the_graph_excludes_and_lets_it_through_without_the_edge() -> None:
    pairs = [_finding(1, "pa_view"), _finding(2, "ap_view")]
    ledger = {e.id: e for e, _ in pairs}
    beliefs = {c.concept: Belief(polarity="present", evidence=c.evidence) for _, c in pairs}
    claims = [c for _, c in pairs]
    refused = gate(claims, ledger, beliefs, core_graph())
    assert [c.id for c in refused.accepted] == ["C1"]
    assert "pa_view.excludes.ap_view" in refused.rejected[0].reasons
    cut = core_graph().without("pa_view.excludes.ap_view")
    assert [c.id for c in gate(claims, ledger, beliefs, cut).accepted] == ["C1", "C2"]
