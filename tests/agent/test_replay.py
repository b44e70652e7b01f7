"""A recorded run is executed again from its trace: no image, no network, no planner."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secondread.agent.agent import Agent
from secondread.agent.planners.scripted import ScriptedChatModel
from secondread.agent.replay import replay
from secondread.evals.phantom import Film
from secondread.schema.errors import ReplayError

Films = Callable[..., Film]


@pytest.fixture(scope="module")
def recorded(agent: Agent, film: Films, traces: Path) -> Path:
    answer = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", view="PA", age=60)
    return traces / f"{answer.trace}.jsonl"


def edited(path: Path, out: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    lines = [json.dumps(change(json.loads(line))) for line in path.read_text().splitlines()]
    out.write_text("\n".join(lines) + "\n")
    return out


def test_the_same_trace_gives_the_same_answer(recorded: Path) -> None:
    report = replay(recorded)
    assert report.same, report.differences
    assert report.answer.verdict == "yes"


def narrowed(event: dict[str, Any], *, widths: bool) -> dict[str, Any]:
    """The recorded ratio as 0.30, with the widths that it follows from or without."""
    if event["type"] == "result" and event["evidence"]["tool"] == "cardiothoracic_ratio":
        items = {item["name"]: item for item in event["evidence"]["result"]["items"]}
        items["cardiothoracic_ratio"]["value"] = 0.30
        items["cardiothoracic_ratio"]["interval"] |= {"low": 0.26, "high": 0.34}
        if widths:
            items["heart_width"]["value"] = 0.30 * items["thorax_width"]["value"]
    return event


def test_a_changed_result_changes_the_replayed_answer(recorded: Path, tmp_path: Path) -> None:
    report = replay(edited(recorded, tmp_path / "t.jsonl", lambda e: narrowed(e, widths=True)))
    assert not report.same
    assert report.answer.verdict == "no"
    assert "verdict" in {d.field for d in report.differences}


def test_a_result_that_contradicts_itself_is_not_told(recorded: Path, tmp_path: Path) -> None:
    report = replay(edited(recorded, tmp_path / "t.jsonl", lambda e: narrowed(e, widths=False)))
    assert report.answer.abstained
    assert "rule ratio_is_that_of_its_widths is broken" in report.answer.text
    assert report.answer.value is None


def test_a_call_that_was_not_recorded_is_an_error(recorded: Path, tmp_path: Path) -> None:
    def rename(event: dict[str, Any]) -> dict[str, Any]:
        if event["type"] == "result" and event["call"]["tool"] == "cardiothoracic_ratio":
            event["call"]["key"] = "0" * 24
        return event

    with pytest.raises(ReplayError, match="cardiothoracic_ratio"):
        replay(edited(recorded, tmp_path / "t.jsonl", rename))


def test_a_run_with_a_chat_model_replays_without_it(
    make_agent: Callable[..., Agent], film: Films, traces: Path
) -> None:
    model = ScriptedChatModel(replies=["no idea", "still no idea", "The heart is fine [E9]."])
    answer = make_agent(model).ask(film(3, 0.62).grey, "Is the heart enlarged?", view="PA", age=60)
    report = replay(traces / f"{answer.trace}.jsonl")
    assert report.same, report.differences


@pytest.mark.parametrize("text", ["", "not json\n{}\n", '{"type": "run", "schema": 99}\n'])
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(ReplayError):
        replay(path)


def test_a_torn_trace_is_refused_with_the_reason(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(recorded.read_text().splitlines()[:-1]) + '\n{"type": "ans')
    with pytest.raises(ReplayError, match="cut off"):
        replay(path)
