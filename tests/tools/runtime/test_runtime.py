"""The runtime: prerequisites, ids, cache, timeouts, failures as evidence."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from secondread.schema.errors import NotMeasurable, ToolUnavailable, UsageError
from secondread.schema.evidence import Evidence, Finding, Findings, ToolFailure
from secondread.tools.base import Card, Context, Tool, ToolRequest, tool
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.calls import Call, plan
from secondread.tools.runtime.runtime import Runtime


class Count(ToolRequest):
    number: int = 0


class Dependent(ToolRequest):
    number: int = 0
    base: str


def card(name: str, **fields: Any) -> Card:
    return Card(name=name, version="1", summary=name, kind="finding", establishes=(name,), image="none", **fields)


runs: list[str] = []


@tool(card("base"), request=ToolRequest, result=Findings, summary=lambda r: "base")
def base(request: ToolRequest, ctx: Context) -> Findings:
    """Counts its runs."""
    runs.append("base")
    return Findings(items=(Finding(concept="base"),))


@tool(card("above", needs=("base",)), request=Dependent, result=Findings, summary=lambda r: "above")
def above(request: Dependent, ctx: Context) -> Findings:
    """Reads the evidence of base."""
    return Findings(items=(Finding(concept="above", note=ctx.evidence(request.base).tool),))


@tool(card("refuses"), request=Count, result=Findings, summary=lambda r: "")
def refuses(request: Count, ctx: Context) -> Findings:
    """Never measures."""
    raise NotMeasurable("Nothing to see.", hint="Look elsewhere.")


@tool(card("breaks"), request=Count, result=Findings, summary=lambda r: "")
def breaks(request: Count, ctx: Context) -> Findings:
    """Has a bug."""
    raise ZeroDivisionError("oops")


@tool(card("sleeps", timeout_seconds=0.05), request=Count, result=Findings, summary=lambda r: "")
def sleeps(request: Count, ctx: Context) -> Findings:
    """Takes too long."""
    time.sleep(0.4)
    return Findings(items=())


@tool(card("lies"), request=Count, result=Findings, summary=lambda r: "")
def lies(request: Count, ctx: Context) -> Any:
    """Returns another type than it says."""
    return ToolFailure(code="x", message="y")


CATALOGUE = Catalogue({c.card.name: c() for c in (base, above, refuses, breaks, sleeps, lies)})


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runs.clear()
    made = Runtime(tools=CATALOGUE)
    yield made
    made.close()


def run(runtime: Runtime, *calls: Call, ledger: dict[str, Evidence] | None = None) -> dict[str, Evidence]:
    done = dict(ledger or {})
    for planned in plan(calls, done, CATALOGUE, next_id=len(done) + 1, defaults={}):
        evidence, _ = runtime.submit(runtime.execute(planned, done)).result()
        done[planned.id] = evidence
    return done


def test_a_missing_prerequisite_is_inserted_before_its_dependents(runtime: Runtime) -> None:
    done = run(runtime, Call(tool="above", args={}))
    assert [e.tool for e in done.values()] == ["base", "above"]
    assert list(done) == ["E1", "E2"]


def test_a_shared_prerequisite_runs_once(runtime: Runtime) -> None:
    run(runtime, Call(tool="above", args={"number": 1}), Call(tool="above", args={"number": 2}))
    assert runs == ["base"]


def test_a_prerequisite_in_the_ledger_is_used(runtime: Runtime) -> None:
    first = run(runtime, Call(tool="base", args={}))
    done = run(runtime, Call(tool="above", args={}), ledger=first)
    assert list(done) == ["E1", "E2"]


def test_an_equal_call_comes_from_the_cache_and_failures_do_not(runtime: Runtime) -> None:
    run(runtime, Call(tool="base", args={}))
    run(runtime, Call(tool="base", args={}))
    assert runs == ["base"]
    before = runtime.executed
    run(runtime, Call(tool="refuses", args={}))
    run(runtime, Call(tool="refuses", args={}))
    assert runtime.executed == before + 2


@pytest.mark.parametrize(
    ("name", "code"),
    [("refuses", "not_measurable"), ("breaks", "tool_error"), ("sleeps", "tool_timeout"), ("lies", "bad_result")],
)
def test_whatever_goes_wrong_becomes_evidence(runtime: Runtime, name: str, code: str) -> None:
    found = run(runtime, Call(tool=name, args={}))["E1"]
    assert found.kind == "tool_failure"
    assert isinstance(found.result, ToolFailure)
    assert found.result.code == code


def test_a_failed_prerequisite_fails_its_dependents_with_the_reason(runtime: Runtime) -> None:
    failing = Catalogue({"base": refuses_as_base(), "above": above()})
    other = Runtime(tools=failing)
    done: dict[str, Evidence] = {}
    for planned in plan([Call(tool="above", args={})], {}, failing, next_id=1, defaults={}):
        done[planned.id], _ = other.submit(other.execute(planned, done)).result()
    other.close()
    last = done["E2"].result
    assert isinstance(last, ToolFailure)
    assert last.code == "prerequisite_failed"
    assert "Nothing to see" in last.message


def refuses_as_base() -> Tool:
    @tool(card("base"), request=ToolRequest, result=Findings, summary=lambda r: "")
    def failing(request: ToolRequest, ctx: Context) -> Findings:
        """Never measures."""
        raise NotMeasurable("Nothing to see.")

    return failing()


def test_unknown_tools_and_bad_arguments_are_refused_with_a_reason() -> None:
    with pytest.raises(ToolUnavailable, match="nosuch"):
        plan([Call(tool="nosuch", args={})], {}, CATALOGUE, next_id=1, defaults={})
    with pytest.raises(UsageError, match="number"):
        plan([Call(tool="refuses", args={"number": "many"})], {}, CATALOGUE, next_id=1, defaults={})
    with pytest.raises(UsageError, match="extra"):
        plan([Call(tool="refuses", args={"extra": 1})], {}, CATALOGUE, next_id=1, defaults={})


def test_ask_style_submission_works_inside_a_running_loop(runtime: Runtime) -> None:
    async def caller() -> int:
        return await asyncio.to_thread(lambda: len(run(runtime, Call(tool="base", args={}))))

    assert asyncio.run(caller()) == 1
