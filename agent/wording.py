"""One sentence per claim, from fixed patterns filled with the cited evidence."""

from collections.abc import Mapping

from secondread.agent.judging.judgement import WITHDRAWN, Judgement
from secondread.agent.judging.numbers import clearly_larger, spread_range
from secondread.agent.planners.base import Proposition
from secondread.kg.graph import Graph
from secondread.schema.answer import Claim
from secondread.schema.evidence import (
    DerivedImage,
    Evidence,
    Findings,
    GraphPaths,
    Measurement,
    Measurements,
    Passages,
    Polarity,
    QualityReport,
    SimilarCases,
)
from secondread.tools.quality.answers import answers

MAX_PATHS = 6
"""Paths or passages worded in one answer; the rest stay in the evidence."""


UNIT_WORDS = {"1": "", "count": "", "deg": "degrees"}


def name_of(concept: str, graph: Graph) -> str:
    """The concept's preferred name, or its id in words when the graph lacks it."""
    return graph.concept(concept).name if graph.has(concept) else concept.replace("_", " ")


def digits(value: float, unit: str) -> int:
    """Decimals that a value is printed with: two for ratios, one for degrees, and three figures for small lengths."""
    if unit == "1" or unit == "grey":
        return 2
    if unit == "deg":
        return 1
    small = unit in ("mm", "mm2", "ml", "HU", "units") and 0 < abs(value) < 100
    return (2 if abs(value) < 10 else 1) if small else 0


def number(value: float, unit: str) -> str:
    """A value as printed, with its unit."""
    return f"{value:.{digits(value, unit)}f} {UNIT_WORDS.get(unit, unit)}".rstrip()


def measured_text(found: Measurement, graph: Graph) -> str:
    """`The cardiothoracic ratio is 0.53 (0.49-0.57, 90 % interval)`."""
    name = name_of(found.name, graph)
    if found.structure is not None:
        name += f" of the {name_of(found.structure, graph)}"
    text = f"The {name} is {number(found.value or 0.0, found.unit)}"
    if found.interval is not None:
        low, high = found.interval.low, found.interval.high
        places = digits(found.value or 0.0, found.unit)
        dash = "-" if low >= 0 else " to "
        level = f"{100 * found.interval.level:.0f} %"
        unit = f" {UNIT_WORDS.get(found.unit, found.unit)}".rstrip()
        text += f" ({low:.{places}f}{dash}{high:.{places}f}{unit}, {level} interval)"
    return text


class _Maker:
    """Numbers claims as they are made."""

    def __init__(self, first: int, evidence: tuple[str, ...]) -> None:
        self.next, self.evidence, self.made = first, evidence, list[Claim]()

    def add(
        self,
        concept: str,
        polarity: Polarity,
        text: str,
        *,
        probability: float | None = None,
        method: str = "",
        location: str | None = None,
        evidence: tuple[str, ...] | None = None,
    ) -> None:
        """Append a claim; its tags are put before the full stop."""
        cited = self.evidence if evidence is None else evidence
        tags = " ".join(f"[{e}]" for e in cited)
        self.made.append(
            Claim(
                id=f"C{self.next}",
                concept=concept,
                polarity=polarity,
                text=f"{text.rstrip('.')} {tags}.",
                probability=probability,
                probability_method=method,
                location=location,
                evidence=cited,
            )
        )
        self.next += 1


def claims_of(
    prop: Proposition, judged: Judgement, ledger: Mapping[str, Evidence], graph: Graph, *, first: int
) -> list[Claim]:
    """Claims that a judgement supports; none when it has no evidence."""
    if not judged.evidence or judged.evidence[0] not in ledger:
        return []
    if judged.belief.method == WITHDRAWN and judged.measurement is None:
        return []
    maker = _Maker(first, judged.evidence)
    main = ledger[judged.evidence[0]].result
    if judged.closed_by is not None:
        _without_parent(prop, judged, maker, graph)
    elif judged.measurement is not None and judged.measurement.value is not None:
        _measured(prop, judged, maker, graph)
    elif isinstance(main, Measurements) and prop.kind == "location":
        _marked(prop, main, maker, graph)
    elif isinstance(main, QualityReport):
        _quality(prop, judged, main, maker, graph)
    elif isinstance(main, Findings):
        _finding(prop, judged, main, maker, graph)
    elif isinstance(main, GraphPaths):
        _paths(main, maker)
    elif isinstance(main, Passages):
        for item in main.items:
            maker.add(prop.concept, "present", item.cited)
    elif isinstance(main, DerivedImage):
        maker.add(prop.concept, "present", _shown(prop, ledger[judged.evidence[0]], main, graph))
    elif isinstance(main, SimilarCases):
        for case in main.items[:MAX_PATHS]:
            maker.add(prop.concept, "present", case.text)
    return maker.made


def _without_parent(prop: Proposition, judged: Judgement, maker: _Maker, graph: Graph) -> None:
    """What is absent because something that it cannot be without is; nothing for details, which the tail tells."""
    if judged.outcome != "no":
        return
    p = judged.belief.probability
    maker.add(
        prop.concept,
        "absent",
        f"Not: {name_of(prop.concept, graph)}",
        probability=None if p is None else 1 - p,
        method=judged.belief.method,
    )


def _shown(prop: Proposition, item: Evidence, made: DerivedImage, graph: Graph) -> str:
    """How an image is shown otherwise."""
    text = f"Shown by the {name_of(prop.concept, graph)}"
    if made.box is None or prop.structure is None:
        return f"{text}, see the picture of {item.id}"
    b = made.box
    columns, rows = f"{b.x0 + 0.5:.0f} to {b.x1 - 0.5:.0f}", f"{b.y0 + 0.5:.0f} to {b.y1 - 0.5:.0f}"
    return f"{text}, columns {columns} and rows {rows}: the {name_of(prop.structure, graph)}"


