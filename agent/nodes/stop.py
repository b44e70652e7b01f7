"""stop: the abstention that intake decided on, with whatever the gates have seen as evidence."""

from typing import Any

from langgraph.runtime import Runtime

from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.schema.answer import Answer


async def stop(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Abstain with intake's reason."""
    run = runtime.context
    reason = state.get("stop") or "nothing to do"
    place = run.infos[state["images"][0]].place if state["images"] else None
    where = f" Looked at {place.words()}." if place is not None else ""
    image_question = bool(state.get("evidence"))
    answer = Answer(
        question=state["question"]["text"],
        text=f"No verdict: {reason}.{where}",
        verdict="indeterminate",
        abstained=True,
        abstain_reason=reason,
        evidence=tuple(run.ledger(state).values()),
        warnings=() if image_question else ("Ask 'What can you measure here?' for what this program answers.",),
        trace=run.trace.run,
        budget=run.meter.snapshot(),
    )
    run.trace.add("answer", answer=answer.model_dump(mode="json"))
    return {"answer": answer.model_dump(mode="json")}
