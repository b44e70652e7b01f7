"""A person's yes or no before chosen tools. The node that waits has no side effects, so it can be run again."""

from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from secondread.agent.planners.base import Move, Refused
from secondread.agent.run import Approval, Run
from secondread.agent.state import LoopState
from secondread.schema.errors import SecondReadError
from secondread.tools.runtime.calls import Call, plan


def needed_tools(move: Move, run: Run, state: LoopState) -> set[str]:
    """Tools that a move would run: its own and the prerequisites that are not there yet."""
    if move.action != "call" or move.tool is None:
        return set()
    ledger = run.ledger(state)
    try:
        planned = plan(
            [Call(tool=move.tool, args=dict(move.args))],
            ledger,
            run.executor.catalogue,
            next_id=len(ledger) + 1,
            defaults=run.tool_defaults,
        )
    except SecondReadError:
        return set()  # act refuses it with the reason
    return {call.tool for call in planned}


def guarded(update: dict[str, Any], state: LoopState, run: Run) -> dict[str, Any]:
    """What think returns, without moves that a person has forbidden, and with the tools that wait for a yes."""
    if not run.approve:
        return update
    denied = set(state.get("denied", []))
    kept: list[dict[str, Any]] = []
    waits: set[str] = set()
    for raw in update.get("moves", []):
        tools = needed_tools(Move.model_validate(raw), run, state)
        if tools & denied:
            continue
        kept.append(raw)
        waits |= tools & run.approve
    allowed = {t for e in run.trace.events if e["type"] == "approval" and e["approved"] for t in e["tools"]}
    return {**update, "moves": kept, "decided": not kept, "waits": sorted(waits - allowed)}


async def approve(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Ask a person, or pause the run until one has answered."""
    run = runtime.context
    tools = tuple(state.get("waits", []))
    moves = [Move.model_validate(m) for m in state.get("moves", [])]
    why = "; ".join(dict.fromkeys(m.why for m in moves if m.why))
    decision = run.decide(Approval(run.trace.run, tools, why)) if run.decide is not None else None
    if decision is None:
        decision = bool(interrupt({"tools": list(tools), "why": why}))
    run.trace.add("approval", step=run.meter.steps, tools=list(tools), approved=decision)
    if decision:
        return {"waits": []}
    stopped = [m for m in moves if needed_tools(m, run, state) & set(tools)]
    refused = [Refused(move=m, reason="a person has forbidden this tool in this run") for m in stopped]
    for item in refused:
        run.trace.add("refused", move=item.move.model_dump(mode="json"), reason=item.reason)
    return {
        "waits": [],
        "denied": sorted({*state.get("denied", []), *tools}),
        "moves": [m.model_dump(mode="json") for m in moves if m not in stopped],
        "refused": [r.model_dump(mode="json") for r in refused],
    }
