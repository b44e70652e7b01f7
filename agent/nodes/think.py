"""think: ask the planner for moves; a planner that cannot be read, or stops too early, is helped out by the graph."""

from typing import Any

from langgraph.runtime import Runtime

from secondread.agent.nodes.steered import SPARE_STEPS, astray, spare, steered
from secondread.agent.nodes.view import planner_view
from secondread.agent.planners.base import Move, PlannerView
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.schema.errors import PlannerError

FUTILE_STEPS = 2
"""After so many steps in which nothing of a planner's moves could be carried out, the fallback plans."""


async def proposed(view: PlannerView, run: Run, futile: int, backup: list[Move]) -> tuple[list[Move], str]:
    """This step's moves, and who chose them."""
    if run.planner is run.fallback:
        return backup, run.planner.name
    if futile >= FUTILE_STEPS:
        return backup, f"{run.fallback.name} (nothing of {run.planner.name}'s moves could be carried out)"
    before = run.planner.usage
    try:
        moves = await run.planner.propose(view)
    except PlannerError as error:
        return backup, f"{run.fallback.name} ({run.planner.name}: {error.message})"
    finally:
        run.meter.tokens += run.planner.usage - before
    calls = steered([m for m in moves if m.action == "call"], backup, run.meter.calls_left())
    if calls and backup and astray(run.trace.events, backup):
        return backup, f"{run.fallback.name} ({run.planner.name}'s moves led away from what is asked)"
    if calls and not backup and spare(run.trace.events) >= SPARE_STEPS:
        return [], f"{run.fallback.name} (nothing is asked that {run.planner.name}'s moves could settle)"
    if not calls and backup:
        return backup, f"{run.fallback.name} ({run.planner.name} stopped with an open proposition and a fitting tool)"
    return calls, run.planner.name


async def opened(state: LoopState, run: Run) -> tuple[PlannerView, list[Move], bool]:
    """The planner's view, the calls that the graph asks for, and whether dependent propositions wait.

    Propositions wait for what they depend on, until no tool is left that could decide that.
    """
    ledger = run.ledger(state)
    for hold in (True, False):
        view = planner_view(state, run, ledger, hold=hold)
        backup = [m for m in await run.fallback.propose(view) if m.action == "call"]
        if backup:
            return view, backup, hold
    return view, backup, False


def futile_steps(state: LoopState, run: Run) -> int:
    """Consecutive latest steps in which the moves led to no new evidence."""
    count = 0
    for event in reversed(run.trace.events):
        if event["type"] == "result":
            break
        if event["type"] == "moves":
            count += 1
    return count


async def think(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Choose this step's calls; none means that the answer is due."""
    run = runtime.context
    exhausted = state.get("exhausted") or run.meter.exhausted()
    if exhausted:
        run.trace.add("budget", exhausted=exhausted)
        return {"moves": [], "decided": True, "exhausted": exhausted}
    view, backup, hold = await opened(state, run)
    moves, by = await proposed(view, run, futile_steps(state, run), backup)
    run.meter.steps += 1
    dumped = [m.model_dump(mode="json") for m in moves]
    run.trace.add("moves", step=run.meter.steps, by=by, wanted=bool(backup), moves=dumped)
    run.emit("think", ", ".join(m.tool or m.action for m in moves) or "ready to answer")
    return {
        "moves": dumped,
        "decided": not moves,
        "critiques": [],
        "hold": hold,
        "useful": sorted({t for c in view.critiques for t in c.tools}),
    }
