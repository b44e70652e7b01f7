"""answer: judgements become claims, the planner words them; verify: the gate decides what is let out."""

from collections.abc import Iterable, Mapping
from typing import Any

from langgraph.runtime import Runtime

from secondread.agent.claims import check_sentence, gate
from secondread.agent.compose import Draft, compose
from secondread.agent.nodes.rules_check import rule_critiques, rules_broken
from secondread.agent.nodes.view import judgements, planner_view
from secondread.agent.planners.base import Critique, Proposition, Sentence
from secondread.agent.run import Run
from secondread.agent.state import LoopState
from secondread.agent.told import withdrawn
from secondread.kg.questions import Question
from secondread.schema.answer import Answer, Claim
from secondread.schema.errors import PlannerError
from secondread.schema.evidence import Evidence

MAX_REPAIRS = 2
MAX_WITHDRAWALS = 4
"""Times that a draft without what broke a rule is held against the rules again."""


async def answer(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Draft the answer: claims from judgements, through the gate, then worded by the planner."""
    run = runtime.context
    ledger = run.ledger(state)
    judged = judgements(state)
    props = [Proposition.model_validate(p) for p in state["propositions"]]
    question = Question.model_validate(state["question"])
    repairs = state.get("repairs", 0)
    spent = state.get("exhausted")
    draft = compose(question, props, judged, ledger, run.graph, exhausted=spent, cutoff=run.cutoff)
    found = rules_broken(draft, props, judged, state, ledger, run)
    if found:
        again = run.rethink and not state.get("ruled") and not spent and run.meter.exhausted() is None
        told = [b.model_dump(mode="json") for b in found]
        run.trace.add("rules", repair=repairs, broken=told, then="think again" if again else "withdraw")
        for b in found:
            run.emit("answer", b.named)
        if again:
            critiques = [c.model_dump(mode="json") for c in rule_critiques(found, props)]
            return {"critiques": critiques, "ruled": True, "decided": False, "draft": {}}
    warnings: list[str] = []
    for _ in range(MAX_WITHDRAWALS):
        if not found:
            break
        warnings += [f"{b.named[0].upper()}{b.named[1:]} ({b.source})." for b in found]
        judged = withdrawn(props, judged, found)
        draft = compose(question, props, judged, ledger, run.graph, exhausted=spent, cutoff=run.cutoff)
        found = rules_broken(draft, props, judged, state, ledger, run)
    if warnings:
        draft = draft.model_copy(update={"warnings": tuple(dict.fromkeys((*draft.warnings, *warnings)))})
    images = frozenset(i for asked in state["images"] for i in run.family(asked, ledger))
    verdicts_last = sorted(judged.values(), key=lambda j: j.outcome in ("yes", "no"))
    beliefs = {j.concept: j.belief for j in verdicts_last}
    report = gate(draft.claims, ledger, beliefs, run.graph, images=images, thresholds=_asked_thresholds(props))
    dropped = [f"Claim {r.claim.id} was dropped: {r.reasons}." for r in report.rejected]
    named = {r.claim.id: list(dict.fromkeys(v.rule for v in r.violations)) for r in report.rejected}
    run.trace.add("gate", repair=repairs, accepted=[c.id for c in report.accepted], rejected=dropped, rules=named)
    view = planner_view(state, run, ledger)
    before = run.planner.usage
    try:
        sentences = await run.planner.word(report.accepted, view)
    except PlannerError as error:
        run.trace.add("word_failed", reason=error.message)
        sentences = []
    finally:
        run.meter.tokens += run.planner.usage - before
    run.trace.add("words", repair=repairs, sentences=[s.model_dump(mode="json") for s in sentences])
    return {
        "draft": {
            "draft": draft.model_dump(mode="json"),
            "accepted": [c.model_dump(mode="json") for c in report.accepted],
            "dropped": dropped,
            "sentences": [s.model_dump(mode="json") for s in sentences],
        }
    }


async def verify(state: LoopState, runtime: Runtime[Run]) -> dict[str, Any]:
    """Hold every sentence against the evidence of its claims; repair twice, then word from the templates."""
    run = runtime.context
    ledger = run.ledger(state)
    held = state["draft"]
    draft = Draft.model_validate(held["draft"])
    accepted = {c["id"]: Claim.model_validate(c) for c in held["accepted"]}
    images = frozenset(i for asked in state["images"] for i in run.family(asked, ledger))
    thresholds = _asked_thresholds([Proposition.model_validate(p) for p in state["propositions"]])
    kept: list[Sentence] = []
    problems: list[str] = []
    for raw in held["sentences"]:
        sentence = Sentence.model_validate(raw)
        found = check_sentence(sentence, accepted, ledger, run.graph, images=images, thresholds=thresholds)
        if found:
            problems.append(f"{sentence.text[:200]!r}: " + "; ".join(v.reason for v in found))
        else:
            kept.append(sentence)
    repairs = state.get("repairs", 0)
    unworded = set(accepted) - {c for s in kept for c in s.claims}
    if problems:
        run.trace.add("sentences_refused", repair=repairs, problems=problems)
    if (problems or unworded) and repairs < MAX_REPAIRS and run.planner is not run.fallback and not _spent(state, run):
        text = "; ".join(problems) or f"claims not worded: {sorted(unworded)}"
        critique = Critique(kind="wording", text=text)
        return {"repairs": repairs + 1, "critiques": [critique.model_dump(mode="json")], "verified": {}}
    templates = [Sentence(text=c.text, claims=(c.id,)) for c in accepted.values() if c.id in unworded]
    if problems and run.planner is not run.fallback:
        draft = draft.model_copy(
            update={
                "warnings": (
                    *draft.warnings,
                    f"{len(problems)} sentence(s) of the planner were not supported and were dropped.",
                )
            }
        )
    final = _render(state, run, draft, [*kept, *templates], tuple(accepted.values()), held["dropped"])
    run.trace.add("answer", answer=final.model_dump(mode="json"))
    return {"answer": final.model_dump(mode="json"), "verified": {"done": True}}


def looked_at(claims: Iterable[Claim], ledger: Mapping[str, Evidence]) -> str:
    """Where in the study the cited evidence lies, as a sentence; empty for images handed over by themselves."""
    places = dict.fromkeys(ledger[e].place for c in claims for e in c.evidence if e in ledger and ledger[e].place)
    return f"Looked at {'; '.join(places)}." if places else ""


def _asked_thresholds(props: list[Proposition]) -> dict[str, float]:
    """Thresholds that the question names, by concept."""
    return {p.concept: p.threshold for p in props if p.threshold is not None}


def _spent(state: LoopState, run: Run) -> bool:
    return bool(state.get("exhausted") or run.meter.exhausted() in ("tokens", "seconds"))


def _render(
    state: LoopState,
    run: Run,
    draft: Draft,
    sentences: list[Sentence],
    claims: tuple[Claim, ...],
    dropped: list[str],
) -> Answer:
    """The answer: lead, worded claims, tail. A verdict whose own claim was dropped is withdrawn."""
    ledger = run.ledger(state)
    lost = bool(dropped) and not draft.abstained
    verdict, confidence, choice = draft.verdict, draft.confidence, draft.choice
    lead, abstained, reason = draft.lead, draft.abstained, draft.abstain_reason
    value = draft.value if not draft.value or any(c.concept == draft.value.name for c in claims) else None
    if lost:
        verdict, confidence, choice, abstained = "indeterminate", None, None, True
        reason = "a claim that the answer needs is not supported by its evidence"
        lead = f"No verdict: {reason}."
    warnings = [*draft.warnings, *dropped]
    if any(run.infos[i].ref.parent in run.infos for i in state["images"]):
        warnings.append("The image was cropped to what lies inside its plain frame; positions are those of the crop.")
    body = [s.text.strip() for s in sentences]
    text = " ".join(part for part in (lead, *body, *draft.tail, looked_at(claims, ledger)) if part)
    return Answer(
        question=state["question"]["text"],
        text=text,
        verdict=verdict,
        value=value,
        choice=choice,
        confidence=confidence,
        confidence_method=draft.confidence_method if confidence is not None else "",
        abstained=abstained,
        abstain_reason=reason,
        claims=claims,
        evidence=tuple(ledger.values()),
        warnings=tuple(warnings),
        trace=run.trace.run,
        budget=run.meter.snapshot(state.get("exhausted")),
    )
