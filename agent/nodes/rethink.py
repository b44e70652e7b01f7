"""rethink: judge every proposition on the ledger, look for trouble, and ask for a closer look where it may help."""

from typing import Any

from langgraph.runtime import Runtime

from secondread.agent.hierarchy import closed
from secondread.agent.judging.closer_look import wanted_looks
from secondread.agent.judging.judge import judge
from secondread.agent.judging.judgement import Judgement
from secondread.agent.nodes.valid import shut_out
from secondread.agent.nodes.view import judgements
from secondread.agent.planners.base import Critique, Proposition
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.agent.wording import name_of
from secondread.schema.evidence import Evidence


def revisions(before: dict[str, Judgement], after: dict[str, Judgement], ledger: dict[str, Evidence]) -> list[str]:
    """What changed since the last round, in words."""
    told: list[str] = []
    for key, new in after.items():
        old = before.get(key)
        if (
            old is None
            or old.outcome == "pending"
            or (old.outcome == new.outcome and old.measurement == new.measurement)
        ):
            continue
        why = new.caveats[0] if new.caveats else "new evidence"
        fresh = [e for e in new.evidence if e not in old.evidence]
        if fresh:
            why += f" ({', '.join(f'{e} {ledger[e].tool}' for e in fresh if e in ledger)})"
        told.append(f"{key} ({new.concept}): {old.outcome} -> {new.outcome}, because {why}")
    return told


def contradictions(run: Run, judged: dict[str, Judgement]) -> list[Critique]:
    """Graph constraints that the current verdicts break together."""
    from secondread.kg.reason import excluded

    said = {
        j.concept: "present" if j.outcome == "yes" else "absent" for j in judged.values() if j.outcome in ("yes", "no")
    }
    return [
        Critique(
            kind="constraint",
            text=f"{edge.text} Both cannot hold.",
            propositions=tuple(k for k, j in judged.items() if j.concept in (edge.subject, edge.object)),
        )
        for edge in excluded(run.graph, said)
    ]


def judged_together(
    props: list[Proposition], state: LoopState, ledger: dict[str, Evidence], run: Run
) -> dict[str, Judgement]:
    """A judgement per proposition, parents first: what a parent leaves open of its children is judged by itself."""
    by_id = {p.id: p for p in props}
    made: dict[str, Judgement] = {}

    def one(prop: Proposition) -> Judgement:
        if prop.id not in made:
            parent = by_id.get(prop.parent or "")
            above = one(parent) if parent is not None else None
            settled = None
            if parent is not None and above is not None:
                names = (name_of(parent.concept, run.graph), name_of(prop.concept, run.graph))
                settled = closed(prop, parent, above, run.graph, *names)
            if settled is None and state["images"]:
                settled = shut_out(prop, state["images"][0], ledger, run)
            made[prop.id] = settled or judge(prop, state, ledger, run)
        return made[prop.id]

    return {p.id: one(p) for p in props}


async def rethink(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Update judgements; the critiques tell the planner what is worth doing next."""
    run = runtime.context
    ledger = run.ledger(state)
    props = [Proposition.model_validate(p) for p in state["propositions"]]
    before = judgements(state)
    judged = judged_together(props, state, ledger, run)
    if not run.rethink:  # the first verdict stands
        judged |= {k: old for k, old in before.items() if old.outcome in ("yes", "no")}
    told = revisions(before, judged, ledger)
    critiques: list[Critique] = []
    looked = list(state.get("looked", []))
    if run.rethink:
        critiques += contradictions(run, judged)
        for image, critique in wanted_looks(props, judged, state, ledger, run):
            critiques.append(critique)
            looked.append(image)
    run.trace.add(
        "rethink",
        beliefs={
            k: {
                "outcome": j.outcome,
                "probability": j.belief.probability,
                "witnesses": [w.model_dump(mode="json") for w in j.belief.witnesses],
            }
            for k, j in judged.items()
        },
        revised=told,
        closed=[f"{k} by {j.closed_by}: {'; '.join(j.reasons)}" for k, j in judged.items() if j.closed_by],
        critiques=[c.model_dump(mode="json") for c in critiques],
    )
    for line in told:
        run.emit("rethink", line)
    settled = {k for k, j in judged.items() if j.outcome != "pending"}
    return {
        "beliefs": {k: j.model_dump(mode="json") for k, j in judged.items()},
        "propositions": [p.model_copy(update={"open": p.id not in settled}).model_dump(mode="json") for p in props],
        "critiques": [c.model_dump(mode="json") for c in critiques],
        "looked": looked,
    }
