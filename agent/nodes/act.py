"""act: run the moves in parallel, prerequisites first; whatever goes wrong becomes evidence."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.runtime import Runtime

from secondread.agent.judging.judgement import Judgement
from secondread.agent.limits import MAX_SEARCHES, SEARCHES
from secondread.agent.nodes.valid import Offer
from secondread.agent.planners.base import Critique, Move, Proposition, Refused
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Evidence
from secondread.tools.runtime.calls import Call, PlannedCall, plan


async def run_planned(planned: Sequence[PlannedCall], ledger: Mapping[str, Evidence], run: Run) -> dict[str, Evidence]:
    """Run calls, each as soon as its prerequisites are there; returns the new evidence by id.

    Each result is in the trace before it is returned, so a completed call is never lost.
    """
    done: dict[str, Evidence] = dict(ledger)
    tasks: dict[str, asyncio.Task[None]] = {}

    async def one(call: PlannedCall) -> None:
        for need in call.needs.values():
            if need in tasks:
                await tasks[need]
        run.emit("act", call.tool)
        left = max(0.05, run.meter.seconds_left())
        timeout = left if run.tool_timeout is None else min(run.tool_timeout, left)
        evidence, seconds = await run.executor.execute(call, done, timeout=timeout)
        if run.keep is not None:
            run.keep(evidence)
        done[call.id] = evidence
        run.trace.add(
            "result", call=call.model_dump(mode="json"), evidence=evidence.model_dump(mode="json"), seconds=seconds
        )

    for call in planned:
        tasks[call.id] = asyncio.create_task(one(call))
    await asyncio.gather(*tasks.values())
    return {call.id: done[call.id] for call in planned}


def admissible(
    moves: Sequence[Move], state: LoopState, run: Run, ledger: Mapping[str, Evidence]
) -> tuple[list[PlannedCall], list[Refused]]:
    """Planned calls of the valid moves, and the others with a reason that a planner can read."""
    known = {image for asked in state["images"] for image in run.family(asked, ledger)}
    valid: list[Call] = []
    refused: list[Refused] = []
    catalogue, next_id = run.executor.catalogue, len(ledger) + 1
    props = [Proposition.model_validate(p) for p in state.get("propositions", [])]
    named = [Critique(kind="named", text="", tools=tuple(state.get("useful", [])))]
    judged = {k: Judgement.model_validate(v) for k, v in state.get("beliefs", {}).items()}
    offer = Offer(run, state["images"], props, judged, ledger, named, hold=state.get("hold", True))
    for move in moves:
        if move.action != "call" or move.tool is None:
            continue
        image = move.args.get("image")
        if image is not None and image not in known:
            refused.append(Refused(move=move, reason=f"no image {image!r} in this run; known: {sorted(known)}"))
            continue
        reason = offer.refuses(move.tool, None if image is None else str(image))
        if reason is not None:
            refused.append(Refused(move=move, reason=reason))
            continue
        if move.tool in SEARCHES and searches(ledger) + sum(c.tool in SEARCHES for c in valid) >= MAX_SEARCHES:
            refused.append(Refused(move=move, reason=f"{MAX_SEARCHES} searches were made already; use what they found"))
            continue
        call = Call(tool=move.tool, args=dict(move.args))
        try:
            fresh = plan([call], ledger, catalogue, next_id=next_id, defaults=run.tool_defaults)
        except SecondReadError as error:
            refused.append(Refused(move=move, reason=error.message))
            continue
        if fresh:
            valid.append(call)
        else:
            refused.append(Refused(move=move, reason="this call was made already; read its evidence"))
    return plan(valid, ledger, catalogue, next_id=next_id, defaults=run.tool_defaults), refused


def searches(ledger: Mapping[str, Evidence]) -> int:
    """Calls of search tools so far."""
    return sum(e.tool in SEARCHES for e in ledger.values())


async def act(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Validate and run this step's moves."""
    run = runtime.context
    ledger = run.ledger(state)
    moves = [Move.model_validate(m) for m in state.get("moves", [])]
    planned, refused = admissible(moves, state, run, ledger)
    exhausted = state.get("exhausted")
    admitted, limit = run.meter.admitted(len(planned))
    if limit is not None:
        planned, exhausted = planned[:admitted], limit
        run.trace.add("cut", step=run.meter.steps, kept=admitted, exhausted=limit)
    for item in refused:
        run.trace.add("refused", move=item.move.model_dump(mode="json"), reason=item.reason)
    run.meter.calls += len(planned)
    new = await run_planned(planned, ledger, run)
    return {
        "evidence": {k: v.model_dump(mode="json") for k, v in new.items()},
        "refused": [r.model_dump(mode="json") for r in refused],
        "exhausted": exhausted,
    }
