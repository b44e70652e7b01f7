"""A planner's view as one message of bounded length, and tools as functions that chat models can call."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from secondread.agent.planners.base import PlannerView
from secondread.agent.planners.fences import fence, tame
from secondread.prompts import read
from secondread.schema.errors import ToolUnavailable
from secondread.schema.evidence import DerivedImage, Evidence, Passages, SimilarCases
from secondread.tools.base import Card

FULL_CHARS = 4_000
"""Characters of evidence that is told in full, newest first."""
MAX_LINES = 40
"""Latest evidence items that have a line of their own."""
LINE = 80
"""Characters of what such a line says of its result."""
LISTED = 2
"""Latest derived images that the description of each tool lists."""
MAX_VIEW = 22_000
"""Characters of the whole message: some 5,500 tokens of English."""
_BLOCK = 2_000
"""Characters of each block beside the evidence."""
Schema = dict[str, Any]


def images_of(view: PlannerView) -> tuple[str, ...]:
    """Ids of the asked images and of those derived from them."""
    derived = [e.result.image for e in view.ledger if isinstance(e.result, DerivedImage)]
    return tuple(dict.fromkeys((*(i.ref.id for i in view.images), *derived)))


def installed_schema(name: str) -> Schema:
    """JSON schema of an installed tool's arguments without its prerequisites; for other tools an image."""
    from secondread.tools.catalogue import catalogue

    try:
        tool = catalogue().get(name)
    except ToolUnavailable:
        return {"type": "object", "properties": {"image": {"type": "string"}}}
    schema = tool.Request.model_json_schema()
    properties = {k: v for k, v in schema.get("properties", {}).items() if k not in tool.card.needs}
    kept: Schema = {"type": "object", "properties": properties}
    if "$defs" in schema:
        kept["$defs"] = schema["$defs"]
    return kept


def tool_spec(card: Card, view: PlannerView, schema: Schema) -> Schema:
    """A card as a function that chat models can call; the image is one of this run."""
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    if card.image == "none":
        properties.pop("image", None)
    else:
        asked, known = len(view.images), images_of(view)
        listed = [*known[:asked], *known[asked:][-LISTED:]]  # earlier crops may still be named
        properties["image"] = {"type": "string", "enum": listed, "description": "image id"}
    parameters: Schema = {**schema, "properties": properties}
    if card.image == "required":
        parameters["required"] = ["image"]
    told = f"{tame(card.summary)} Establishes: {', '.join(card.establishes) or 'nothing by itself'}."
    return {"type": "function", "function": {"name": card.name, "description": told, "parameters": parameters}}


def found_texts(item: Evidence) -> dict[str, object]:
    """What a search found, the best hit last, where models weigh it most; nothing for other evidence."""
    if isinstance(item.result, Passages) and any(p.id for p in item.result.items):
        return {"found": [p.cited for p in reversed(item.result.items)]}
    if isinstance(item.result, SimilarCases):
        return {"found": [case.text for case in reversed(item.result.items)]}
    return {}


def noted(view: PlannerView) -> str:
    """What the gate said of the last wording, as a paragraph; empty when it said nothing."""
    notes = [c.text for c in view.critiques if c.kind == "wording"]
    return f"\nWhat was wrong with the last wording:\n{fence(notes)}\n" if notes else ""


def evidence_text(ledger: Sequence[Evidence], known: Collection[str] = ()) -> str:
    """The ledger: new evidence in full, older evidence as one short line each, the oldest as a count.

    Args:
        ledger: Oldest first.
        known: Ids of evidence that the model was told in full before.
    """
    if not ledger:
        return "none"
    full: list[str] = []
    lines: list[str] = []
    left = FULL_CHARS
    for item in reversed(ledger[-MAX_LINES:]):
        if item.id not in known:
            told = fence(
                {"id": item.id, "tool": item.tool, "kind": item.kind, "image": item.image, "says": item.summary}
                | {"caveats": list(item.caveats)}
                | found_texts(item)
            )
            if len(told) <= left:
                left -= len(told)
                full.append(told)
                continue
        lines.append(f"{item.id} {item.tool} {item.image or '-'}: {tame(item.summary.replace(chr(10), ' '), LINE)}")
    parts = [f"{len(ledger) - MAX_LINES} older items are not listed."] if len(ledger) > MAX_LINES else []
    if lines:
        parts.append("Earlier, shortened:\n" + fence("\n".join(reversed(lines))))
    return "\n".join([*parts, *(["New:", *reversed(full)] if full else [])])


