"""Tools in processes of their own: same results, crashes and hangs contained, pixels and masks through the parent."""

import importlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_tools import ask, ask_at_once, found, make_tool

from secondread.imaging.volume.volume import Volume
from secondread.schema.evidence import Measurements, Regions, ToolFailure
from secondread.tools.base import Tool
from secondread.tools.runtime.runtime import Runtime

Open = Callable[..., Runtime]

SOURCE = '''
"""Tools for the tests of isolation."""
import os, sys, time
from secondread.schema.errors import NotMeasurable, ToolUnavailable
from secondread.schema.evidence import Measurement, Measurements, Regions
from secondread.schema.region import Box
from secondread.tools.base import Card, Tool, ToolRequest

class Model:
    nbytes = 1234

class Request(ToolRequest):
    """What to do."""
    do: str = "measure"

def value(number, name="m"):
    return Measurements(items=(Measurement(name=name, value=number),))

class Alone(Tool):
    """Does as it is told, in a process of its own."""
    card = Card(name="alone", version="1", summary="A test.", kind="measurement", establishes=("m",), image="optional",
                dimension=None, isolate=True, max_batch=8, cache="none", timeout_seconds=60)
    Request, Result = Request, Measurements

    def load(self):
        return Model()

    def run_batch(self, requests, ctx):
        return [self.one(r, ctx) for r in requests]

    def one(self, request, ctx):
        do = request.do
        if do == "measure":
            print("noise on stdout")
            os.write(1, b"more noise")
            return value(float(ctx.pixels(request.image).mean()))
        if do == "pid":
            assert ctx.model("alone").nbytes == 1234
            return value(float(os.getpid()))
        if do == "refuse":
            return NotMeasurable("Nothing to see.", hint="Look elsewhere.")
        if do == "raise":
            raise ZeroDivisionError("in /home/somebody/secret/file.py")
        if do == "exit":
            os._exit(7)
        if do == "hang":
            time.sleep(600)
        if do == "memory":
            raise MemoryError
        if do == "nan":
            return value(float("nan"))
        if do == "type":
            return 42
        if do == "large":
            return value(1.0, "x" * 50_000_000)
        if do == "unknown":
            return value(float(ctx.pixels("img-0").mean()))
        if do == "volume":
            volume = ctx.volume(request.image)
            return value(float(volume.values().sum()))
        if do == "everything":
            info, ref = ctx.info(request.image), None
            crop = ctx.derive(request.image, Box(grid=info.ref.grid, x0=-0.5, y0=-0.5, x1=15.5, y1=15.5), scale=2.0)
            mask = ctx.put_mask(request.image, "bright", ctx.pixels(request.image) > 0.5)
            same = bool((ctx.mask(mask) == (ctx.pixels(request.image) > 0.5)).all())
            doubt = ctx.put_map(request.image, ctx.values(request.image))
            bits = ctx.put_bits(request.image, (ctx.pixels(request.image) > 0.5).astype("uint8"))
            good = (same and ctx.map(doubt).shape == ctx.bits(bits).shape == ctx.pixels(request.image).shape
                    and ctx.pixels(crop.id).shape == (32, 32) and ctx.study(request.image).series
                    and ctx.device("alone") == "cpu" and [c.name for c in ctx.cards()] == ["alone"]
                    and ctx.graph().has("heart"))
            return value(1.0 if good else 0.0)
        raise ValueError(do)

class Unloadable(Alone):
    """Cannot be loaded."""
    card = Alone.card.model_copy(update={"name": "unloadable"})

    def load(self):
        raise ToolUnavailable("The weights file is damaged.", hint="Install it again.")

class Dies(Alone):
    """Dies while it loads."""
    card = Alone.card.model_copy(update={"name": "dies"})

    def load(self):
        os._exit(3)
'''


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("isolated")
    (folder / "isolated_test_tools.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("isolated_test_tools")
    sys.path.remove(str(folder))


def failure(evidence: Any) -> ToolFailure:
    assert isinstance(evidence.result, ToolFailure), evidence
    return evidence.result


def number(evidence: Any) -> float:
    assert isinstance(evidence.result, Measurements), evidence.summary
    value = evidence.result.items[0].value
    assert value is not None
    return value


def test_a_result_is_that_of_the_tool_and_what_it_prints_disturbs_nothing(
    open_runtime: Open, module: Any, grey: Any
) -> None:
    runtime = open_runtime(module.Alone())
    image = runtime.store.add(grey).ref.id
    [evidence] = ask(runtime, ("alone", {"image": image}))
    assert number(evidence) == pytest.approx(float(grey.mean()))
    assert number(ask(runtime, ("alone", {"do": "pid"}))[0]) != os.getpid()
    assert runtime.pool.loaded() == {"alone": 1234}


def test_everything_a_context_gives_is_there_and_masks_lie_in_the_store_of_the_parent(
    open_runtime: Open, module: Any, grey: Any
) -> None:
    runtime = open_runtime(module.Alone())
    image = runtime.store.add(grey).ref.id
    assert number(ask(runtime, ("alone", {"image": image, "do": "everything"}))[0]) == 1.0


def test_a_volume_reaches_the_process_with_its_scale(open_runtime: Open, module: Any) -> None:
    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    runtime = open_runtime(module.Alone())
    info = runtime.store.add_volume(Volume.from_array(voxels, np.diag([1.0, 1.0, 2.0, 1.0]), scale=(2.0, -1.0)))
    [evidence] = ask(runtime, ("alone", {"image": info.ref.id, "do": "volume"}))
    assert number(evidence) == pytest.approx(2.0 * voxels.sum() - voxels.size)


@pytest.mark.parametrize(
    ("do", "code", "words"),
    [
        ("refuse", "not_measurable", "Nothing to see"),
        ("raise", "tool_error", "ZeroDivisionError"),
        ("exit", "tool_crashed", "ended with 7"),
        ("memory", "out_of_memory", "ran out of memory"),
        ("nan", "bad_result", "not finite"),
        ("type", "bad_result", "int"),
        ("large", "bad_result", "50 MB"),
        ("unknown", "store_error", "does not hold"),
    ],
)
def test_whatever_happens_in_the_process_is_evidence_and_the_next_call_works(
    open_runtime: Open, module: Any, grey: Any, do: str, code: str, words: str
) -> None:
    runtime = open_runtime(module.Alone())
    image = runtime.store.add(grey).ref.id
    told = failure(ask(runtime, ("alone", {"image": image, "do": do}))[0])
    assert told.code == code
    assert words in told.message
    assert "/home/" not in told.message
    assert number(ask(runtime, ("alone", {"image": image}))[0]) == pytest.approx(float(grey.mean()))


def test_a_process_that_hangs_is_killed_and_replaced(open_runtime: Open, module: Any) -> None:
    tool = module.Alone()
    runtime = open_runtime(tool)
    before = number(ask(runtime, ("alone", {"do": "pid"}))[0])
    type(tool).card = tool.card.model_copy(update={"timeout_seconds": 0.3})
    try:
        assert failure(ask(runtime, ("alone", {"do": "hang"}))[0]).code == "tool_timeout"
    finally:
        type(tool).card = tool.card.model_copy(update={"timeout_seconds": 60.0})
    for _ in range(200):
        if not exists(int(before)):
            break
        time.sleep(0.02)
    assert not exists(int(before))
    assert number(ask(runtime, ("alone", {"do": "pid"}))[0]) != before


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_was_killed_while_idle_is_replaced_without_a_failure(open_runtime: Open, module: Any) -> None:
    runtime = open_runtime(module.Alone())
    pid = int(number(ask(runtime, ("alone", {"do": "pid"}))[0]))
    os.kill(pid, 9)
    for _ in range(200):
        if not runtime.pool.get(runtime.catalogue.get("alone")).alive:
            break
        time.sleep(0.02)
    assert number(ask(runtime, ("alone", {"do": "pid"}))[0]) != pid


def test_a_crash_in_a_batch_costs_only_the_request_that_crashed(open_runtime: Open, module: Any) -> None:
    runtime = open_runtime(module.Alone())
    ask(runtime, ("alone", {"do": "pid"}))
    done = ask_at_once(runtime, *(("alone", {"do": do}) for do in ("pid", "exit", "refuse")))
    assert [e.kind for e in done] == ["measurement", "tool_failure", "tool_failure"]
    assert failure(done[1]).code == "tool_crashed"
    assert failure(done[2]).code == "not_measurable"


def test_a_tool_that_cannot_load_says_why(open_runtime: Open, module: Any) -> None:
    runtime = open_runtime(module.Unloadable(), module.Dies())
    told = failure(ask(runtime, ("unloadable", {"do": "pid"}))[0])
    assert (told.code, told.hint) == ("tool_unavailable", "Install it again.")
    assert failure(ask(runtime, ("dies", {"do": "pid"}))[0]).code == "tool_crashed"


def test_an_idle_process_leaves_under_the_model_budget(open_runtime: Open, module: Any) -> None:
    class Big:
        nbytes = 16 << 20

    big = make_tool("big", lambda r, ctx: [found(str(ctx.model("big").nbytes))], load=Big)
    runtime = open_runtime(module.Alone(), big, model_budget_mb=16)
    pid = int(number(ask(runtime, ("alone", {"do": "pid"}))[0]))
    ask(runtime, ("big", {}))
    assert set(runtime.pool.loaded()) == {"big"}
    for _ in range(200):
        if not exists(pid):
            break
        time.sleep(0.02)
    assert not exists(pid)


def test_a_tool_that_cannot_be_imported_by_name_is_refused_with_the_reason(open_runtime: Open) -> None:
    def run(requests: Any, ctx: Any) -> list[Any]:
        return []

    tool: Tool = make_tool("nameless", run, isolate=True, result=Regions, kind="region")
    told = failure(ask(open_runtime(tool), ("nameless", {}))[0])
    assert told.code == "tool_unavailable"


def test_the_process_is_given_everything_that_a_context_gives() -> None:
    from secondread.tools.base import Context
    from secondread.tools.runtime.isolated import _ANSWERS
    from secondread.tools.runtime.isolated_child import RemoteContext

    methods = {name for name in vars(Context) if not name.startswith("_")}
    assert all(hasattr(RemoteContext, name) for name in methods)
    assert methods - set(_ANSWERS) == {"model", "device", "graph", "library"}  # the child's own
