"""Which judgement applies to a proposition, by its kind and by how the graph says its concept is assessed."""

from collections.abc import Sequence

from secondread.agent.judging.film import judge_guard, judge_quality
from secondread.agent.judging.heart_size import ENLARGED, judge_heart_size
from secondread.agent.judging.judgement import Judgement, failure_of, last_on
from secondread.agent.judging.numbers import judge_comparison, judge_value
from secondread.agent.judging.together import together
from secondread.agent.planners.actions import found_by
from secondread.agent.planners.base import Belief, Proposition
from secondread.agent.run import Run
from secondread.agent.serving import fits
from secondread.agent.state import LoopState
from secondread.agent.witnesses import calibrated_by, heard
from secondread.kg.reason import missing_capability
from secondread.schema.evidence import (
    Evidence,
    Findings,
    GraphPaths,
    Measurements,
    Passages,
    SimilarCases,
    ToolFailure,
)

QUALITY_TOOL = "film_quality"
GUARD_TOOL = "chest_film_guard"


def judge(prop: Proposition, state: LoopState, ledger: dict[str, Evidence], run: Run) -> Judgement:
    """What the ledger says of one proposition now, with every witness on it."""
    made = _judged(prop, state, ledger, run)
    cited = [ledger[e] for e in made.evidence if e in ledger]
    said = heard(prop.concept, made.measurement, cited, ledger.values(), run.witnesses_off)
    return made.model_copy(update={"belief": made.belief.model_copy(update={"witnesses": said})})


def _judged(prop: Proposition, state: LoopState, ledger: dict[str, Evidence], run: Run) -> Judgement:
    if prop.kind == "listing":
        told = _told_by(prop, run.graph.concept(prop.concept).tool or "capabilities", ledger)
        where = found_by(prop.structure, ledger.values()) if prop.structure is not None else None
        if told.outcome == "told" and where is not None:
            return told.model_copy(update={"evidence": (*told.evidence, where[0].id)})
        return told
    if prop.kind == "knowledge":
        return _told_by(prop, "graph_facts", ledger)
    if not state["images"]:
        return _nothing(prop, "the question is about an image and none was given", outcome="indeterminate")
    image = state["images"][0]
    if prop.kind == "value":
        return judge_value(prop, image, ledger, run)
    if prop.kind == "comparison":
        return judge_comparison(prop, image, ledger, run)
    if prop.kind == "location":
        return _location(prop, image, ledger, run)
    return _presence(prop, image, ledger, run)


def _presence(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement:
    if prop.concept == ENLARGED:
        return judge_heart_size(prop, image, ledger, run)
    establishing = {t.card.name for t in run.executor.catalogue.establishing(prop.concept)}
    if GUARD_TOOL in establishing:
        return judge_guard(prop, image, ledger, run)
    quality = judge_quality(prop, image, ledger, run)
    if quality is not None:
        return quality
    heard_on = [last_on(ledger, name, (image,)) for name in sorted(establishing)]
    made = [_from_findings(prop, e, run) for e in heard_on if e is not None and isinstance(e.result, Findings)]
    if made:
        return together(made, ledger, run.cutoff)
    return _unheard(prop, image, sorted(establishing), ledger, run) or _out_of_reach(prop, ledger, run)


def _unheard(
    prop: Proposition, image: str, tools: Sequence[str], ledger: dict[str, Evidence], run: Run
) -> Judgement | None:
    """Where tools that find the concept have failed or are still to be run; None where there are none."""
    for name in tools:
        card = run.executor.catalogue.get(name).card
        if card.kind != "finding" or not fits(card, run.infos[image]):
            continue
        failed = failure_of(ledger, name, (image,))
        if failed is None:
            return _nothing(prop, "", outcome="pending")
        if isinstance(failed.result, ToolFailure):
            return _nothing(prop, failed.result.message, outcome="indeterminate", evidence=(failed.id,))
    return None


def _from_findings(prop: Proposition, item: Evidence, run: Run) -> Judgement:
    """A detector's word: a verdict only from a fact or from a verified, calibrated score; else support alone.

    A fact is read from the file; it has no score.
    """
    assert isinstance(item.result, Findings)
    found = item.result.get(prop.concept)
    if found is None:
        return _nothing(prop, f"{item.tool} says nothing of it", outcome="indeterminate", evidence=(item.id,))
    if found.score_kind == "fact" and found.polarity != "uncertain":
        return Judgement(
            proposition=prop.id,
            concept=prop.concept,
            outcome="yes" if found.polarity == "present" else "no",
            belief=Belief(method=f"no probability: {found.note}", polarity=found.polarity, evidence=(item.id,)),
            evidence=(item.id,),
        )
    calibrator = calibrated_by(prop.concept, item)
    if "detector_score" in run.witnesses_off:
        return _nothing(prop, "the score is left out", outcome="indeterminate", evidence=(item.id,))
    if not found.verified or calibrator is None or found.polarity == "uncertain":
        reason = found.note or f"{item.tool} supports it only, uncalibrated"
        return _nothing(prop, reason, outcome="indeterminate", evidence=(item.id,))
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome="yes" if found.polarity == "present" else "no",
        belief=Belief(
            probability=found.score,
            method=f"calibrated by {item.tool}; {calibrator}",
            polarity=found.polarity,
            evidence=(item.id,),
        ),
        evidence=(item.id,),
    )


