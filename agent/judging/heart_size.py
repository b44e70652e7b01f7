"""Is the heart enlarged, and how wide is it: the ratio's error model under the clinical rules."""

from secondread.agent.beliefs import Combined, Term, combine, logit
from secondread.agent.judging.closer_look import closer_looks
from secondread.agent.judging.judgement import Judgement, Outcome, failure_of, last_on
from secondread.agent.planners.base import Belief, Proposition
from secondread.agent.rules import Ruling, heart_size_ruling
from secondread.agent.run import Run
from secondread.schema.evidence import (
    CalibrationRecord,
    Evidence,
    Findings,
    Measurement,
    Measurements,
    QualityReport,
    Regions,
    ToolFailure,
)
from secondread.tools.calibrators import calibrator_id
from secondread.tools.measure.error_model import ErrorModel, error_model
from secondread.tools.measure.error_model import record as calibration_record

RATIO = "cardiothoracic_ratio"
ENLARGED = "enlarged_cardiac_silhouette"


class Look:
    """One measured look at the heart: the whole film or a crop of it."""

    def __init__(self, evidence: Evidence, measurement: Measurement, anatomy: Regions | None) -> None:
        self.evidence, self.measurement, self.anatomy = evidence, measurement, anatomy


def looks(ledger: dict[str, Evidence], images: tuple[str, ...]) -> list[Look]:
    """Every successful ratio on these images, whole film first, with the anatomy it was measured on."""
    found: list[Look] = []
    for image in images:
        item = last_on(ledger, RATIO, (image,))
        if item is None or not isinstance(item.result, Measurements):
            continue
        ratio = item.result.get(RATIO)
        if ratio is None or ratio.value is None:
            continue
        anatomy = last_on(ledger, "chest_anatomy", (image,))
        regions = anatomy.result if anatomy is not None and isinstance(anatomy.result, Regions) else None
        found.append(Look(item, ratio, regions))
    return found


def chosen_look(found: list[Look]) -> tuple[Look, str | None]:
    """The look that counts, and a note when a closer one changed the number.

    Both looks share one network, so they are one witness, not two: the closer look supersedes the first when heart
    and lungs were found plausibly in it, else the first stands.
    """
    first, last = found[0], found[-1]
    if last is first:
        return first, None
    if last.anatomy is not None and not last.anatomy.plausible:
        return first, "a closer look did not find heart and lungs plausibly, so the first look stands"
    a, b = first.measurement.value, last.measurement.value
    return last, f"a closer look on the enlarged chest reads {b:.2f} where the whole film read {a:.2f}"


def judge_heart_size(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement:
    """Verdict on an enlarged cardiac silhouette, or the ratio alone, or the reason for neither."""
    images = closer_looks(run.infos[image], ledger)
    found = looks(ledger, images)
    if not found:
        return _not_measured(prop, images, ledger)
    look, note = chosen_look(found)
    guards = last_on(ledger, "chest_film_guard", (image,))
    quality = last_on(ledger, "film_quality", (image,))
    tilt = last_on(ledger, "film_rotation", (image,))
    report = quality.result if quality is not None and isinstance(quality.result, QualityReport) else None
    ruling = heart_size_ruling(
        run.infos[image],
        guards.result if guards is not None and isinstance(guards.result, Findings) else None,
        look.anatomy,
        report,
        look.measurement,
        tilt.result.get("in_plane_rotation") if tilt is not None and isinstance(tilt.result, Measurements) else None,
    )
    threshold = prop.threshold
    if threshold is None:
        threshold = look.measurement.threshold.value if look.measurement.threshold else 0.5
    model, record = error_model(RATIO), calibration_record(RATIO)
    cap = report.log_odds_cap if report is not None else None
    combined = _belief(look.evidence, witnessed(look.measurement, run.witnesses_off), threshold, model, record, cap)
    evidence = [look.evidence.id]
    if guards is not None and "guard" in (ruling.view.basis, ruling.age.basis):
        evidence.append(guards.id)
    caveats = [*ruling.caveats, *look.measurement.caveats, *look.evidence.caveats]
    if note:
        caveats.insert(0, note)
    if combined is not None and combined.capped:
        caveats.append("the confidence is limited by the image quality")
    outcome, confidence_reasons = _outcome(ruling, combined, look.measurement, threshold, run.cutoff)
    probability = _stated(combined, ruling)
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome=outcome,
        belief=Belief(
            probability=probability,
            log_odds=logit(probability) if probability is not None else None,
            method=_method(record, ruling, probability, guards),
            polarity={"yes": "present", "no": "absent"}.get(outcome, "uncertain"),
            evidence=tuple(evidence),
            capped=combined.capped if combined is not None else False,
            contradiction=combined.contradiction if combined is not None else False,
            reason="; ".join((*ruling.reasons, *confidence_reasons)),
        ),
        evidence=tuple(evidence),
        measurement=look.measurement,
        threshold=threshold,
        view_text=f"{ruling.view.text}; {ruling.age.text}",
        reasons=(*ruling.reasons, *confidence_reasons),
        caveats=tuple(dict.fromkeys(caveats)),
        undecided=outcome == "indeterminate" and ruling.mode in ("verdict", "one_sided"),
    )


