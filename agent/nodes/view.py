"""The typed view that a planner gets of a run."""

from secondread.agent.hierarchy import waiting
from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Critique, PlannerView, Proposition, Refused
from secondread.agent.run import Run
from secondread.agent.serving import fits, lacks_outline
from secondread.agent.state import LoopState
from secondread.schema.evidence import Evidence
from secondread.tools.base import Card


def judgements(state: LoopState) -> dict[str, Judgement]:
    """Judgements by proposition id."""
    return {k: Judgement.model_validate(v) for k, v in state.get("beliefs", {}).items()}


def fitting_cards(run: Run, images: list[str]) -> tuple[Card, ...]:
    """Cards of the tools a planner may call on these images: wrong-modality ones are never offered."""
    infos = [run.infos[i] for i in images]
    kept: list[Card] = []
    for card in run.executor.catalogue.cards():
        if not card.in_plan or (card.image == "required" and not infos):
            continue
        if lacks_outline(card, run.tool_defaults):
            continue
        if card.image == "none" or not infos or any(fits(card, i) for i in infos):
            kept.append(card)
    return tuple(kept)


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
    question = state["question"]
    return PlannerView(
        question=question["text"],
        kind=question["kind"],
        topic=question.get("topic", "all"),
        choices=tuple(c["text"] for c in question.get("choices", [])),
        propositions=propositions,
        images=tuple(run.infos[i] for i in state["images"]),
        cards=fitting_cards(run, state["images"]),
        ledger=tuple(ledger.values()),
        beliefs={k: j.belief for k, j in judged.items()},
        budget=run.meter.snapshot(),
        open_questions=tuple(f"{p.kind} of {p.concept}" for p in propositions if p.open),
        refused=tuple(Refused.model_validate(r) for r in state.get("refused", [])),
        step=run.meter.steps,
        critiques=tuple(Critique.model_validate(c) for c in state.get("critiques", [])),
    )
