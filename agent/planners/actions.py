"""Calls of image actions: which part is meant, and how it shall be shown."""

import re
from collections.abc import Iterable

from secondread.agent.planners.base import Move, PlannerView, Proposition
from secondread.agent.serving import serving
from secondread.kg.graph import Graph
from secondread.schema.evidence import Evidence, Findings, Measurements, Regions
from secondread.schema.region import Box
from secondread.tools.base import Card

ACTIONS = ("zoom", "window", "contrast")
MARGIN = 0.08
"""Border kept around what is shown closer, as a share of its size."""
_PRESETS = {
    "lung": r"lungs?", "mediastinum": r"mediastin\w+", "abdomen": r"abdom\w+|soft.tissue", "liver": r"liver",
    "bone": r"bon[ey]s?|bone", "brain": r"brain", "subdural": r"subdural", "stroke": r"stroke", "spine": r"spin[ea]l?",
}  # fmt: skip
_CENTRE = re.compile(r"\b(?:centre|center|level|wl|c)\W{0,3}(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_WIDTH = re.compile(r"\b(?:width|ww|w)\W{0,3}(\d+(?:\.\d+)?)", re.IGNORECASE)


def action_moves(name: str, prop: Proposition, view: PlannerView, offered: dict[str, Card], graph: Graph) -> list[Move]:
    """The calls that an action still needs; none when it cannot be done."""
    if not view.images or name not in offered:
        return []
    image = view.images[0].ref
    why = f"shows the image as asked ({name})"
    if name == "contrast":
        return [Move(action="call", tool=name, args={"image": image.id}, why=why, serves=(prop.id,))]
    if name == "window":
        args = window_of(view.question)
        return (
            [Move(action="call", tool=name, args={"image": image.id, **args}, why=why, serves=(prop.id,))]
            if args
            else []
        )
    if prop.structure is None:
        return []
    box = box_of(prop.structure, view.ledger, image.grid)
    if box is None:
        names = serving(prop.structure, view.cards, graph, limits=False)
        names = [n for n in names if offered[n].kind == "finding"] or names[:1]
        return [
            Move(action="call", tool=n, args={"image": image.id}, why=f"finds the {prop.structure}", serves=(prop.id,))
            for n in names
        ]
    dx, dy = MARGIN * (box.x1 - box.x0), MARGIN * (box.y1 - box.y0)
    args = {
        "image": image.id,
        "x0": max(-0.5, box.x0 - dx), "y0": max(-0.5, box.y0 - dy),
        "x1": min(image.columns - 0.5, box.x1 + dx), "y1": min(image.rows - 0.5, box.y1 + dy),
    }  # fmt: skip
    return [Move(action="call", tool=name, args=args, why=why, serves=(prop.id,))]


def window_of(question: str) -> dict[str, str | float]:
    """The window that a question names, as arguments of the tool; empty when it names none."""
    centre, width = _CENTRE.search(question), _WIDTH.search(question)
    if centre and width:
        return {"centre": float(centre[1]), "width": float(width[1])}
    low = question.lower()
    for name, pattern in _PRESETS.items():
        if re.search(rf"\b(?:{pattern})\W+(?:\w+\W+)?window", low) or re.search(
            rf"window\W+(?:for|of)\W+(?:the\W+)?(?:{pattern})\b", low
        ):
            return {"preset": name}
    return {}


def box_of(structure: str, ledger: Iterable[Evidence], grid: str) -> Box | None:
    """Where a tool has found a structure, in the grid of the image."""
    found = found_by(structure, ledger, grid)
    return found[1] if found is not None else None


def found_by(structure: str, ledger: Iterable[Evidence], grid: str | None = None) -> tuple[Evidence, Box] | None:
    """The first evidence that says where a structure lies, and the box; None when there is none."""
    for item in ledger:
        result = item.result
        found: Box | None = None
        if isinstance(result, Findings):
            one = result.get(structure)
            found = one.region if one is not None else None
        elif isinstance(result, Regions) and structure in result.masks:
            found = result.masks[structure].box
        elif isinstance(result, Measurements) and structure in result.outlined:
            found = result.outlined[structure].box
        if found is not None and grid in (None, found.grid):
            return item, found
    return None
