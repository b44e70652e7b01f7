"""Bad tools: whatever one does, the run ends with an answer or an abstention and the next ask works.

Each test puts one bad tool in the place of the cardiothoracic ratio, asks for the ratio of a generated film, and asks
the same runtime again with the real tool back in its place. The networks run once: later runtimes find their results on
disk.
"""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_tools import Model, ask, found, make_tool

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.evals.phantom import generate
from secondread.schema.answer import Answer
from secondread.schema.evidence import Finding, Findings, Measurement, Measurements, ToolFailure
from secondread.schema.region import Box, Point
from secondread.tools.base import Tool
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.runtime.runtime import Runtime

NAME = "cardiothoracic_ratio"
QUESTION = "What is the cardiothoracic ratio?"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def film() -> Any:
    return generate(5, ctr=0.52).grey


def ratio(value: float = 0.5, **known: Any) -> Measurements:
    return Measurements(items=(Measurement(name=NAME, value=value, **known),))


def bad(run: Callable[[Any, Any], list[Any]], **card: Any) -> Tool:
    """A tool with the card of the cardiothoracic ratio that runs batches in its own way."""
    real = catalogue().get(NAME)
    fields = real.card.model_dump(exclude={"name", "version", "summary", "calibration", "weights", *card})
    return make_tool(NAME, run, request=real.Request, result=real.Result, **fields, **card)


def raises(error: BaseException) -> Callable[[Any, Any], list[Any]]:
    def run(requests: Any, ctx: Any) -> list[Any]:
        raise error

    return run


def torch_out_of_memory(requests: Any, ctx: Any) -> list[Any]:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def allocates_too_much(requests: Any, ctx: Any) -> list[Any]:
    import torch

    return [torch.empty(1 << 62, dtype=torch.uint8)]


def box_outside(requests: Any, ctx: Any) -> list[Any]:
    ref = ctx.info(requests[0].image).ref
    return [ratio(landmarks=(Point(grid=ref.grid, x=ref.columns + 3.0, y=5.0),))]


def foreign_grid(requests: Any, ctx: Any) -> list[Any]:
    return [ratio(landmarks=(Point(grid="img-somewhere", x=1.0, y=1.0),))]


hold = threading.Event()


def hangs(requests: Any, ctx: Any) -> list[Any]:
    hold.wait(60)
    return []


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    hold.clear()
    yield
    hold.set()


BAD: dict[str, tuple[Callable[[Any, Any], list[Any]], dict[str, Any], str]] = {
    "raises": (raises(ZeroDivisionError("oops")), {}, "tool_error"),
    "leaves": (raises(SystemExit(3)), {}, "tool_error"),
    "interrupts": (raises(KeyboardInterrupt()), {}, "tool_error"),
    "hangs": (hangs, {"timeout_seconds": 0.1}, "tool_timeout"),
    "returns NaN": (lambda r, ctx: [ratio(float("nan"))], {}, "bad_result"),
    "returns infinity": (lambda r, ctx: [ratio(float("inf"))], {}, "bad_result"),
    "returns 50 MB": (lambda r, ctx: [ratio(unit="x" * 50_000_000)], {}, "bad_result"),
    "returns nothing": (lambda r, ctx: [], {}, "bad_result"),
    "returns None": (lambda r, ctx: [None], {}, "bad_result"),
    "returns no list": (lambda r, ctx: ratio(), {}, "bad_result"),  # type: ignore[dict-item, return-value]
    "returns another type": (lambda r, ctx: [found("x")], {}, "bad_result"),
    "returns a point outside the image": (box_outside, {}, "bad_result"),
    "returns a point of no image": (foreign_grid, {}, "bad_result"),
    "runs out of memory": (raises(MemoryError()), {}, "out_of_memory"),
    "runs out of GPU memory": (torch_out_of_memory, {}, "out_of_memory"),
    "asks for too much memory": (allocates_too_much, {}, "out_of_memory"),
}


