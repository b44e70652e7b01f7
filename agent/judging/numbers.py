"""Values and comparisons of sides: numbers with their interval, no verdict where the pixels cannot give one."""

from secondread.agent.judging.closer_look import closer_looks
from secondread.agent.judging.heart_size import RATIO, chosen_look, looks
from secondread.agent.judging.judgement import Judgement, Outcome, failure_of, last_on
from secondread.agent.planners.base import Belief, Proposition
from secondread.agent.rules import read_age, read_view
from secondread.agent.run import Run
from secondread.agent.serving import lacks_outline, measures
from secondread.kg.reason import assessments, missing_capability
from secondread.schema.evidence import Evidence, Findings, Measurement, Measurements, Regions, ToolFailure

Z90 = 1.645
"""Standard normal quantile of a central 90 % range."""
LARGER_LUNG = {"lung_area_ratio": "area", "lung_width_ratio": "width", "lung_height_ratio": "height"}


def measured(concept: str, structure: str | None, run: Run) -> list[tuple[str, str]]:
    """(measurement concept, tool) pairs that give a number for a concept, the concept itself first."""
    wanted = [concept, *(found.measurement for found in assessments(run.graph, concept))]
    pairs = [
        (measurement, t.card.name)
        for measurement in wanted
        for t in run.executor.catalogue.establishing(measurement)
        if t.card.kind == "measurement" and measures(t.card, measurement, structure)
    ]
    return list(dict.fromkeys(pairs))


def structure_of(prop: Proposition, run: Run) -> str | None:
    """What is to be measured: named by the question, or the structure that it asks the size of."""
    if prop.structure is not None:
        return prop.structure
    known = run.graph.has(prop.concept) and run.graph.concept(prop.concept).kind == "anatomy"
    return prop.concept if known else None


def judge_value(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement:
    """The number asked for, from the latest look at the image."""
    images = closer_looks(run.infos[image], ledger)
    structure = structure_of(prop, run)
    pairs = measured(prop.concept, structure, run)
    if not pairs:
        lacking = missing_capability(run.graph, prop.concept)
        return _judgement(
            prop, "unanswerable", (), "no installed tool measures it", missing=lacking.text if lacking else None
        )
    catalogue = run.executor.catalogue
    if all(lacks_outline(catalogue.get(tool).card, run.tool_defaults) for _, tool in pairs):
        what = structure.replace("_", " ") if structure is not None else "structure"
        return _judgement(
            prop, "indeterminate", (), f"an outline of the {what} is needed", missing="Give one with --mask NAME=FILE."
        )
    pairs = [pair for pair in pairs if not lacks_outline(catalogue.get(pair[1]).card, run.tool_defaults)]
    pending = False
    failures: list[tuple[str, str]] = []
    for concept, tool in pairs:
        note: str | None = None
        if concept == RATIO and looks(ledger, images):
            look, note = chosen_look(looks(ledger, images))
            item: Evidence | None = look.evidence
        else:
            item = last_on(ledger, tool, (image,))
        if item is None or not isinstance(item.result, Measurements):
            failed = failure_of(ledger, tool, images)
            if failed is not None and isinstance(failed.result, ToolFailure):
                failures.append((failed.id, failed.result.message))
            else:
                pending = True
            continue
        found = item.result.get(concept, structure)
        if found is None or found.value is None:
            why = found.not_measurable if found is not None and found.not_measurable else "not measured"
            failures.append((item.id, why))
            continue
        guards = last_on(ledger, "chest_film_guard", (image,))
        guard_findings = guards.result if guards is not None and isinstance(guards.result, Findings) else None
        view, age = read_view(run.infos[image], guard_findings), read_age(run.infos[image], guard_findings)
        caveats = list(dict.fromkeys([*([note] if note else []), *found.caveats, *item.caveats]))
        if concept == RATIO:
            if view.treated_as == "AP":
                caveats.append(f"{view.text}; such films magnify the heart")
            if age.group == "child":
                caveats.append(f"{age.text}: adult limits do not apply")
        return _judgement(prop, "told", (item.id,), "", measurement=found, caveats=tuple(caveats))
    if pending:
        return _judgement(prop, "pending", (), "")
    evidence, why = failures[0]
    return _judgement(prop, "indeterminate", (evidence,), why)


def judge_comparison(prop: Proposition, image: str, ledger: dict[str, Evidence], run: Run) -> Judgement:
    """Right against left lung. `prop.laterality` names the side that the question calls larger, if it does."""
    item = last_on(ledger, "lung_symmetry", (image,))
    if item is None or not isinstance(item.result, Measurements):
        failed = failure_of(ledger, "lung_symmetry", (image,))
        if failed is not None and isinstance(failed.result, ToolFailure):
            return _judgement(prop, "indeterminate", (failed.id,), failed.result.message)
        return _judgement(prop, "pending", (), "")
    name = prop.concept if prop.concept in LARGER_LUNG else "lung_area_ratio"
    ratio = item.result.get(name)
    if ratio is None or ratio.value is None:
        why = ratio.not_measurable if ratio is not None and ratio.not_measurable else "the lungs were not measured"
        return _judgement(prop, "indeterminate", (item.id,), why)
    anatomy = last_on(ledger, "chest_anatomy", (image,))
    regions = anatomy.result if anatomy is not None and isinstance(anatomy.result, Regions) else None
    if regions is not None and regions.heart_side == "image_left":
        return _judgement(
            prop,
            "indeterminate",
            (item.id,),
            "the heart lies to the image left: mirrored film or dextrocardia, so the sides cannot be named",
            measurement=ratio,
        )
    larger = clearly_larger(ratio)
    outcome: Outcome = "told"
    if prop.laterality in ("left", "right"):
        outcome = "indeterminate" if larger is None else ("yes" if larger == prop.laterality else "no")
    return _judgement(
        prop,
        outcome,
        (item.id,),
        "the lungs differ by less than the spread of the masks" if larger is None else "",
        measurement=ratio,
        caveats=(*ratio.caveats, *item.caveats),
    )


def clearly_larger(ratio: Measurement) -> str | None:
    """`right` or `left` when a right / left ratio lies off 1 by more than its spread allows, else None."""
    if ratio.value is None:
        return None
    low, high = spread_range(ratio)
    if low > 1.0:
        return "right"
    return "left" if high < 1.0 else None


def spread_range(found: Measurement) -> tuple[float, float]:
    """The interval of a measurement, or value +- 1.645 standard deviations of its mask samples."""
    if found.interval is not None:
        return found.interval.low, found.interval.high
    margin = Z90 * (found.spread or 0.0)
    return (found.value or 0.0) - margin, (found.value or 0.0) + margin


def _judgement(
    prop: Proposition,
    outcome: Outcome,
    evidence: tuple[str, ...],
    reason: str,
    *,
    measurement: Measurement | None = None,
    caveats: tuple[str, ...] = (),
    missing: str | None = None,
) -> Judgement:
    polarity = {"yes": "present", "told": "present", "no": "absent"}.get(outcome, "uncertain")
    return Judgement(
        proposition=prop.id,
        concept=prop.concept,
        outcome=outcome,
        belief=Belief(
            method="measured" if measurement else "uncalibrated", polarity=polarity, evidence=evidence, reason=reason
        ),
        evidence=evidence,
        measurement=measurement,
        reasons=(reason,) if reason else (),
        caveats=caveats,
        missing=missing,
    )
