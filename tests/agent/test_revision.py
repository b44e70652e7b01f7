"""A second measurement revises the first verdict, and the trace says why; without rethink the first one stands."""

from collections import Counter
from pathlib import Path

import pytest
from detectors import agent_with, detector, picture

from secondread.agent.agent import Agent
from secondread.agent.planners.base import Move, PlannerView
from secondread.agent.planners.scripted import ScriptedPlanner
from secondread.agent.trace import of_type, read_trace
from secondread.schema.answer import Answer

QUESTION = "Is there a rib fracture?"


class First(ScriptedPlanner):
    """Asks for the first tool in the first step, and for nothing later."""

    async def propose(self, view: PlannerView) -> list[Move]:
        return self._wanted if view.step == 0 else []

    def __init__(self, wanted: list[Move]) -> None:
        super().__init__([])
        self._wanted = wanted


def asked(folder: Path, first: float, second: float, *, rethink: bool = True) -> tuple[Answer, list[str]]:
    """One tool, then another; the answer and what was revised."""
    calls: Counter[str] = Counter()
    tools = [
        detector("quick_finder", {"rib_fracture": first}, calls),
        detector("z_finder", {"rib_fracture": second}, calls),
    ]
    image = picture()
    with agent_with(*tools, trace_dir=folder, checkpoints=False, rethink=rethink) as agent:
        ref = agent.runtime.store.add(image).ref.id
        steps = [[Move(action="call", tool=t, args={"image": ref})] for t in ("quick_finder", "z_finder")]
        planner = Agent(ScriptedPlanner(steps), settings=agent.settings, runtime=agent.runtime)
        planner.fallback = First(steps[0])
        answer = planner.ask(image, QUESTION)
    assert calls == {"quick_finder": 1, "z_finder": 1}
    events = read_trace(folder / f"{answer.trace}.jsonl")
    return answer, [line for e in of_type(events, "rethink") for line in e["revised"]]


def test_a_second_measurement_reverses_the_first_and_the_trace_says_why(tmp_path: Path) -> None:
    answer, revised = asked(tmp_path, 0.30, 0.995)
    assert answer.verdict == "yes"
    # odds 0.30/0.70 times 0.995/0.005, from a flat prior
    odds = (0.30 / 0.70) * (0.995 / 0.005)
    assert answer.confidence == pytest.approx(odds / (1 + odds))
    assert revised == [
        "P1 (rib_fracture): no -> yes, because the tools disagree: quick_finder 0.30, z_finder 0.99 (E2 z_finder)"
    ]
    assert answer.claims[0].evidence == ("E2", "E1")
    assert any("tools disagree" in w for w in answer.warnings)


def test_tools_that_contradict_each_other_as_strongly_give_no_verdict(tmp_path: Path) -> None:
    answer, revised = asked(tmp_path, 0.05, 0.95)
    assert answer.abstained
    assert "the tools disagree (quick_finder 0.05, z_finder 0.95)" in (answer.abstain_reason or "")
    assert revised[0].startswith("P1 (rib_fracture): no -> indeterminate")


def test_tools_that_agree_make_it_surer(tmp_path: Path) -> None:
    answer, revised = asked(tmp_path, 0.8, 0.9)
    assert answer.confidence == pytest.approx(36 / 37)
    assert not revised


def test_without_rethink_the_first_verdict_stands(tmp_path: Path) -> None:
    answer, revised = asked(tmp_path, 0.30, 0.995, rethink=False)
    assert answer.verdict == "no"
    assert not revised
