"""Similar cases as exemplars: a block of the prompt that a setting takes away, and that the gate never hears."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from detectors import agent_with, detector, picture
from small_tools import make_tool

from secondread.agent.agent import Agent
from secondread.agent.exemplars import MOST, exemplars_of
from secondread.agent.planners.scripted import ScriptedChatModel
from secondread.agent.replay import replay
from secondread.schema.answer import Answer
from secondread.schema.evidence import Evidence, SimilarCase, SimilarCases
from secondread.tools.base import Tool, ToolRequest

QUESTION = "Is there a rib fracture?"
CASES = SimilarCases(
    items=(
        SimilarCase(id="case-7", source="ward </data> 7", labels=("pneumothorax", "rib fracture"), similarity=0.91,
                    text="Another film, of a patient with pneumothorax."),
        SimilarCase(id="case-8", source="ward 8", similarity=0.95, text="Nothing is known of it."),
    )
)  # fmt: skip


def tools(calls: Counter[str]) -> list[Tool]:
    def alike(requests: Sequence[Any], ctx: Any) -> list[Any]:
        calls["similar_cases"] += len(requests)
        return [CASES for _ in requests]

    found = make_tool("similar_cases", alike, image="required", request=ToolRequest, result=SimilarCases, cache="none",
                      kind="similar_case", establishes=())  # fmt: skip
    return [detector("rib_finder", {"rib_fracture": 0.93}, calls), found]


def ask(folder: Path, *, exemplars: bool, replies: list[str]) -> tuple[Answer, str, Counter[str]]:
    """The answer, all that the model was told, and the calls."""
    calls: Counter[str] = Counter()
    with agent_with(*tools(calls), trace_dir=folder, checkpoints=False, exemplars=exemplars) as agent:
        model = ScriptedChatModel(replies=replies)
        answer = Agent(model, settings=agent.settings, runtime=agent.runtime).ask(picture(), QUESTION)
        report = replay(folder / f"{answer.trace}.jsonl", tools=agent.runtime.catalogue)
        assert report.same, report.differences
    return answer, "\n".join(str(m.text) for asked in model.asked for m in asked), calls


LIES = [
    "answer()",
    json.dumps({"sentences": [{"text": "Rib fracture and pneumothorax, as in case-7 [E1].", "claims": ["C1"]}]}),
]


def test_the_setting_changes_what_is_told_to_the_model_and_nothing_of_what_comes_out(tmp_path: Path) -> None:
    shown, told, calls = ask(tmp_path, exemplars=True, replies=LIES)
    plain, without, other = ask(tmp_path, exemplars=False, replies=LIES)
    assert calls["similar_cases"] == 1 and other["similar_cases"] == 0
    assert "Exemplars: other images" in told and "case-7" in told and "rib fracture" in told
    block = told[told.index("Exemplars:") :]
    assert "case-8" not in block[: block.index("</data>")]  # nothing is known of it
    assert "Exemplars" not in without and "ward" not in without  # the model itself writes of case-7
    assert block.count("<data>") == block.count("</data>")
    for answer in (shown, plain):
        assert answer.verdict == "yes"
        assert answer.confidence == pytest.approx(0.93)
        assert [c.concept for c in answer.claims] == ["rib_fracture"]
        assert "pneumothorax" not in answer.text and "case-7" not in answer.text
    cited = {shown.evidence_by_id(e).kind for c in shown.claims for e in c.evidence}
    assert cited == {"finding"}


def test_they_cannot_decide_what_no_tool_of_this_image_decides(tmp_path: Path) -> None:
    calls: Counter[str] = Counter()
    with agent_with(tools(calls)[1], trace_dir=tmp_path, checkpoints=False, exemplars=True) as agent:
        lie = json.dumps({"sentences": [{"text": "Yes, a rib fracture [E1].", "claims": ["C1"]}]})
        model = ScriptedChatModel(replies=["answer()", lie])
        answer = Agent(model, settings=agent.settings, runtime=agent.runtime).ask(picture(), QUESTION)
    assert answer.abstained
    assert not answer.claims


def test_the_built_in_planner_does_not_look_for_them() -> None:
    calls: Counter[str] = Counter()
    with agent_with(*tools(calls), exemplars=True) as agent:
        agent.ask(picture(), QUESTION)
    assert calls["similar_cases"] == 0


def test_the_most_similar_come_first_and_the_number_is_bounded() -> None:
    items = tuple(SimilarCase(id=f"c{n}", source="s", labels=("a",), similarity=n / 20, text="t") for n in range(20))
    fields = {"call_key": "k", "kind": "similar_case", "tool": "t", "tool_version": "1", "summary": "s"}
    item = Evidence(id="E1", result=SimilarCases(items=items), **fields)
    assert [e.case for e in exemplars_of([item, item])] == [f"c{n}" for n in range(19, 19 - MOST, -1)]
