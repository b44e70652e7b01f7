"""Both sides of an explanation are told, and neither cancels the other."""

from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Belief
from secondread.agent.ranking import ranking
from secondread.kg.graph import core_graph
from secondread.kg.reasoning.told import tell
from secondread.schema.evidence import Evidence, GraphPaths

JUDGED = Judgement(proposition="P1", concept="heart_failure", outcome="told", belief=Belief(), evidence=("E1",))


def told(present: list[str], absent: list[str], topic: str = "support") -> list[str]:
    found = tell(core_graph(), ["heart_failure"], topic, present, absent)
    result = GraphPaths(paths=tuple(tuple(e.plain() for e in p) for p in found.paths), ranked=found.ranked)  # type: ignore[attr-defined]  # edges of the core graph
    item = Evidence(
        id="E1", call_key="k", kind="graph_path", tool="graph_facts", tool_version="1", image=None, result=result,
        summary="s",
    )  # fmt: skip
    return ranking(JUDGED, {"E1": item}, core_graph(), weighed=topic == "support")


def test_support_and_contradiction_stand_side_by_side() -> None:
    (line,) = told(["kerley_b_lines"], ["enlarged_cardiac_silhouette"])
    assert "for it Kerley B lines" in line
    assert "against it no enlarged cardiac silhouette" in line
    assert "not set off against each other" in line


def test_nothing_found_is_said_for_each_side() -> None:
    (line,) = told(["kerley_b_lines"], [])
    assert "against it nothing that was looked at" in line
    assert "set off" not in line


def test_a_judgement_without_a_ranking_adds_nothing() -> None:
    assert ranking(JUDGED, {}, core_graph(), weighed=True) == []