def witnessed(found: Measurement, off: frozenset[str]) -> Measurement:
    """The measurement without the witnesses that are taken away."""
    gone = {"mask_uncertainty": "uncertainty", "augmentation_spread": "spread"}
    return found.model_copy(update={field: None for name, field in gone.items() if name in off})


def _belief(
    item: Evidence,
    found: Measurement,
    threshold: float,
    model: ErrorModel | None,
    record: CalibrationRecord | None,
    cap: float | None,
) -> Combined | None:
    """P(ratio > threshold), no nearer to 0 or 1 than its fit set can tell: one error in n + 2 (rule of succession)."""
    if model is None or record is None or found.value is None or found.spread is None:
        return None
    above = model.probability_above(found.value or 0.0, found.spread or 0.0, threshold, found.uncertainty)
    least = 1.0 / (record.n + 2)
    above = min(max(above, least), 1.0 - least)
    term = Term(group="chest_anatomy", log_ratio=logit(above), evidence=(item.id,), source=RATIO)
    return combine([term], prior=0.5, cap=cap)


def _stated(combined: Combined | None, ruling: Ruling) -> float | None:
    """P(ratio above the threshold); when the view guard's PA reading is what allows a yes, that may be wrong too."""
    if combined is None:
        return None
    p, pa = combined.probability, ruling.view.probability_pa
    return 0.5 + (p - 0.5) * pa if pa is not None and _guarded(ruling, p) else p


def _guarded(ruling: Ruling, probability: float) -> bool:
    """Whether the view guard's probability has lessened this one."""
    return ruling.mode == "verdict" and ruling.view.probability_pa is not None and probability > 0.5


def _outcome(
    ruling: Ruling, combined: Combined | None, ratio: Measurement, threshold: float, cutoff: float
) -> tuple[Outcome, tuple[str, ...]]:
    if ruling.mode in ("value_only", "indeterminate"):
        return "indeterminate", ()
    if combined is None:
        return "indeterminate", ("the ratio has no error model, so nothing calibrated backs a verdict",)
    probability = _stated(combined, ruling) or 0.0
    if ruling.mode == "one_sided":
        high = ratio.interval.high if ratio.interval else None
        if high is not None and high <= threshold and 1 - probability >= cutoff:
            return "no", ()
        return "indeterminate", (
            f"the ratio's interval is not wholly at or below {threshold:.2f}, so magnification could explain it",
        )
    if probability >= cutoff:
        return "yes", ()
    if 1 - probability >= cutoff:
        return "no", ()
    return "indeterminate", (
        f"the ratio is too close to {threshold:.2f}: probability {probability:.2f} of lying above it, "
        f"and {cutoff:.2f} is needed either way",
    )


def _method(
    record: CalibrationRecord | None, ruling: Ruling, probability: float | None, guards: Evidence | None
) -> str:
    """How the probability was made, with the ids of the calibrations it rests on."""
    if record is None or probability is None:
        return "uncalibrated"
    told = f"error model of the ratio ({record.method}; {record.data}, n = {record.n}), flat prior"
    used = [calibrator_id(record)]
    if _guarded(ruling, probability) and guards is not None:
        used += [c for c in guards.calibrators if c.startswith("pa_view@")]
    return f"{told}; {', '.join(used)}"


def _not_measured(prop: Proposition, images: tuple[str, ...], ledger: dict[str, Evidence]) -> Judgement:
    failed = failure_of(ledger, RATIO, images)
    measured = last_on(ledger, RATIO, images)
    if failed is not None and isinstance(failed.result, ToolFailure):
        reasons: tuple[str, ...] = (failed.result.message,)
        outcome: Outcome = "indeterminate"
        evidence: tuple[str, ...] = (failed.id,)
    elif measured is not None and isinstance(measured.result, Measurements):
        ratio = measured.result.get(RATIO)
        why = ratio.not_measurable if ratio is not None and ratio.not_measurable else "the ratio was not measurable"
        reasons, outcome, evidence = (why,), "indeterminate", (measured.id,)
    else:
        reasons, outcome, evidence = (), "pending", ()
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome=outcome,
        belief=Belief(method="not measured", reason="; ".join(reasons)),
        evidence=evidence,
        reasons=reasons,
    )
