"""A person's yes or no before chosen tools; deadlines and cancelled runs."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.agent.agent import Agent
from secondread.agent.replay import replay
from secondread.evals.phantom import Film
from secondread.schema.errors import ApprovalNeeded, UsageError

Films = Callable[..., Film]
QUESTION = "Is the heart enlarged?"
ADULT_PA: dict[str, Any] = {"view": "PA", "age": 60}


@pytest.fixture
def heart(film: Films) -> np.ndarray[Any, Any]:
    return film(3, 0.62).grey


def test_a_run_waits_for_a_yes_and_goes_on(agent: Agent, heart: Any, traces: Path) -> None:
    with pytest.raises(ApprovalNeeded) as waiting:
        agent.ask(heart, QUESTION, **ADULT_PA, approve=["chest_anatomy"])
    run = waiting.value.run
    assert waiting.value.tools == ("chest_anatomy",)  # a prerequisite of what the planner wants
    assert run in agent.unfinished()
    events = [json.loads(line) for line in (traces / f"{run}.jsonl").read_text().splitlines()]
    assert not any(e["type"] == "result" and e["call"]["tool"] == "chest_anatomy" for e in events)
    with pytest.raises(ApprovalNeeded):
        agent.resume(run, heart)  # nobody has said yes
    answer = agent.resume(run, heart, decide=lambda asked: True)
    assert answer.verdict == "yes"
    report = replay(traces / f"{run}.jsonl")
    assert report.same, report.differences


def test_a_no_is_kept_and_the_run_ends_without_the_tool(agent: Agent, heart: Any, traces: Path) -> None:
    asked: list[tuple[str, ...]] = []

    def never(approval: Any) -> bool:
        asked.append(approval.tools)
        return False

    answer = agent.ask(heart, QUESTION, **ADULT_PA, approve=["chest_anatomy"], decide=never)
    assert answer.abstained
    assert not any(e.tool in ("chest_anatomy", "cardiothoracic_ratio") for e in answer.evidence)
    assert asked == [("chest_anatomy",)]  # asked once, not again at every step
    report = replay(traces / f"{answer.trace}.jsonl")
    assert report.same, report.differences


def test_a_tool_that_is_not_installed_cannot_be_waited_for(agent: Agent, heart: Any) -> None:
    with pytest.raises(UsageError, match="no_such_tool"):
        agent.ask(heart, QUESTION, approve=["no_such_tool"])


def test_a_deadline_ends_the_run_with_what_is_known(make_agent: Callable[..., Agent], heart: Any, traces: Path) -> None:
    agent = make_agent(max_seconds=0.001)
    answer = agent.ask(heart, QUESTION, **ADULT_PA)
    assert answer.abstained
    assert answer.budget.exhausted == "seconds"
    assert any("limit of seconds" in w for w in answer.warnings)
    assert replay(traces / f"{answer.trace}.jsonl").same


@pytest.mark.parametrize("limit", [{"max_steps": 1}, {"max_calls": 4}])
def test_a_used_up_budget_gives_a_cited_partial_answer(
    make_agent: Callable[..., Agent], heart: Any, traces: Path, limit: dict[str, int]
) -> None:
    answer = make_agent(**limit).ask(heart, QUESTION, **ADULT_PA)
    assert answer.budget.exhausted == next(iter(limit)).removeprefix("max_")
    assert answer.budget.calls <= limit.get("max_calls", 100)
    known = {e.id for e in answer.evidence}
    assert all(c.evidence and set(c.evidence) <= known for c in answer.claims)
    report = replay(traces / f"{answer.trace}.jsonl")
    assert report.same, report.differences


def test_a_cancelled_run_can_be_taken_up_again(agent: Agent, heart: Any) -> None:
    before = set(agent.unfinished())
    stream = agent.stream(heart, QUESTION, **ADULT_PA)
    for event in stream:
        if event.get("node") == "think":
            break
    stream.close()
    for _ in range(100):
        time.sleep(0.02)
        left = set(agent.unfinished()) - before
    [run] = left
    assert agent.resume(run, heart).verdict == "yes"