def agent_with(runtime: Runtime, tool: Tool) -> Agent:
    installed = {name: catalogue().get(name) for name in catalogue().names()}
    runtime.catalogue = Catalogue({**installed, tool.card.name: tool})
    return Agent(settings=Settings(trace_dir=None), runtime=runtime)


def asked(agent: Agent, film: Any) -> Answer:
    return agent.ask(film, QUESTION, view="PA", age=60)


@pytest.mark.parametrize("what", BAD)
def test_the_run_ends_the_failure_is_evidence_and_the_next_ask_works(what: str, film: Any, kept: Path) -> None:
    run, card, code = BAD[what]
    runtime = Runtime(cache_dir=kept)
    try:
        # Results of a bad tool are never good, so they are never kept; its card is that of the real one.
        answer = asked(agent_with(runtime, bad(run, cache="none", **card)), film)
        assert answer.abstained
        assert answer.value is None
        failures = [e.result for e in answer.evidence if isinstance(e.result, ToolFailure) and e.tool == NAME]
        assert failures
        assert {f.code for f in failures} == {code}
        assert all(len(f.message) < 400 and "\n" not in f.message for f in failures)
        good = asked(agent_with(runtime, catalogue().get(NAME)), film)
        assert good.value is not None
        assert not good.abstained
    finally:
        runtime.close()


