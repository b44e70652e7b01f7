"""The typed view that a planner gets of a run."""

from secondread.agent.exemplars import exemplars_of
from secondread.agent.hierarchy import waiting
from secondread.agent.judging.judgement import Judgement
from secondread.agent.nodes.valid import Offer
from secondread.agent.planners.base import Critique, PlannerView, Proposition, Refused
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.schema.evidence import Evidence


def judgements(state: LoopState) -> dict[str, Judgement]:
    """Judgements by proposition id."""
    return {k: Judgement.model_validate(v) for k, v in state.get("beliefs", {}).items()}


def planner_view(state: LoopState, run: Run, ledger: dict[str, Evidence], *, hold: bool = True) -> PlannerView:
    """Everything a planner may know at this point.

    Args:
        state: Of the loop.
        run: Its handles.
        ledger: Evidence by id.
        hold: Show propositions as not open while what they depend on is undecided.
    """
    judged = judgements(state)
    asked = [Proposition.model_validate(p) for p in state.get("propositions", [])]
    held = waiting(asked, judged) if hold else {}
    propositions = tuple(
        p.model_copy(
            update={"belief": judged[p.id].belief if p.id in judged else None, "open": p.open and p.id not in held}
        )
        for p in asked
    )
    critiques = tuple(Critique.model_validate(c) for c in state.get("critiques", []))
    cards = Offer(run, state["images"], asked, judged, ledger, critiques, hold=hold).cards()
    offered = {c.name for c in cards}
    question = state["question"]
    return PlannerView(
        question=question["text"],
        kind=question["kind"],
        topic=question.get("topic", "all"),
        choices=tuple(c["text"] for c in question.get("choices", [])),
        propositions=propositions,
        images=tuple(run.infos[i] for i in state["images"]),
        cards=cards,
        withheld=tuple(n for n in run.executor.catalogue.names() if n not in offered),
        ledger=tuple(ledger.values()),
        beliefs={k: j.belief for k, j in judged.items()},
        budget=run.meter.snapshot(),
        open_questions=tuple(f"{p.kind} of {p.concept}" for p in propositions if p.open),
        refused=tuple(Refused.model_validate(r) for r in state.get("refused", [])),
        step=run.meter.steps,
        critiques=critiques,
        exemplars=exemplars_of(ledger.values()) if run.exemplars else (),
    )
