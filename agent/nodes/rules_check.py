"""The clinical rules at the door: a draft that breaks one is thought over once, then what it concerns is not told."""

from collections.abc import Mapping, Sequence

from secondread.agent.compose import Draft
from secondread.agent.consistency import Broken, broken
from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Critique, Proposition
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.agent.told import facts_of, told_of
from secondread.schema.evidence import Evidence


def rules_broken(
    draft: Draft,
    props: Sequence[Proposition],
    judged: Mapping[str, Judgement],
    state: LoopState,
    ledger: dict[str, Evidence],
    run: Run,
) -> list[Broken]:
    """Clinical rules that a draft breaks, by itself or with earlier answers about the same study."""
    if not state["images"] or not draft.claims:
        return []
    image = state["images"][0]
    thresholds = {p.concept: p.threshold for p in props if p.threshold is not None}
    now = told_of(draft.claims, judged, ledger, run=run.trace.run, thresholds=thresholds)
    facts = facts_of(image, run.infos[image], draft.claims, ledger, run.family(image, ledger))
    return broken(run.rules, now, facts, run.earlier, run.graph)


def rule_critiques(found: Sequence[Broken], props: Sequence[Proposition]) -> list[Critique]:
    """The broken rules as what the next round of thinking is about."""
    return [
        Critique(
            kind="rule",
            text=b.named,
            propositions=tuple(p.id for p in props if p.concept in b.concerns),
            tools=b.tools,
        )
        for b in found
    ]