def test_a_tool_in_its_own_process_that_crashes_ends_as_evidence_too(
    film: Any, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing_ratio.py").write_text(
        '"""A ratio that crashes."""\n'
        "import os\n"
        "from secondread.tools.measure import cardiothoracic_ratio as real\n\n"
        "class Crashing(real.cardiothoracic_ratio):\n"
        '    """Crashes."""\n'
        '    card = real.CARD.model_copy(update={"isolate": True, "cache": "none"})\n\n'
        "    def run_batch(self, requests, ctx):\n"
        "        os._exit(139)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from importlib import import_module

    tool: Tool = import_module("crashing_ratio").Crashing()
    runtime = Runtime(cache_dir=kept)
    try:
        answer = asked(agent_with(runtime, tool), film)
        assert answer.abstained
        [failure] = [e.result for e in answer.evidence if isinstance(e.result, ToolFailure) and e.tool == NAME]
        assert failure.code == "tool_crashed"
        assert "139" in failure.message
        assert asked(agent_with(runtime, catalogue().get(NAME)), film).value is not None
    finally:
        runtime.close()


def test_a_summary_that_fails_or_runs_over_costs_no_measurement(open_runtime: Callable[..., Runtime]) -> None:
    tool = make_tool("wordy", lambda r, ctx: [found("x")])
    runtime = open_runtime(tool)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(type(tool), "summarise", lambda self, result: 1 / 0)
        assert ask(runtime, ("wordy", {}))[0].summary == "wordy returned finding"
        patch.setattr(type(tool), "summarise", lambda self, result: "two\nlines " * 500)
        [long] = ask(runtime, ("wordy", {"number": 1}))
    assert "\n" not in long.summary
    assert len(long.summary) <= 600


def test_memory_that_runs_out_for_a_batch_does_not_for_its_halves(open_runtime: Callable[..., Runtime]) -> None:
    """Room for three requests at a time; idle models of others leave before the second try."""
    sizes: list[int] = []

    def run(requests: Any, ctx: Any) -> list[Any]:
        sizes.append(len(requests))
        if len(requests) > 3:
            raise MemoryError
        return [found(str(r.number)) for r in requests]

    entered = threading.Event()

    def blocks(requests: Any, ctx: Any) -> list[Any]:
        ctx.model("blocker")
        entered.set()
        hold.wait(20)
        return [found("x")]

    runtime = open_runtime(make_tool("hungry", run, max_batch=8, load=Model), make_tool("blocker", blocks, load=Model))
    import asyncio

    from secondread.tools.runtime.calls import Call

    async def scene() -> list[Any]:
        blocked = asyncio.ensure_future(runtime.run([Call(tool="blocker", args={})]))
        await asyncio.to_thread(entered.wait, 10)
        many = [asyncio.ensure_future(runtime.run([Call(tool="hungry", args={"number": n})])) for n in range(8)]
        while len(runtime._dispatch._running) < 9:
            await asyncio.sleep(0.001)
        hold.set()
        await blocked
        return [next(iter(done.values())) for done in await asyncio.gather(*many)]

    done = runtime.submit(scene()).result(20)
    assert [e.result.items[0].note for e in done] == [str(n) for n in range(8)]
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    assert "blocker" not in runtime.pool.loaded()
    sizes.clear()
    runtime.submit(runtime.run([Call(tool="hungry", args={"number": n}) for n in range(20, 28)])).result(20)
    assert max(sizes) <= 4  # later batches are smaller from the start


def test_a_wrong_modality_is_refused_or_caveated_as_the_card_says(
    open_runtime: Callable[..., Runtime], grey: Any
) -> None:
    def run(requests: Any, ctx: Any) -> list[Any]:
        return [found("x")]

    strict = make_tool("strict", run, image="required", modality=("MR",), outside="not_applicable")
    lenient = make_tool("lenient", run, image="required", modality=("MR",))
    chest = make_tool("chest", run, image="required", anatomy="chest")
    runtime = open_runtime(strict, lenient, chest)
    image = runtime.store.add(grey).ref.id
    entry = runtime.store._entries[image]
    entry.info = entry.info.model_copy(update={"modality": "CT", "body_part": "KNEE"})
    refused, caveated, elsewhere = (ask(runtime, (n, {"image": image}))[0] for n in ("strict", "lenient", "chest"))
    assert isinstance(refused.result, ToolFailure)
    assert refused.result.code == "not_applicable"
    assert caveated.caveats == ("outside validity: lenient is valid for MR, this image is CT",)
    assert "shows the leg" in elsewhere.caveats[0]


def test_a_box_outside_the_image_is_refused_and_one_on_its_edge_is_not(
    open_runtime: Callable[..., Runtime], grey: Any
) -> None:
    def run(requests: Any, ctx: Any) -> list[Any]:
        ref = ctx.info(requests[0].image).ref
        edge = 0.5 if requests[0].number == 0 else 0.6
        box = Box(grid=ref.grid, x0=-0.5, y0=-0.5, x1=ref.columns - 1 + edge, y1=ref.rows - 0.5)
        return [Findings(items=(Finding(concept="x", region=box),))]

    runtime = open_runtime(make_tool("boxes", run, image="required"))
    image = runtime.store.add(grey).ref.id
    good, outside = (ask(runtime, ("boxes", {"image": image, "number": n}))[0] for n in (0, 1))
    assert good.kind == "finding"
    assert isinstance(outside.result, ToolFailure)
    assert "outside the image" in outside.result.message


def test_untrained_weights_are_never_run(open_runtime: Callable[..., Runtime]) -> None:
    from secondread.tools.base import WeightsInfo

    weights = WeightsInfo(files=("w",), sha256="0", source="x", licence="MIT", status="untrained")
    tool = make_tool("raw", lambda r, ctx: [found("x")], load=Model, weights=weights)
    [evidence] = ask(open_runtime(tool), ("raw", {}))
    assert isinstance(evidence.result, ToolFailure)
    assert "not trained" in evidence.result.message


def test_what_a_foreign_error_says_is_bounded_and_names_no_folder(open_runtime: Callable[..., Runtime]) -> None:
    home = f"{os.sep}home{os.sep}somebody{os.sep}Mueller{os.sep}weights.bin"
    tool = make_tool("talks", raises(FileNotFoundError(f"no such file: '{home}' " + "x" * 5000)))
    [evidence] = ask(open_runtime(tool), ("talks", {}))
    assert isinstance(evidence.result, ToolFailure)
    assert "Mueller" not in evidence.result.message
    assert "weights.bin" in evidence.result.message
    assert len(evidence.result.message) < 400
