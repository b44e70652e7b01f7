"""The model pool: one load, a budget that is never exceeded, models in use that stay."""

import gc
import json
import struct
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_tools import Model, make_tool

from secondread.schema.errors import ToolUnavailable
from secondread.tools.base import Tool, WeightsInfo
from secondread.tools.runtime.pool import ModelPool, model_bytes, stored_bytes


def loading(name: str, size: int = 100, *, seconds: float = 0.0, log: list[str] | None = None, **card: Any) -> Tool:
    def load() -> Model:
        time.sleep(seconds)
        if log is not None:
            log.append(name)
        return Model(size)

    return make_tool(name, lambda requests, ctx: [], load=load, **card)


def in_threads(count: int, work: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_a_model_is_loaded_once_under_concurrent_calls() -> None:
    log: list[str] = []
    pool, one = ModelPool(1000), loading("one", seconds=0.02, log=log)
    in_threads(6, lambda: pool.get(one))
    assert log == ["one"]
    assert pool.loaded() == {"one": 100}


def test_sizes_are_those_of_parameters_and_buffers_wherever_they_lie_and_count_once() -> None:
    shared = Model(50, 5)
    assert model_bytes(shared) == 55
    assert model_bytes({"a": shared, "b": [Model(1), shared]}) == 56

    class Holder:
        def __init__(self) -> None:
            self.nets = (shared, Model(10))
            self.name = "x"

    assert model_bytes(Holder()) == 65
    assert model_bytes(None) == 0


def test_torch_models_are_measured_and_freed() -> None:
    torch = pytest.importorskip("torch")
    made: list[Any] = []

    def load() -> Any:
        net = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.BatchNorm1d(20))
        made.append(weakref.ref(net))
        return net

    pool = ModelPool(10_000)
    pool.get(make_tool("net", lambda requests, ctx: [], load=load))
    # 220 weights of the layer, 2 x 20 of the norm and its 2 x 20 running figures, 4 bytes each; one int64 counter
    assert pool.loaded() == {"net": (220 + 40 + 40) * 4 + 8}
    assert pool.unload("net")
    gc.collect()
    assert made[0]() is None


def test_the_least_recently_used_idle_model_leaves_and_the_budget_is_never_exceeded() -> None:
    pool = ModelPool(250)
    one, two, three = (loading(name) for name in ("one", "two", "three"))
    pool.get(one), pool.get(two), pool.get(one), pool.get(three)
    assert set(pool.loaded()) == {"one", "three"}
    for _ in range(3):
        for tool in (one, two, three):
            with pool.use(tool):
                assert pool.held <= 250
    assert pool.peak <= 250


def test_three_models_under_a_budget_that_fits_two_wait_for_room_and_never_exceed_it() -> None:
    pool = ModelPool(250)
    tools = [loading(name, seconds=0.002) for name in ("one", "two", "three")]
    seen: list[int] = []

    def work(tool: Tool) -> None:
        for _ in range(10):
            with pool.use(tool):
                time.sleep(0.001)
                seen.append(sum(pool.loaded().values()))

    threads = [threading.Thread(target=work, args=(tool,)) for tool in tools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(seen) == 30
    assert max(seen) <= 250
    assert pool.peak <= 250
    assert pool.evictions > 0


def test_a_model_in_use_or_pinned_stays() -> None:
    pool = ModelPool(250)
    one, two, three = (loading(name) for name in ("one", "two", "three"))
    with pool.pinned(one):
        pool.get(two)
        pool.get(three)
        assert "one" in pool.loaded()
        assert not pool.unload("one")
        assert pool.make_room() == 100
        assert pool.loaded() == {"one": 100}
    assert pool.unload("one")


def test_a_model_larger_than_the_budget_is_refused_before_it_is_loaded_again() -> None:
    log: list[str] = []
    pool, large = ModelPool(50), loading("large", log=log)
    for _ in range(2):
        with pytest.raises(ToolUnavailable, match="model budget"):
            pool.get(large)
    assert log == ["large"]
    assert pool.held == 0


def test_who_uses_one_model_and_asks_for_another_that_does_not_fit_is_told_and_waits_for_nobody() -> None:
    pool = ModelPool(150)
    pool.get(loading("two"))
    with pool.use(loading("one")), pytest.raises(ToolUnavailable, match="beside those in use"):
        pool.get(loading("two"))


def test_an_error_of_loading_reaches_everybody_who_waits_and_the_next_try_starts_anew() -> None:
    tries: list[int] = []

    def load() -> Model:
        tries.append(1)
        time.sleep(0.02)
        if len(tries) == 1:
            raise ToolUnavailable("The weights file is damaged.")
        return Model()

    pool, tool = ModelPool(1000), make_tool("t", lambda requests, ctx: [], load=load)
    failed: list[str] = []

    def work() -> None:
        try:
            pool.get(tool)
        except ToolUnavailable as error:
            failed.append(error.message)

    in_threads(3, work)
    assert failed
    pool.get(tool)
    assert pool.loaded() == {"t": 100}


def test_an_abandoned_load_does_not_block_the_next_one() -> None:
    hold, entered = threading.Event(), threading.Event()

    def load() -> Model:
        if not entered.is_set():
            entered.set()
            hold.wait(20)
        return Model()

    pool, tool = ModelPool(1000), make_tool("t", lambda requests, ctx: [], load=load)
    hung = threading.Thread(target=pool.get, args=(tool,))
    hung.start()
    entered.wait(5)
    pool.abandon("t")
    fresh = pool.get(tool)
    hold.set()
    hung.join(5)
    assert pool.get(tool) is fresh
    assert pool.loaded() == {"t": 100}


def safetensors(path: Path, shapes: dict[str, list[int]]) -> None:
    header = json.dumps(
        {n: {"dtype": "F16", "shape": s, "data_offsets": [0, 0]} for n, s in shapes.items()}
        | {"__metadata__": {"a": "b"}}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def test_room_is_kept_by_what_the_weights_files_say(tmp_path: Path) -> None:
    safetensors(tmp_path / "w.safetensors", {"a": [3, 4], "b": [5]})
    weights = WeightsInfo(files=("w.safetensors",), sha256="0", source="x", licence="MIT")
    tool = loading("t", weights=weights)
    tool.weights_folder = tmp_path
    assert stored_bytes(tool) == 4 * 17
    (tmp_path / "w.safetensors").write_bytes(b"no such header")
    assert stored_bytes(tool) is None
    assert stored_bytes(loading("none")) == 0


def test_another_tool_of_the_same_name_gets_its_own_model() -> None:
    pool, log = ModelPool(1000), []  # type: ignore[var-annotated]
    one, other = loading("t", log=log), loading("t", 200, log=log)
    assert pool.get(one) is pool.get(one)
    assert pool.get(other) is not pool.get(one)
    assert log == ["t", "t", "t"]
