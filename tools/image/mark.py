"""Draw boxes into a copy of an image, so that whoever looks at it next sees what is meant."""

from pydantic import Field

from secondread.imaging.regrade import Regrade
from secondread.schema.errors import UsageError
from secondread.schema.evidence import DerivedImage
from secondread.schema.region import Box
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="mark",
    version="1.0",
    summary="Draw boxes into a copy of an image, for a planner or reader that sees pixels.",
    kind="image",
    establishes=(),
    cost_seconds=0.05,
    examples=({"boxes": [[4, 4, 43, 35]]},),
    cache="memory",
    limits=("The lines cover pixels: nothing is measured on a marked image.",),
)


class MarkRequest(ToolRequest):
    """What to draw."""

    boxes: tuple[tuple[float, float, float, float], ...] = Field(min_length=1, max_length=200)
    """x0, y0, x1, y1 in pixel-centre coordinates of the image."""


@tool(CARD, request=MarkRequest, result=DerivedImage, summary=lambda result: summarise(result))
def mark(request: MarkRequest, ctx: Context) -> DerivedImage:
    """Draw boxes into a copy of an image."""
    if request.image is None:
        raise UsageError("mark needs an image id.")
    ref = ctx.info(request.image).ref
    made = ctx.regrade(request.image, Regrade(kind="mark", boxes=request.boxes))
    return DerivedImage(
        image=made.id, box=Box(grid=ref.grid, x0=-0.5, y0=-0.5, x1=ref.columns - 0.5, y1=ref.rows - 0.5)
    )


def summarise(result: DerivedImage) -> str:
    """One line: the id."""
    return f"marked as {result.image}"
