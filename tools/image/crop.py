"""Cut out and enlarge part of a film for a second look."""

from math import ceil, floor

from pydantic import Field

from secondread.schema.errors import UsageError
from secondread.schema.evidence import DerivedImage
from secondread.schema.region import Box
from secondread.schema.units import Pixels
from secondread.tools.base import Card, Context, ToolRequest, tool

SMALLEST = 16
"""Fewest pixels a side of the cut-out part may have."""
LARGEST_SIDE = 4096
"""Most pixels a side of the enlarged part may have."""

CARD = Card(
    name="crop",
    version="1.0",
    summary="Cut out and enlarge a box of a film, to look at it a second time; regions resolve to the whole film.",
    kind="image",
    establishes=(),
    cost_seconds=0.02,
    examples=({"x0": 4, "y0": 4, "x1": 43, "y1": 35, "scale": 2.0},),
    cache="memory",
)


class CropRequest(ToolRequest):
    """A box in pixel-centre coordinates of the film, and how much to enlarge it."""

    x0: Pixels
    y0: Pixels
    x1: Pixels
    y1: Pixels
    scale: float = Field(default=1.0, gt=0, le=8, allow_inf_nan=False)


def whole(low: float, high: float, size: int) -> tuple[float, float]:
    """A span widened to whole pixels, from outer edge to outer edge, and cut at the border of the film."""
    return max(floor(low + 0.5) - 0.5, -0.5), min(ceil(high + 0.5) - 0.5, size - 0.5)


@tool(CARD, request=CropRequest, result=DerivedImage, summary=lambda result: summarise(result))
def crop(request: CropRequest, ctx: Context) -> DerivedImage:
    """Cut out and enlarge a box of a film, to look at it a second time; regions resolve to the whole film."""
    if request.image is None:
        raise UsageError("crop needs an image id.")
    ref = ctx.info(request.image).ref
    x0, x1 = whole(request.x0, request.x1, ref.columns)
    y0, y1 = whole(request.y0, request.y1, ref.rows)
    if x1 - x0 < SMALLEST or y1 - y0 < SMALLEST:
        raise UsageError(
            f"The box holds less than {SMALLEST} x {SMALLEST} pixels of the film.",
            hint=f"The film has {ref.columns} columns and {ref.rows} rows.",
        )
    if max(x1 - x0, y1 - y0) * request.scale > LARGEST_SIDE:
        raise UsageError(
            f"The enlarged box would have more than {LARGEST_SIDE} pixels a side.", hint="Lower the scale."
        )
    box = Box(grid=ref.grid, x0=x0, y0=y0, x1=x1, y1=y1)
    return DerivedImage(image=ctx.derive(request.image, box, scale=request.scale).id, box=box)


def summarise(result: DerivedImage) -> str:
    """One line: the box."""
    b = result.box
    assert b is not None
    return f"cut out x {b.x0:.0f} to {b.x1:.0f}, y {b.y0:.0f} to {b.y1:.0f} px as {result.image}"
