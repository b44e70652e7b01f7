"""What a planner may call: every refusal with its reason, prerequisites put in, and a stop that came too early."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from detectors import agent_with, detector, picture
from langchain_core.messages import AIMessage
from small_tools import make_tool

from secondread.agent.agent import Agent
from secondread.agent.planners.base import Move
from secondread.agent.planners.scripted import ScriptedChatModel, ScriptedPlanner
from secondread.agent.trace import of_type, read_trace
from secondread.evals.phantom import generate
from secondread.evals.phantom_dicom import write_dicom
from secondread.schema.evidence import Findings, Passage, Passages, QualityAttribute, QualityReport
from secondread.tools.base import Tool, ToolRequest

EFFUSION = "Is there a pleural effusion?"
FRACTURES = "Is there a fracture? Is there a vertebral fracture?"
OK = {"pleural_effusion": 0.9}
IMAGE = "the image"


class Strength(ToolRequest):
    strength: int


class Needing(ToolRequest):
    needed: str


class Query(ToolRequest):
    query: str


def plain(name: str, result: Any, calls: Counter[str], **card: Any) -> Tool:
    """A tool that always gives this result."""

    def run(requests: Sequence[Any], ctx: Any) -> list[Any]:
        calls[name] += len(requests)
        return [result for _ in requests]

    fields: dict[str, Any] = {"image": "required", "request": ToolRequest, "cache": "none", "result": type(result)}
    return make_tool(name, run, **{**fields, **card})


def tools(calls: Counter[str]) -> list[Tool]:
    """A tool for each way not to fit, and some that do."""
    book = Passages(items=(Passage(text="Fluid blunts the angle.", source="a book"),))
    blank = QualityReport(
        overall="reject",
        attributes=(QualityAttribute(name="blur", value=0.1, grade="reject"),),
        reasons=("it is blank",),
    )
    nothing = Findings(items=())
    return [
        detector("finder", OK, calls),
        detector("on_ct", OK, calls, modality=("CT",), outside="not_applicable"),
        detector("on_lateral", OK, calls, views=("LATERAL",), outside="not_applicable"),
        detector("on_knees", OK, calls, anatomy="knee", outside="not_applicable"),
        detector("on_volumes", OK, calls, dimension=3),
        detector("for_the_program", OK, calls, in_plan=False),
        detector("of_outlines", OK, calls, needs=("given_masks",)),
        detector("bone_finder", {"lytic_bone_lesion": 0.1}, calls),
        detector("fracture_finder", {"fracture": 0.05}, calls),
        detector("spine_finder", {"vertebral_fracture": 0.9}, calls),
        detector("rib_finder", {"rib_fracture": 0.9}, calls, gates=("film_quality",)),
        plain("strong", nothing, calls, request=Strength, establishes=("pleural_effusion",)),
        plain("needed", nothing, calls),
        plain("needing", nothing, calls, request=Needing, needs=("needed",), establishes=("pleural_effusion",)),
        plain("literature", book, calls, kind="passage", image="none", request=Query),
        plain("film_quality", blank, calls, kind="quality"),
    ]


def call(tool: str, **args: Any) -> dict[str, Any]:
    return {"action": "call", "tool": tool, "args": {"image": IMAGE, **args}}


def search(number: int) -> dict[str, Any]:
    return {"action": "call", "tool": "literature", "args": {"query": f"effusion {number}"}}


REFUSED: list[tuple[str, str, list[list[dict[str, Any]]], str]] = [
    ("another modality", EFFUSION, [[call("on_ct")]], "on_ct is valid for CT, this image is DX; offered: .*finder"),
    ("another view", EFFUSION, [[call("on_lateral")]], "valid for LATERAL views, this image is PA"),
    ("another part of the body", EFFUSION, [[call("on_knees")]], "valid for the knee, this image shows the chest"),
    ("a volume", EFFUSION, [[call("on_volumes")]], "takes volumes, this is a single image"),
    ("not for planners", EFFUSION, [[call("for_the_program")]], "run by the program itself"),
    ("no outline", EFFUSION, [[call("of_outlines")]], "measures outlines of the caller, and none was given"),
    ("not asked for", EFFUSION, [[call("bone_finder")]], "bone_finder settles nothing that is asked; offered: "),
    ("repeated", EFFUSION, [[call("finder")], [call("finder"), call("needing")]], "made already; read its evidence"),
    ("a bad argument", EFFUSION, [[{"action": "call", "tool": "literature", "args": {"query": ["effusion"]}}]],
     "literature: query: Input should be a valid string"),
    ("a missing argument", EFFUSION, [[call("strong")]], "strong: strength: Field required"),
    ("too many searches", EFFUSION, [[search(n) for n in range(5)]], "3 searches were made already"),
    ("before its parent", FRACTURES, [[call("spine_finder"), call("fracture_finder")]], "P2 waits until P1 is decided"),
    ("behind a gate", "Is there a rib fracture? Is there a pleural effusion?", [[call("rib_finder"), call("finder")]],
     r"rib_finder is for frontal chest films, and the image is not usable: it is blank \[E1\]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_dicom(generate(1, size=96), path, age=50)
    return path


def scripted(agent: Agent, film: Path, steps: list[list[dict[str, Any]]]) -> ScriptedChatModel:
    """A chat model that makes these moves, about the image of the run."""
    image = agent.runtime.store.add(film).ref.id
    replies = [json.dumps({"moves": step}).replace(IMAGE, image) for step in steps]
    return ScriptedChatModel(replies=[*replies, '{"moves": [{"action": "answer"}]}'])


@pytest.mark.parametrize(("question", "steps", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_move_that_does_not_fit_is_refused_with_a_reason(
    film: Path, tmp_path: Path, question: str, steps: list[list[dict[str, Any]]], reason: str
) -> None:
    calls: Counter[str] = Counter()
    with agent_with(*tools(calls), trace_dir=tmp_path, checkpoints=False) as agent:
        model = scripted(agent, film, steps)
        chat = Agent(model, settings=agent.settings, runtime=agent.runtime)
        answer = chat.ask(film, question)
    events = read_trace(tmp_path / f"{answer.trace}.jsonl")
    told = [e["reason"] for e in of_type(events, "refused")]
    assert any(re.search(reason, t) for t in told), told
    shown = "".join(str(m.text) for asked in model.asked for m in asked)
    assert re.search(reason, shown)  # the planner was told
    refused = {e["move"]["tool"] for e in of_type(events, "refused")} - {"finder", "literature", "strong"}
    assert not any(calls[t] for t in refused)


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        (Move(action="call", tool="oracle", args={}), "no installed tool is called 'oracle'; offered: .*finder"),
        (Move(action="call", tool="finder", args={"image": "img-0"}), "no image 'img-0' in this run"),
        (Move(action="call", tool="finder", args={}), "finder needs an image id"),
    ],
)
def test_what_a_chat_model_cannot_even_write_is_refused_too(tmp_path: Path, move: Move, reason: str) -> None:
    planner = ScriptedPlanner([[move]])
    with agent_with(*tools(Counter()), planner=planner, trace_dir=tmp_path, checkpoints=False) as agent:
        answer = agent.ask(picture(), EFFUSION)
    told = [e["reason"] for e in of_type(read_trace(tmp_path / f"{answer.trace}.jsonl"), "refused")]
    assert any(re.search(reason, t) for t in told), told
    assert any(re.search(reason, r.reason) for r in planner.views[1].refused)


def test_a_tool_that_needs_an_image_is_refused_without_one(tmp_path: Path) -> None:
    planner = ScriptedPlanner([[Move(action="call", tool="finder", args={})]])
    with agent_with(*tools(Counter()), planner=planner, trace_dir=tmp_path, checkpoints=False) as agent:
        answer = agent.ask(None, "What does the literature say about pleural effusion?")
    told = [e["reason"] for e in of_type(read_trace(tmp_path / f"{answer.trace}.jsonl"), "refused")]
    assert any("finder needs an image, and none was given" in t for t in told)


def test_only_what_fits_is_offered() -> None:
    planner = ScriptedPlanner([])
    with agent_with(*tools(Counter()), planner=planner) as agent:
        agent.ask(picture(), EFFUSION, view="PA", age=50)
    offered = {c.name for c in planner.views[0].cards}
    assert offered == {"finder", "on_ct", "on_knees", "strong", "needing", "needed", "literature"}
    assert set(planner.views[0].withheld) == {c.card.name for c in tools(Counter())} - offered


def test_prerequisites_are_put_in(film: Path) -> None:
    calls: Counter[str] = Counter()
    with agent_with(*tools(calls)) as agent:
        model = scripted(agent, film, [[call("needing")]])
        answer = Agent(model, settings=agent.settings, runtime=agent.runtime).ask(film, EFFUSION)
    made = [e.tool for e in answer.evidence]
    assert made.index("needed") < made.index("needing")
    assert calls["needed"] == 1


@pytest.mark.parametrize("action", ["answer", "abstain"])
def test_a_stop_with_an_open_proposition_and_an_unused_tool_is_caught(film: Path, tmp_path: Path, action: str) -> None:
    calls: Counter[str] = Counter()
    with agent_with(*tools(calls), trace_dir=tmp_path, checkpoints=False) as agent:
        model = ScriptedChatModel(replies=[json.dumps({"moves": [{"action": action}]})])
        answer = Agent(model, settings=agent.settings, runtime=agent.runtime).ask(film, EFFUSION)
    assert answer.verdict == "yes"
    assert calls["finder"] == 1
    by = [e["by"] for e in of_type(read_trace(tmp_path / f"{answer.trace}.jsonl"), "moves")]
    assert "stopped with an open proposition and a fitting tool" in by[0]


def test_native_calls_are_refused_in_the_same_way(film: Path, tmp_path: Path) -> None:
    with agent_with(*tools(Counter()), trace_dir=tmp_path, checkpoints=False) as agent:
        image = agent.runtime.store.add(film).ref.id
        wrong = AIMessage("", tool_calls=[{"name": "on_ct", "args": {"image": image}, "id": "c1"}])
        model = ScriptedChatModel(replies=[wrong, '{"moves": [{"action": "answer"}]}'])
        answer = Agent(model, settings=agent.settings, runtime=agent.runtime).ask(film, EFFUSION)
    told = [e["reason"] for e in of_type(read_trace(tmp_path / f"{answer.trace}.jsonl"), "refused")]
    assert any("valid for CT" in t for t in told)
