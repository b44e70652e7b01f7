"""Small tools with exact behaviour, and askers, for the tests of the runtime and of the conformance kit."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from secondread.schema.evidence import Evidence, Finding, Findings, Measurement, Measurements
from secondread.schema.record import Record
from secondread.tools.base import Card, Context, Tool, ToolRequest
from secondread.tools.runtime.calls import Call, plan
from secondread.tools.runtime.runtime import Runtime


class Number(ToolRequest):
    """A number."""

    number: int = 0


def make_tool(
    name: str,
    run: Callable[[Sequence[Any], Context], list[Any]],
    *,
    load: Callable[[], Any] | None = None,
    request: type[ToolRequest] = Number,
    result: type[Record] = Findings,
    **card: Any,
) -> Tool:
    """A tool of this name whose batches are run by a function."""
    fields: dict[str, Any] = {"kind": "finding", "image": "none", "establishes": (name,), **card}

    def run_batch(self: Tool, requests: Sequence[Any], ctx: Context) -> list[Any]:
        return run(requests, ctx)

    body: dict[str, Any] = {
        "__doc__": "A test.",
        "card": Card(name=name, version="1", summary=name, **fields),
        "Request": request,
        "Result": result,
        "run_batch": run_batch,
    }
    if load is not None:
        loading = load
        body["load"] = lambda self: loading()
    made: Tool = type(name, (Tool,), body)()
    return made


def found(note: str) -> Findings:
    return Findings(items=(Finding(concept="x", note=note),))


def measured(value: float) -> Measurements:
    return Measurements(items=(Measurement(name="m", value=value),))


def ask(runtime: Runtime, *calls: tuple[str, dict[str, Any]]) -> list[Evidence]:
    """One asker: its calls at the same time, prerequisites first; evidence in call order."""
    work = runtime.run([Call(tool=name, args=args) for name, args in calls])
    return list(runtime.submit(work).result(60).values())


def ask_at_once(runtime: Runtime, *calls: tuple[str, dict[str, Any]]) -> list[Evidence]:
    """As many askers as calls, all at the same time; each gives the evidence of its last call."""

    async def one(name: str, args: dict[str, Any]) -> Evidence:
        done: dict[str, Evidence] = {}
        for planned in plan([Call(tool=name, args=args)], {}, runtime.catalogue, next_id=1, defaults={}):
            done[planned.id], _ = await runtime.execute(planned, done)
        return list(done.values())[-1]

    async def all_of_them() -> list[Evidence]:
        return list(await asyncio.gather(*(one(*call) for call in calls)))

    return runtime.submit(all_of_them()).result(60)


class Weight:
    """A parameter of so many bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def numel(self) -> int:
        return self.size

    def element_size(self) -> int:
        return 1


class Model:
    """Something with parameters and buffers."""

    def __init__(self, parameters: int = 100, buffers: int = 0) -> None:
        self.held = [Weight(parameters)], [Weight(buffers)]

    def parameters(self) -> list[Weight]:
        return self.held[0]

    def buffers(self) -> list[Weight]:
        return self.held[1]