def _measured(prop: Proposition, judged: Judgement, maker: _Maker, graph: Graph) -> None:
    found = judged.measurement
    assert found is not None and found.value is not None
    number_evidence = judged.evidence[:1]
    maker.add(
        found.name, "present", measured_text(found, graph), method=_interval_method(found), evidence=number_evidence
    )
    if prop.kind == "comparison":
        if judged.outcome != "indeterminate":
            _larger(found, maker, number_evidence)
        return
    if prop.kind not in ("presence", "quality") or judged.outcome not in ("yes", "no"):
        return
    limit = number(judged.threshold or 0.0, found.unit)
    name = "" if prop.threshold is not None else name_of(prop.concept, graph)
    p, yes = judged.belief.probability, judged.outcome == "yes"
    text = f"This lies above {limit}" if yes else f"This does not lie above {limit}"
    if name:
        text += f": {name}" if yes else f": no {name}"
    if found.threshold is not None and found.value < 0:
        text = name[0].upper() + name[1:] if yes else f"No {name}"  # a limit on the size, not on the signed value
    maker.add(
        prop.concept,
        "present" if yes else "absent",
        text,
        probability=p if p is None or yes else 1 - p,
        method=judged.belief.method,
    )


def _interval_method(found: Measurement) -> str:
    return found.interval.method if found.interval else ""


def _larger(found: Measurement, maker: _Maker, evidence: tuple[str, ...]) -> None:
    side = clearly_larger(found)
    if side is None:
        return
    low, high = spread_range(found)
    measure = found.name.split("_")[1]
    other = "left" if side == "right" else "right"
    maker.add(
        found.name,
        "present",
        f"The {side} lung is larger in {measure} than the {other} lung",
        method="central 90 % range of the mask samples" if low != high else "",
        location=side,
        evidence=evidence,
    )


def _quality(prop: Proposition, judged: Judgement, report: QualityReport, maker: _Maker, graph: Graph) -> None:
    polarity, attribute_name = answers(report).get(prop.concept, ("uncertain", ""))
    if polarity == "uncertain":
        return
    attribute = report.get(attribute_name) if attribute_name else None
    name = name_of(prop.concept, graph)
    text = f"{name[0].upper()}{name[1:]}" if polarity == "present" else f"No {name}"
    if attribute is not None:
        text += f": {attribute.name.replace('_', ' ')} measures {attribute.value:.3g}, graded {attribute.grade}"
    else:
        text += f": overall grade {report.overall}"
    maker.add(prop.concept, polarity, text)


def _finding(prop: Proposition, judged: Judgement, findings: Findings, maker: _Maker, graph: Graph) -> None:
    if prop.kind == "listing":
        for one in findings.items:
            if one.polarity == "present" or (one.polarity == "uncertain" and one.score is not None):
                name = name_of(one.concept, graph)
                open_still = "" if one.polarity == "present" else "uncertain, "
                maker.add(one.concept, one.polarity, f"{name[0].upper()}{name[1:]}: {open_still}{one.note}")
        return
    found = findings.get(prop.concept)
    if found is None:
        return
    name = name_of(prop.concept, graph)
    if prop.kind == "location" and found.region is not None:
        b = found.region
        columns, rows = f"{b.x0 + 0.5:.0f} to {b.x1 - 0.5:.0f}", f"{b.y0 + 0.5:.0f} to {b.y1 - 0.5:.0f}"
        text = f"The {name} spans columns {columns} and rows {rows}"
        maker.add(prop.concept, "present", text)
    elif judged.outcome in ("yes", "no") and judged.belief.polarity == found.polarity:
        text = f"{name[0].upper()}{name[1:]}" if found.polarity == "present" else f"Not: {name}"
        if found.score_kind == "fact" and found.note:
            text += f": {found.note}"
        p = judged.belief.probability
        if p is not None:
            p = p if judged.outcome == "yes" else 1 - p
        maker.add(prop.concept, found.polarity, text, probability=p, method=judged.belief.method)


def _marked(prop: Proposition, main: Measurements, maker: _Maker, graph: Graph) -> None:
    """Where counted or outlined structures lie."""
    name = name_of(prop.concept, graph)
    for one in main.counted:
        if one.concept == prop.concept and one.measurement != "structure_area":
            number = main.get(one.measurement)
            if number is not None and number.value is not None:
                maker.add(one.measurement, "present", measured_text(number, graph), method=_interval_method(number))
            return
    mask = main.outlined.get(prop.concept)
    if mask is not None and mask.box is not None:
        b = mask.box
        columns, rows = f"{b.x0 + 0.5:.0f} to {b.x1 - 0.5:.0f}", f"{b.y0 + 0.5:.0f} to {b.y1 - 0.5:.0f}"
        maker.add(prop.concept, "present", f"The {name} spans columns {columns} and rows {rows}")
    elif mask is not None and mask.cuboid is not None:
        maker.add(prop.concept, "present", f"The {name} is outlined in {mask.pixels} pixels")


def _paths(found: GraphPaths, maker: _Maker) -> None:
    told: set[str] = set()
    for path in found.paths[:MAX_PATHS]:
        fresh = [edge for edge in path if edge.text not in told]
        told.update(edge.text for edge in fresh)
        if fresh:
            maker.add(fresh[0].subject, "present", "; ".join(edge.text.rstrip(".") for edge in fresh))
