"""Where heart and lungs lie on a chest film."""

from secondread.schema.evidence import Finding, Findings
from secondread.schema.region import Box
from secondread.tools.base import Card, Context, tool
from secondread.tools.measure.chest_masks import (
    STRUCTURES,
    ChestMasks,
    ChestRequest,
    border_caveats,
    chest_masks,
    side_caveat,
)
from secondread.tools.measure.geometry import Extent, horizontal_extent, vertical_extent

SIDES = {"image_left": "image left", "image_right": "image right", "midline": "midline"}
UNTOLD = "mirrored film or dextrocardia: pixels cannot tell"

CARD = Card(
    name="heart_location",
    version="1.0",
    summary="Where the heart and the lungs lie, as boxes, and on which side of the image most of the heart lies.",
    kind="finding",
    establishes=STRUCTURES,
    modality=("CR", "DX"),
    views=("PA", "AP"),
    anatomy="chest",
    needs=("chest_anatomy",),
    cost_seconds=0.02,
    limits=("A mirrored film and dextrocardia look the same: no side is decided from pixels.",),
)


def place(film: ChestMasks) -> str:
    """Where the heart lies, in words: shares of the thorax width on either side of its middle, and the image side."""
    heart = film.masks["heart"]
    lungs = horizontal_extent(film.masks["right_lung"] | film.masks["left_lung"])
    middle = (lungs.first + lungs.last) / 2.0
    columns = heart.sum(axis=0)
    left = float(columns[: int(middle) + 1].sum()) / float(columns.sum())
    side = film.regions.heart_side
    if side == "unknown":
        side = "midline" if abs(left - 0.5) < 0.05 else "image_left" if left > 0.5 else "image_right"
    text = (
        f"{1 - left:.0%} of the heart lies on the image right of the middle of the thorax, {left:.0%} on the image left"
    )
    if side == "midline":
        return f"the heart lies about the midline; {text}"
    if side == "image_left":
        return f"most of the heart lies on the {SIDES[side]} ({UNTOLD}); {text}"
    return f"most of the heart lies on the {SIDES[side]}, the patient's left unless the film is mirrored; {text}"


@tool(CARD, request=ChestRequest, result=Findings, summary=lambda result: summarise(result))
def heart_location(request: ChestRequest, ctx: Context) -> Findings:
    """Where the heart and the lungs lie, as boxes, and on which side of the image most of the heart lies."""
    film = chest_masks(request, ctx)
    cut = border_caveats(film.masks, ("image_left", "image_right", "top", "bottom"))
    notes = {"heart": place(film), "right_lung": side_caveat(film.regions), "left_lung": side_caveat(film.regions)}
    items = []
    for name in STRUCTURES:
        across, down = horizontal_extent(film.masks[name]), vertical_extent(film.masks[name])
        said = [notes[name], *(c for c in cut if f"the {name.replace('_', ' ')} reaches" in c)]
        items.append(
            Finding(
                concept=name,
                polarity="present",
                region=_box(film.info.ref.grid, name, across, down),
                note="; ".join(said),
            )
        )
    if film.regions.heart_side == "image_left":
        items += [Finding(concept=concept, note=UNTOLD) for concept in ("mirrored_film", "dextrocardia")]
    return Findings(items=tuple(items))


def _box(grid: str, name: str, across: Extent, down: Extent) -> Box:
    return Box(
        grid=grid, x0=across.first - 0.5, y0=down.first - 0.5, x1=across.last + 0.5, y1=down.last + 0.5, name=name
    )


def summarise(result: Findings) -> str:
    """One line: where the heart lies and its box."""
    heart = result.get("heart")
    if heart is None or heart.region is None:
        return "no heart was found"
    box = heart.region
    return f"{heart.note}; heart box x {box.x0:.0f} to {box.x1:.0f}, y {box.y0:.0f} to {box.y1:.0f} px"
