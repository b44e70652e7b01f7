"""Questions of several parts: a no to the first closes what hangs on it, without a tool call."""

from collections import Counter
from pathlib import Path

import pytest
from detectors import agent_with, detector, picture

from secondread.agent.hierarchy import chain, with_parents
from secondread.agent.propositions import propositions
from secondread.agent.replay import replay
from secondread.agent.trace import of_type, read_trace
from secondread.kg.graph import core_graph
from secondread.kg.questions import parse

GRAPH = core_graph()
PARENTS = [
    ("Is there a pleural effusion? Is it large? On which side?", {"P2": "P1", "P3": "P1"}),
    ("Is there a fracture, and which rib?", {"P2": "P1"}),
    ("Is there a fracture? Is there a rib fracture? Where is it?", {"P2": "P1", "P3": "P2"}),
    ("Is there an opacity? Is it consolidation?", {"P2": "P1"}),
    ("Is there a chest tube? Is there a kinked chest tube?", {"P2": "P1"}),
    ("Is there a pleural effusion? Is there a pleural effusion on the left?", {"P2": "P1"}),
    ("Is there a kinked chest tube? Is there a chest tube?", {"P1": "P2"}),
    ("Is there a pneumothorax? Is there a pleural effusion?", {}),
    ("Is the heart enlarged? How large is it?", {}),
    ("Is there a pleural effusion on the left? Is there a pleural effusion on the right?", {}),
]


@pytest.mark.parametrize(("question", "expected"), PARENTS)
def test_what_hangs_on_what(question: str, expected: dict[str, str]) -> None:
    props = with_parents(propositions(parse(question, GRAPH)), GRAPH)
    assert {p.id: p.parent for p in props if p.parent} == expected


@pytest.mark.parametrize(
    ("below", "above", "length"),
    [
        ("rib_fracture", "fracture", 1),
        ("lingula", "left_lung", 2),
        ("hydropneumothorax", "pleural_effusion", 1),  # a strict implication
        ("tension_pneumothorax", "mediastinal_shift", None),  # a usual one
        ("fracture", "rib_fracture", None),
        ("fracture", "no_such_concept", None),
    ],
)
def test_chains_go_up_by_kind_part_and_strict_implication(below: str, above: str, length: int | None) -> None:
    found = chain(GRAPH, below, above)
    assert (None if found is None else len(found)) == length


def test_a_no_closes_kinds_and_details_and_no_tool_is_run_for_them(tmp_path: Path) -> None:
    calls: Counter[str] = Counter()
    whole = detector("fracture_finder", {"fracture": 0.04}, calls)
    part = detector("rib_finder", {"rib_fracture": 0.9}, calls, place=True)
    with agent_with(whole, part, trace_dir=tmp_path, checkpoints=False) as agent:
        answer = agent.ask(picture(), "Is there a fracture? Is there a rib fracture? Where is it?")
        assert calls == {"fracture_finder": 1}
        assert answer.verdict == "no"
        assert not answer.abstained
        assert answer.confidence == pytest.approx(0.96)
        said = {c.concept: c for c in answer.claims}
        assert said["rib_fracture"].polarity == "absent"
        assert said["rib_fracture"].evidence == said["fracture"].evidence == ("E1",)
        assert said["rib_fracture"].probability == pytest.approx(0.96)
        assert "at most as probable as fracture" in said["rib_fracture"].probability_method
        assert "Not applicable: place of rib fracture; there is no rib fracture [E1]." in answer.text
        trace = tmp_path / f"{answer.trace}.jsonl"
        closed = list(of_type(read_trace(trace), "rethink"))[-1]["closed"]
        assert [c.split(":")[0] for c in closed] == ["P2 by P1", "P3 by P2"]
        report = replay(trace, tools=agent.runtime.catalogue)
        assert report.same, report.differences


def test_a_yes_opens_them() -> None:
    calls: Counter[str] = Counter()
    whole = detector("fracture_finder", {"fracture": 0.97}, calls)
    part = detector("rib_finder", {"rib_fracture": 0.9}, calls, place=True)
    with agent_with(whole, part) as agent:
        answer = agent.ask(picture(), "Is there a fracture? Is there a rib fracture? Where is it?")
    assert calls == {"fracture_finder": 1, "rib_finder": 1}
    assert {c.polarity for c in answer.claims} == {"present"}
    assert "spans columns 4 to 20" in answer.text
    assert not answer.abstained


def test_an_undecided_parent_leaves_kinds_open_and_details_undecided() -> None:
    calls: Counter[str] = Counter()
    whole = detector("fracture_finder", {"fracture": 0.5}, calls)
    part = detector("rib_finder", {"rib_fracture": 0.1}, calls)
    with agent_with(whole, part) as agent:
        answer = agent.ask(picture(), "Is there a fracture? Where is it? Is there a rib fracture?")
    assert calls == {"fracture_finder": 1, "rib_finder": 1}
    assert answer.abstained
    assert "whether there is fracture was not decided" in (answer.abstain_reason or "")
    assert [(c.concept, c.polarity) for c in answer.claims] == [("rib_fracture", "absent")]


def test_a_parent_that_no_tool_judges_does_not_keep_its_kinds_waiting() -> None:
    calls: Counter[str] = Counter()
    with agent_with(detector("rib_finder", {"rib_fracture": 0.9}, calls)) as agent:
        answer = agent.ask(picture(), "Is there a fracture? Is there a rib fracture?")
    assert calls == {"rib_finder": 1}
    assert [c.concept for c in answer.claims] == ["rib_fracture"]


def test_size_and_side_of_what_is_not_there_are_not_applicable() -> None:
    calls: Counter[str] = Counter()
    with agent_with(detector("effusion_finder", {"pleural_effusion": 0.02}, calls)) as agent:
        answer = agent.ask(picture(), "Is there a pleural effusion? Is it large? On which side?")
    assert answer.verdict == "no"
    assert answer.text.startswith("No.")
    assert answer.text.count("Not applicable") == 2
    assert calls == {"effusion_finder": 1}
