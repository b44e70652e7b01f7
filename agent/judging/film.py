"""What can be said of the film itself: its view and population, and its quality."""

from statistics import NormalDist

from secondread.agent.judging.judgement import Judgement, Outcome, last_on
from secondread.agent.planners.base import Belief, Proposition
from secondread.agent.rules import STRONG_ROTATION_DEGREES
from secondread.agent.run import Run
from secondread.agent.witnesses import calibrated_by
from secondread.schema.evidence import Evidence, Findings, Measurement, Measurements, QualityReport
from secondread.schema.image import ImageInfo
from secondread.tools.quality.answers import answers

ROTATED = "rotated_film"
UNCALIBRATED = "uncalibrated"
SURE = 0.8
"""Share of the tilt's error distribution that must lie on one side of the limit."""


def known_from_header(concept: str, info: ImageInfo) -> tuple[Outcome, str] | None:
    """Yes or no where the header or the caller settles it, with the source in words."""
    if info.view != "UNKNOWN" and info.view_source != "unknown":
        views = {"pa_view": "PA", "ap_view": "AP", "lateral_view": "LATERAL"}
        if concept in views:
            return (
                "yes" if info.view == views[concept] else "no"
            ), f"the view is {info.view} by {_source(info.view_source)}"
    if info.age_years is not None and info.age_source != "unknown" and concept in ("child", "adult"):
        child = info.age_years < 18
        return (
            "yes" if child == (concept == "child") else "no"
        ), f"the age is {info.age_years:g} by {_source(info.age_source)}"
    return None


def _source(kind: str) -> str:
    return "the caller's word" if kind == "stated" else "the file's header"


def judge_guard(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement:
    """View, age group, frontal film or not: header first, then a verified guard, else no verdict."""
    item = last_on(ledger, "chest_film_guard", (image,))
    settled = known_from_header(prop.concept, run.infos[image])
    evidence = (item.id,) if item is not None else ()
    if settled is not None:
        outcome, words = settled
        return Judgement(
            proposition=prop.id,
            concept=prop.concept,
            outcome=outcome,
            belief=Belief(method=words, polarity="present" if outcome == "yes" else "absent", evidence=evidence),
            evidence=evidence,
            view_text=words,
        )
    found = item.result.get(prop.concept) if item is not None and isinstance(item.result, Findings) else None
    if found is None or item is None:
        return _undecided(prop, evidence, "neither the header nor a guard tells")
    if not found.verified or found.polarity == "uncertain":
        return _undecided(prop, evidence, found.note or "the guard is not verified across sources and cannot tell")
    if "detector_score" in run.witnesses_off:
        return _undecided(prop, evidence, "the guard's score is left out")
    calibrator = calibrated_by(prop.concept, item)
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome="yes" if found.polarity == "present" else "no",
        belief=Belief(
            probability=found.score if calibrator else None,
            method=f"calibrated view and population guard; {calibrator}" if calibrator else UNCALIBRATED,
            polarity=found.polarity,
            evidence=evidence,
        ),
        evidence=evidence,
        caveats=(found.note,) if found.note else (),
    )


def judge_quality(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement | None:
    """Verdict on a quality concept from measured grades, or None when the concept is not one of quality."""
    if prop.concept == ROTATED:
        return _tilt(prop, image, ledger)
    item = last_on(ledger, "film_quality", (image,))
    if item is None or not isinstance(item.result, QualityReport):
        return None
    said = answers(item.result).get(prop.concept)
    if said is None:
        return None
    polarity, name = said
    outcomes: dict[str, Outcome] = {"present": "yes", "absent": "no", "uncertain": "indeterminate"}
    attribute = item.result.get(name) if name else None
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome=outcomes[polarity],
        belief=Belief(method=UNCALIBRATED, polarity=polarity, evidence=(item.id,)),
        evidence=(item.id,),
        reasons=((attribute.reason,) if attribute is not None and attribute.reason else item.result.reasons),
    )


def _tilt(prop: Proposition, image: str, ledger: dict[str, Evidence]) -> Judgement:
    """In-plane tilt decides; turning about the long axis needs clavicles, which no tool here finds."""
    item = last_on(ledger, "film_rotation", (image,))
    if item is None or not isinstance(item.result, Measurements):
        failed = [e for e in ledger.values() if e.tool == "film_rotation" and e.kind == "tool_failure"]
        if failed:
            return _undecided(prop, (failed[-1].id,), failed[-1].summary)
        return _undecided(prop, (), "", outcome="pending")
    tilt = item.result.get("in_plane_rotation")
    if tilt is None or tilt.value is None:
        why = tilt.not_measurable if tilt is not None and tilt.not_measurable else "the tilt was not measurable"
        return _undecided(prop, (item.id,), why)
    limit = tilt.threshold.value if tilt.threshold else STRONG_ROTATION_DEGREES
    beyond = _beyond(tilt, limit)
    outcome: Outcome = "yes" if beyond >= SURE else "no" if beyond <= 1 - SURE else "indeterminate"
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome=outcome,
        belief=Belief(
            method=UNCALIBRATED,
            polarity={"yes": "present", "no": "absent"}.get(outcome, "uncertain"),
            evidence=(item.id,),
        ),
        evidence=(item.id,),
        measurement=tilt,
        threshold=limit,
        reasons=("the tilt is too close to the limit",) if outcome == "indeterminate" else (),
        caveats=(
            "turning of the patient about the long axis is not judged: no installed tool finds the clavicles",
            *tilt.caveats,
        ),
    )


def _beyond(tilt: Measurement, limit: float) -> float:
    """P(|tilt| > limit) under a normal error as wide as the measurement's 90 % interval."""
    value, interval = tilt.value or 0.0, tilt.interval
    deviation = (interval.high - interval.low) / (2 * 1.645) if interval else 0.0
    if deviation == 0.0:
        return float(abs(value) > limit)
    normal = NormalDist(value, deviation)
    return normal.cdf(-limit) + 1 - normal.cdf(limit)


def _undecided(
    prop: Proposition, evidence: tuple[str, ...], reason: str, *, outcome: Outcome = "indeterminate"
) -> Judgement:
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome=outcome,
        belief=Belief(method=UNCALIBRATED, reason=reason, evidence=evidence),
        evidence=evidence,
        reasons=(reason,) if reason else (),
    )