def _cut(value: Sequence[dict[str, Any]]) -> str:
    """As many of the last entries, fenced, as fit into a block."""
    while value:
        told = fence(value)
        if len(told) <= _BLOCK:
            return told
        if len(value) == 1:
            return fence(told.removeprefix("<data>\n").removesuffix("\n</data>")[:_BLOCK] + " [cut]")
        value = value[-(len(value) // 2) :]
    return "none"


def render(view: PlannerView, known: Collection[str] = (), note: Callable[[str], str] = lambda image: "") -> str:
    """The view as one message. Everything written by users, files or tools is fenced; no header value goes out.

    Of an image only id, size, modality and view are told.

    Args:
        view: What is told, at most `MAX_VIEW` characters of it.
        known: Ids of evidence that the model was told in full before.
        note: What the model itself said of an image that it was shown.
    """
    b = view.budget
    left = f"{b.max_steps - b.steps} steps, {b.max_calls - b.calls} calls, {b.max_seconds - b.seconds:.0f} seconds"
    propositions = [
        {
            "id": p.id,
            "concept": p.concept,
            "kind": p.kind,
            "asked": p.asked,
            "side": p.laterality,
            "open": p.open,
            "belief": p.belief.polarity if p.belief else None,
            "probability": p.belief.probability if p.belief else None,
            "reason": tame(p.belief.reason, LINE) if p.belief else "",
        }
        for p in sorted(view.propositions, key=lambda p: p.open)  # what is settled is left out first
    ]
    images = [
        {"id": i.ref.id, "rows": i.ref.rows, "columns": i.ref.columns, "modality": i.modality, "view": i.view}
        | ({"you_noted": note(i.ref.id)} if note(i.ref.id) else {})
        for i in view.images
    ]
    grids = {i.ref.grid: i.ref.id for i in view.images}
    critiques: list[dict[str, Any]] = [
        {"kind": c.kind, "text": c.text, "tools": list(c.tools)}
        | (
            {"image": grids[c.region.grid], "box": [c.region.x0, c.region.y0, c.region.x1, c.region.y1]}
            if c.region is not None and c.region.grid in grids
            else {}
        )
        for c in view.critiques
    ]
    refused = [{"tool": r.move.tool, "args": r.move.args, "reason": r.reason} for r in view.refused[-8:]]
    choices = [{"choice": c} for c in view.choices]
    return read(
        "planner/view",
        step=str(view.step),
        budget=left,
        question=f"{fence(tame(view.question, _BLOCK))}\nKind: {tame(view.kind, LINE)}. Choices: {_cut(choices)}",
        propositions=_cut(propositions),
        images=_cut(images),
        evidence=evidence_text(view.ledger, known),
        critiques=_cut(critiques),
        refused=_cut(refused),
    ) + exemplars_text(view)


def exemplars_text(view: PlannerView) -> str:
    """Similar cases with what is known of them, as a block of its own; empty when there are none."""
    if not view.exemplars:
        return ""
    told = [
        {"case": e.case, "found_by": e.evidence, "source": tame(e.source, LINE), "similarity": e.similarity}
        | {"known": [tame(label, LINE) for label in e.labels]}
        for e in reversed(view.exemplars)  # the most similar last, where models weigh it most
    ]
    return "\n" + read("planner/exemplars", exemplars=_cut(told))
