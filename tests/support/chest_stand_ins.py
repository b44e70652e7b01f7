"""Small tools with the cards of the chest tools and known results, so that a whole run takes milliseconds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from small_tools import make_tool

from secondread.schema.evidence import Finding, Findings, Interval, Measurement, Measurements, QualityReport, Regions
from secondread.tools.base import Tool
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.measure.cardiothoracic_ratio import THRESHOLD

RATIO = 0.57
KEPT = (
    "blood_cells", "burned_in_text", "capabilities", "contrast", "crop", "film_rotation", "find_images", "given_masks",
    "graph_facts", "hippocampus_volume", "image_router", "literature", "similar_cases", "structure_measures",
    "study_contents", "window",
)  # fmt: skip
"""Installed tools beside the small ones; fewer descriptions make a run quicker."""
OTHER_RATIO = 0.42
"""Ratio on any image but the asked one: what a wilful crop would make of it."""


def stand_in(name: str, run: Any, **card: Any) -> Tool:
    """A tool with the card and the request of an installed one."""
    real = catalogue().get(name)
    gone = {"name", "version", "summary", "weights", "cache", *card}
    fields = real.card.model_dump(exclude=gone)
    fields["calibration"] = real.card.calibration
    made = make_tool(name, run, request=real.Request, result=real.Result, cache="none", **fields, **card)
    type(made).card = made.card.model_copy(update={"summary": real.card.summary})
    return made


def quality(requests: Any, ctx: Any) -> list[Any]:
    return [QualityReport(overall="ok", attributes=()) for _ in requests]


def guard(requests: Any, ctx: Any) -> list[Any]:
    wrong = any(getattr(r, "member", None) is not None for r in requests)
    polarity: Any = "absent" if wrong else "present"
    found = Finding(concept="frontal_chest_radiograph", polarity=polarity, verified=True, score=0.99)
    return [Findings(items=(found,)) for _ in requests]


def anatomy(fill: float) -> Any:
    """Lungs and heart as boxes that fill a share of an asked image, and nearly all of a crop."""

    def run(requests: Any, ctx: Any) -> list[Any]:
        made = []
        for request in requests:
            ref = ctx.info(request.image).ref
            share = fill if ref.parent is None else 0.9
            rows, columns = ref.rows, ref.columns
            top, left = int(rows * (1 - share) / 2), int(columns * (1 - share) / 2)
            high, wide = int(rows * share), int(columns * share)
            masks = {}
            for name, start, width in (("right_lung", 0.0, 0.35), ("left_lung", 0.65, 0.35), ("heart", 0.3, 0.45)):
                mask = np.zeros((rows, columns), bool)
                low = left + int(wide * start)
                mask[top + (high // 2 if name == "heart" else 0) : top + high, low : low + int(wide * width)] = True
                masks[name] = ctx.put_mask(request.image, name, mask)
            uncertain = 0.9 if request.members else 0.02
            made.append(Regions(masks=masks, plausible=not request.members, network_uncertainty=uncertain,
                                heart_side="image_right"))  # fmt: skip
        return made

    return run


def ratio(requests: Any, ctx: Any) -> list[Any]:
    made = []
    for request in requests:
        ref = ctx.info(request.image).ref
        value = RATIO if ref.parent is None else OTHER_RATIO + ref.columns / 1e5
        interval = Interval(low=value - 0.02, high=value + 0.02, level=0.9, method="stand-in")
        found = Measurement(
            name="cardiothoracic_ratio",
            value=value,
            interval=interval,
            spread=0.005,
            uncertainty=0.02,
            threshold=THRESHOLD,
        )
        made.append(Measurements(items=(found,)))
    return made


def chest_catalogue(*more: Tool, fill: float = 0.9, only: Mapping[str, Tool] | None = None) -> Catalogue:
    """Installed tools with small ones in the place of the chest networks, and further tools."""
    installed = catalogue()
    tools = {name: installed.get(name) for name in KEPT}
    for name, run in (
        ("film_quality", quality), ("chest_film_guard", guard), ("chest_anatomy", anatomy(fill)),
        ("cardiothoracic_ratio", ratio),
    ):  # fmt: skip
        tools[name] = stand_in(name, run)
    return Catalogue({**tools, **{t.card.name: t for t in more}, **(only or {})})
