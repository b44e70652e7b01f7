"""Outlines that the person asking gave: entered as evidence, so that measures can be taken of them."""

from pydantic import Field

from secondread.schema.errors import NotApplicable
from secondread.schema.evidence import Regions
from secondread.schema.region import MaskRef
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="given_masks",
    version="1.0",
    summary="Enter outlines that the person asking gave, for the measures that need them.",
    kind="region",
    establishes=(),
    dimension=None,
    in_plan=False,
    cost_seconds=0.001,
    limits=("The outlines are taken as they were given; nothing here checks them.",),
)


class GivenMasksRequest(ToolRequest):
    """Masks by concept id; the agent fills them in."""

    masks: dict[str, MaskRef] = Field(default_factory=dict)


@tool(CARD, request=GivenMasksRequest, result=Regions, summary=lambda result: summarise(result))
def given_masks(request: GivenMasksRequest, ctx: Context) -> Regions:
    """Enter outlines that the person asking gave, for the measures that need them."""
    assert request.image is not None
    grid = ctx.info(request.image).ref.grid
    masks = {name: mask for name, mask in request.masks.items() if mask.grid == grid}
    if not masks:
        raise NotApplicable(
            "No outline was given for this image.", hint="Give one with --mask NAME=FILE, or mark a region."
        )
    return Regions(masks=masks, reasons=("outlines given by the person asking, taken as they are",))


def summarise(result: Regions) -> str:
    """One line: what was given."""
    return "given: " + ", ".join(f"{name.replace('_', ' ')} {m.pixels} px" for name, m in result.masks.items())