def _location(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement:
    marked = _marked(prop, image, ledger, run)
    if marked is not None:
        return marked
    finders = [t.card.name for t in run.executor.catalogue.establishing(prop.concept) if t.card.kind == "finding"]
    if not finders:
        return _out_of_reach(prop, ledger, run)
    failures: list[Evidence] = []
    for name in finders:
        item = last_on(ledger, name, (image,))
        if item is not None:
            found = item.result.get(prop.concept) if isinstance(item.result, Findings) else None
            return (
                _told(prop, item)
                if found is not None and found.region is not None
                else _out_of_reach(prop, ledger, run)
            )
        failed = failure_of(ledger, name, (image,))
        failures += [failed] if failed is not None else []
    if failures and isinstance(failures[0].result, ToolFailure):
        return _nothing(prop, failures[0].result.message, outcome="indeterminate", evidence=(failures[0].id,))
    return _nothing(prop, "", outcome="pending")


def _marked(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement | None:
    """Where a tool that counts or outlines the concept has found it; None when no such tool is installed."""
    tools = [t.card.name for t in run.executor.catalogue.establishing(prop.concept) if t.card.kind == "measurement"]
    for name in tools:
        item = last_on(ledger, name, (image,))
        if item is not None and isinstance(item.result, Measurements):
            if any(c.concept == prop.concept for c in item.result.counted) or prop.concept in item.result.outlined:
                return _told(prop, item)
            continue
        failed = failure_of(ledger, name, (image,))
        if failed is not None and isinstance(failed.result, ToolFailure):
            return _nothing(prop, failed.result.message, outcome="indeterminate", evidence=(failed.id,))
        return _nothing(prop, "", outcome="pending")
    return None


def _told_by(prop: Proposition, tool: str, ledger: dict[str, Evidence]) -> Judgement:
    items = [e for e in ledger.values() if e.tool == tool]
    if not items:
        return _nothing(prop, "", outcome="pending")
    # The first that found something: a later call with other arguments cannot take away what was found.
    item = next((e for e in items if _holds(e)), items[-1])
    if isinstance(item.result, ToolFailure):
        return _nothing(prop, item.result.message, outcome="indeterminate", evidence=(item.id,))
    return _told(prop, item)


def _holds(item: Evidence) -> bool:
    """Whether a result says anything."""
    if isinstance(item.result, Passages | SimilarCases):
        return bool(item.result.items)
    return bool(item.result.paths) if isinstance(item.result, GraphPaths) else item.kind != "tool_failure"


def _told(prop: Proposition, item: Evidence) -> Judgement:
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome="told",
        belief=Belief(method="read from the cited evidence", polarity="present", evidence=(item.id,)),
        evidence=(item.id,),
        caveats=item.caveats,
    )


def _out_of_reach(prop: Proposition, ledger: dict[str, Evidence], run: Run) -> Judgement:
    """No installed tool judges this concept: say which is missing; the graph's own edge is the evidence."""
    facts = [e for e in ledger.values() if e.tool == "graph_facts" and e.kind == "graph_path"]
    lacking = missing_capability(run.graph, prop.concept)
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome="unanswerable",
        belief=Belief(method="no tool", reason="no installed tool can judge it"),
        evidence=tuple(e.id for e in facts[-1:]),
        reasons=("no installed tool can judge it",),
        missing=lacking.text if lacking is not None else None,
    )


def _nothing(prop: Proposition, reason: str, *, outcome: str, evidence: tuple[str, ...] = ()) -> Judgement:
    return Judgement.model_validate(
        {
            "proposition": prop.id,
            "concept": prop.concept,
            "outcome": outcome,
            "belief": Belief(method="uncalibrated", reason=reason, evidence=evidence),
            "evidence": evidence,
            "reasons": (reason,) if reason else (),
        }
    )
