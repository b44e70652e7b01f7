"""Batches across askers, sharing of equal calls, cancelling, hung tools, order."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from small_tools import Model, ask, ask_at_once, found, make_tool, measured

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Evidence, Findings, Measurements
from secondread.tools.base import ToolRequest
from secondread.tools.runtime.calls import Call, plan
from secondread.tools.runtime.runtime import Runtime

Open = Callable[..., Runtime]


def note(evidence: Evidence) -> str:
    assert isinstance(evidence.result, Findings), evidence.summary
    return evidence.result.items[0].note


class Recorder:
    """A batched tool that writes down its batches; the first waits until told to go on."""

    def __init__(self, name: str = "batched", *, hold: bool = False, **card: Any) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()
        self.entered = threading.Event()
        if not hold:
            self.go_on.set()
        self.tool = make_tool(name, self.run, load=Model, **{"max_batch": 4, **card})

    def run(self, requests: Any, ctx: Any) -> list[Any]:
        self.batches.append([r.number for r in requests])
        self.entered.set()
        self.go_on.wait(20)
        return [found(f"{r.number * r.number}") for r in requests]


def test_requests_that_wait_at_the_same_time_run_together_up_to_the_batch_size(open_runtime: Open) -> None:
    recorder = Recorder(hold=True)
    runtime = open_runtime(recorder.tool)

    async def all_of_them() -> list[Evidence]:
        tasks = [asyncio.ensure_future(one(runtime, number)) for number in range(10)]
        await asyncio.to_thread(recorder.entered.wait, 10)
        while len(runtime._dispatch._running) < 10:
            await asyncio.sleep(0.001)
        recorder.go_on.set()
        return list(await asyncio.gather(*tasks))

    done = runtime.submit(all_of_them()).result(20)
    assert [note(e) for e in done] == [str(n * n) for n in range(10)]
    assert sorted(n for batch in recorder.batches for n in batch) == list(range(10))
    assert max(map(len, recorder.batches)) == 4
    assert len(recorder.batches) <= 4


async def one(runtime: Runtime, number: int, name: str = "batched") -> Evidence:
    """One asker of its own."""
    done: dict[str, Evidence] = {}
    [planned] = plan([Call(tool=name, args={"number": number})], {}, runtime.catalogue, next_id=1, defaults={})
    evidence, _ = await runtime.execute(planned, done)
    return evidence


def test_a_lone_request_does_not_wait_for_company(open_runtime: Open, monkeypatch: Any) -> None:
    monkeypatch.setattr("secondread.tools.runtime.runtime.COMPANY_SECONDS", 30.0)
    recorder = Recorder()
    runtime = open_runtime(recorder.tool)
    started = time.perf_counter()
    ask(runtime, ("batched", {"number": 1}))
    # Two calls of one asker are not two askers, and neither waits for the other's tool.
    ask(runtime, ("batched", {"number": 2}), ("batched", {"number": 3}))
    assert time.perf_counter() - started < 10
    assert sorted(n for b in recorder.batches for n in b) == [1, 2, 3]


def test_requests_of_different_askers_keep_each_to_its_own_evidence(open_runtime: Open) -> None:
    """Evidence ids start at E1 for every asker: a batch must not mix them up."""

    class Above(ToolRequest):
        """Reads base."""

        number: int = 0
        base: str

    base = make_tool("base", lambda requests, ctx: [found(f"base {r.number}") for r in requests])
    seen: list[int] = []

    def read(requests: Any, ctx: Any) -> list[Any]:
        seen.append(len(requests))
        time.sleep(0.02)
        return [found(f"{r.number} on {ctx.evidence(r.base).result.items[0].note}") for r in requests]

    above = make_tool("above", read, request=Above, needs=("base",), max_batch=8, load=Model)
    runtime = open_runtime(base, above)

    async def both(number: int) -> Evidence:
        # The planner puts `above` on a base without arguments; here each asker has another base.
        [planned] = plan([Call(tool="base", args={"number": number})], {}, runtime.catalogue, next_id=1, defaults={})
        ledger = {planned.id: (await runtime.execute(planned, {}))[0]}
        top = planned.model_copy(
            update={"id": "E2", "key": f"k{number}", "tool": "above", "needs": {"base": planned.id}}
        )
        return (await runtime.execute(top, ledger))[0]

    async def all_of_them() -> list[Evidence]:
        return list(await asyncio.gather(*(both(number) for number in range(12))))

    done = runtime.submit(all_of_them()).result(20)
    assert [note(e) for e in done] == [f"{n} on base {n}" for n in range(12)]
    assert max(seen) > 1


def test_a_failing_request_does_not_spoil_its_batch(open_runtime: Open) -> None:
    batches: list[int] = []

    def run(requests: Any, ctx: Any) -> list[Any]:
        batches.append(len(requests))
        if any(r.number == 3 for r in requests):
            raise ZeroDivisionError("three")
        return [NotMeasurable("five") if r.number == 5 else found(str(r.number)) for r in requests]

    blocker = Recorder(hold=True)
    runtime = open_runtime(make_tool("picky", run, max_batch=16, load=Model), blocker.tool)

    async def all_of_them() -> list[Evidence]:
        first = asyncio.ensure_future(one(runtime, 0))  # holds the processor's one place for models
        await asyncio.to_thread(blocker.entered.wait, 10)
        rest = [asyncio.ensure_future(one(runtime, n, "picky")) for n in range(8)]
        while len(runtime._dispatch._running) < 9:
            await asyncio.sleep(0.001)
        blocker.go_on.set()
        await first
        return list(await asyncio.gather(*rest))

    done = runtime.submit(all_of_them()).result(20)
    assert [e.kind for e in done] == ["finding"] * 3 + ["tool_failure", "finding", "tool_failure", "finding", "finding"]
    assert batches[0] == 8
    assert batches[1:] == [1] * 8


def test_equal_calls_at_the_same_time_run_once_and_a_cancelled_one_leaves_the_others_alone(open_runtime: Open) -> None:
    recorder = Recorder(hold=True)
    runtime = open_runtime(recorder.tool)

    async def scene() -> list[Any]:
        tasks = [asyncio.ensure_future(one(runtime, 7)) for _ in range(3)]
        await asyncio.to_thread(recorder.entered.wait, 10)
        tasks[1].cancel()
        await asyncio.sleep(0.01)
        recorder.go_on.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    first, cancelled, third = runtime.submit(scene()).result(20)
    assert note(first) == note(third) == "49"
    assert isinstance(cancelled, asyncio.CancelledError)
    assert recorder.batches == [[7]]


def test_a_cancelled_request_that_still_waits_is_never_run(open_runtime: Open) -> None:
    recorder = Recorder(hold=True, max_batch=1)
    runtime = open_runtime(recorder.tool)

    async def scene() -> None:
        tasks = [asyncio.ensure_future(one(runtime, number)) for number in (1, 2, 3)]
        await asyncio.to_thread(recorder.entered.wait, 10)
        while len(runtime._dispatch._running) < 3:
            await asyncio.sleep(0.001)
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        recorder.go_on.set()
        await asyncio.gather(tasks[0], tasks[2])

    runtime.submit(scene()).result(20)
    assert recorder.batches == [[1], [3]]


def test_a_prerequisite_of_several_tools_runs_once_even_for_several_askers(open_runtime: Open) -> None:
    class Above(ToolRequest):
        """Reads base."""

        number: int = 0
        base: str

    runs: list[int] = []

    def run(requests: Any, ctx: Any) -> list[Any]:
        runs.append(len(requests))
        time.sleep(0.05)
        return [found("base") for _ in requests]

    tops = [
        make_tool(n, lambda requests, ctx: [found("x") for _ in requests], request=Above, needs=("base",))
        for n in ("one", "two", "three")
    ]
    runtime = open_runtime(make_tool("base", run, load=Model), *tops)
    done = ask(runtime, ("one", {}), ("two", {}), ("three", {}))
    assert [e.tool for e in done] == ["base", "one", "two", "three"]
    ask_at_once(runtime, *((n, {"number": 1}) for n in ("one", "two", "three")))
    assert runs == [1]


def test_a_need_named_by_concept_is_filled_by_the_tool_that_gives_it(open_runtime: Open) -> None:
    class Above(ToolRequest):
        """Reads a heart."""

        heart: str

    base = make_tool("outliner", lambda requests, ctx: [found("heart") for _ in requests], establishes=("heart",))
    top = make_tool("top", lambda r, ctx: [found(ctx.evidence(r[0].heart).tool)], request=Above, needs=("heart",))
    assert note(ask(open_runtime(base, top), ("top", {}))[-1]) == "outliner"


def test_a_hung_tool_is_given_up_and_everything_stays_usable(open_runtime: Open) -> None:
    hold = threading.Event()
    calls: list[int] = []

    def run(requests: Any, ctx: Any) -> list[Any]:
        ctx.model("hangs")
        calls.append(requests[0].number)
        if requests[0].number < 10:
            hold.wait(30)
        return [measured(1.0)]

    loads: list[int] = []

    def load() -> Model:
        loads.append(1)
        return Model()

    hangs = make_tool("hangs", run, load=load, timeout_seconds=0.1, kind="measurement", result=Measurements)
    fine = Recorder("fine", max_batch=1)
    runtime = open_runtime(hangs, fine.tool, workers=1)
    [late] = ask(runtime, ("hangs", {"number": 0}))
    assert late.result.code == "tool_timeout"  # type: ignore[union-attr]
    assert note(ask(runtime, ("fine", {"number": 2}))[0]) == "4"
    [good] = ask(runtime, ("hangs", {"number": 10}))  # the model lock is free, the model is a fresh one
    assert isinstance(good.result, Measurements)
    assert len(loads) == 2
    ask(runtime, ("hangs", {"number": 1}))
    [refused] = ask(runtime, ("hangs", {"number": 11}))
    assert "has not come back" in refused.summary
    hold.set()
    for _ in range(200):
        if ask(runtime, ("hangs", {"number": 12}))[0].kind == "measurement":
            break
        time.sleep(0.01)
    else:
        raise AssertionError("the tool stays refused although its threads came back")
    assert 11 not in calls


def test_the_time_limit_counts_from_the_start_of_a_call_not_from_when_it_began_to_wait(open_runtime: Open) -> None:
    def run(requests: Any, ctx: Any) -> list[Any]:
        time.sleep(0.06)
        return [found("done") for _ in requests]

    runtime = open_runtime(make_tool("slow", run, load=Model, timeout_seconds=0.3))
    done = ask_at_once(runtime, *(("slow", {"number": n}) for n in range(8)))
    assert {e.kind for e in done} == {"finding"}


def test_tools_that_wait_do_so_side_by_side(open_runtime: Open) -> None:
    together = threading.Barrier(4, timeout=10)

    def run(requests: Any, ctx: Any) -> list[Any]:
        together.wait()
        return [found("met")]

    runtime = open_runtime(*(make_tool(f"t{n}", run) for n in range(4)))
    assert [note(e) for e in ask(runtime, *((f"t{n}", {}) for n in range(4)))] == ["met"] * 4


def test_only_one_model_at_a_time_computes_on_a_device(open_runtime: Open) -> None:
    active: list[int] = []
    most: list[int] = []

    def run(requests: Any, ctx: Any) -> list[Any]:
        active.append(1)
        most.append(len(active))
        time.sleep(0.01)
        active.pop()
        return [found("x") for _ in requests]

    from secondread.tools.runtime.runtime import model_slots

    runtime = open_runtime(*(make_tool(f"m{n}", run, load=Model) for n in range(4)))
    ask(runtime, *((f"m{n}", {"number": k}) for n in range(4) for k in range(3)))
    assert max(most) <= model_slots("cpu")


def test_whoever_waits_when_the_runtime_closes_gets_an_error(open_runtime: Open) -> None:
    recorder = Recorder(hold=True)
    runtime = open_runtime(recorder.tool)
    waiting = runtime.submit(one(runtime, 1))
    recorder.entered.wait(10)
    runtime.close()
    recorder.go_on.set()
    assert waiting.result(10).kind == "tool_failure"
