"""A run as a page: what was asked and answered, on what it rests, and how it came about."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from secondread.schema.answer import Answer
from secondread.schema.evidence import Evidence
from secondread.serve.report.blocks import Block, Figure, Heading, Paragraph, Step, Steps, Table
from secondread.serve.report.steps import call_of, short, steps_of
from secondread.tools.catalogue import Catalogue

Event = Mapping[str, Any]


def page(answer: Answer, events: Sequence[Event], figures: Sequence[Figure], tools: Catalogue) -> list[Block]:
    """The page of one run.

    Args:
        answer: What came out.
        events: Of the run's trace; empty leaves the steps out.
        figures: Pictures, in the order shown.
        tools: The installed tools, for licences.
    """
    head = next((e for e in events if e["type"] == "run"), {})
    blocks: list[Block] = [
        Heading(answer.question, 1),
        Paragraph(answer.notice, "notice"),
        Paragraph(answer.text, "abstained" if answer.abstained else "answer"),
        Table(("", ""), tuple(_facts(answer, head))),
    ]
    if answer.claims:
        blocks += [
            Heading("Claims"),
            Table(("claim", "says", "P(claim is right)", "method", "evidence"), _claims(answer)),
        ]
    if figures:
        blocks += [Heading("Pictures"), *figures]
    if answer.evidence:
        rows = tuple(_evidence(e, answer) for e in answer.evidence)
        blocks += [Heading("Evidence"), Table(("id", "tool", "says", "image", "caveats"), rows)]
    blocks += _refused(events)
    if answer.warnings:
        blocks += [Heading("Warnings"), *(Paragraph(w, "warning") for w in answer.warnings)]
    if events:
        blocks += [Heading("Step by step"), Steps(steps_of(events))]
    blocks += [Heading("Budget"), Table(("", "used", "allowed"), _budget(answer))]
    blocks += [
        Heading("Versions and licences"),
        Table(("tool", "version", "weights", "licence"), _made_by(answer, tools)),
    ]
    return [*blocks, Paragraph(answer.notice, "notice")]


def _facts(answer: Answer, head: Event) -> Iterable[tuple[str, str]]:
    yield "verdict", answer.verdict or "none"
    if answer.abstained:
        yield "abstained because", answer.abstain_reason or ""
    if answer.choice is not None:
        yield "choice", answer.choice
    v = answer.value
    if v is not None:
        unit = "" if v.unit == "1" else f" {v.unit}"
        span = (
            f" ({v.low:g} to {v.high:g}, {v.level or 0:.0%} interval)"
            if v.low is not None and v.high is not None
            else ""
        )
        yield v.name.replace("_", " "), f"{v.value:g}{unit}{span}"
    sure = f"{answer.confidence:.2f}" if answer.confidence is not None else "not stated"
    yield "confidence", f"{sure}; {answer.confidence_method}" if answer.confidence_method else sure
    yield "run", answer.trace
    yield "program", f"secondread {version('secondread')}"
    if head:
        yield "planner", str(head["planner"])
        settings = head["settings"]
        risk = settings.get("risk")
        yield (
            "settings",
            (
                f"rethink {'on' if settings['rethink'] else 'off'}, cut-off {settings['cutoff']:.2f}"
                + (f", risk {risk:g}" if risk is not None else "")
            ),
        )
        for info in head["images"]:
            yield "image", _image(info)


def _image(info: Mapping[str, Any]) -> str:
    """Id, size and view; nothing that names a person is known of an image."""
    ref = info["ref"]
    told = [ref["id"], f"{ref['rows']} x {ref['columns']} pixels"]
    told += [str(info["modality"])] if info.get("modality") else []
    told += [f"view {info['view']} ({info['view_source']})"] if info.get("view") not in (None, "UNKNOWN") else []
    return ", ".join(told)


def _claims(answer: Answer) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            c.id,
            f"{c.polarity}: {c.text}",
            f"{c.probability:.2f}" if c.probability is not None else "none" if c.probability_method else "uncalibrated",
            short(c.probability_method, 300),
            ", ".join(c.evidence),
        )
        for c in answer.claims
    )


def _evidence(item: Evidence, answer: Answer) -> tuple[str, ...]:
    cited = any(item.id in c.evidence for c in answer.claims)
    image = " ".join(x for x in (item.image or "", f"({item.place})" if item.place else "") if x)
    return (f"{item.id}{' (cited)' if cited else ''}", item.tool, short(item.summary), image,
            short("; ".join(item.caveats)))  # fmt: skip


def _refused(events: Sequence[Event]) -> list[Block]:
    rows = tuple((call_of(e["move"]), short(e["reason"])) for e in events if e["type"] == "refused")
    return [Heading("Refused moves"), Table(("move", "why"), rows)] if rows else []


def _budget(answer: Answer) -> tuple[tuple[str, ...], ...]:
    b = answer.budget
    rows = [
        ("steps", str(b.steps), str(b.max_steps)),
        ("tool calls", str(b.calls), str(b.max_calls)),
        ("tokens", str(b.tokens), str(b.max_tokens)),
        ("seconds", f"{b.seconds:.1f}", f"{b.max_seconds:g}"),
    ]
    return tuple(rows + ([("ended by", b.exhausted, "")] if b.exhausted else []))


def _made_by(answer: Answer, tools: Catalogue) -> tuple[tuple[str, ...], ...]:
    rows: dict[str, tuple[str, ...]] = {}
    for item in answer.evidence:
        card = tools.get(item.tool).card if item.tool in tools else None
        weights = f"sha256 {item.weights[:16]}" if item.weights else "none"
        licence = card.licence if card is not None else "not installed here"
        if card is not None and card.weights is not None:
            licence += f"; weights: {card.weights.licence}"
        rows[item.tool] = (item.tool, item.tool_version, weights, licence)
    return tuple(rows.values())


__all__ = ["Step", "page"]
