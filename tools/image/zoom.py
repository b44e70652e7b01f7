"""Enlarge part of an image to a wanted size, to look at it closely."""

from pydantic import Field

from secondread.schema.errors import UsageError
from secondread.schema.evidence import DerivedImage
from secondread.schema.region import Box
from secondread.schema.units import Pixels
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.image.crop import SMALLEST, whole

LARGEST_SCALE = 16.0

CARD = Card(
    name="zoom",
    version="1.0",
    summary="Enlarge a box of an image until its long side has a wanted number of pixels; regions resolve back.",
    kind="image",
    establishes=(),
    cost_seconds=0.02,
    examples=({"x0": 4, "y0": 4, "x1": 43, "y1": 35, "side": 256},),
    cache="memory",
    limits=("Enlarging shows pixels larger; it adds no detail.",),
)


class ZoomRequest(ToolRequest):
    """A box in pixel-centre coordinates, and how large it shall be shown."""

    x0: Pixels
    y0: Pixels
    x1: Pixels
    y1: Pixels
    side: int = Field(default=768, ge=64, le=4096)
    """Pixels of the long side of the result."""


@tool(CARD, request=ZoomRequest, result=DerivedImage, summary=lambda result: summarise(result))
def zoom(request: ZoomRequest, ctx: Context) -> DerivedImage:
    """Enlarge a box of an image until its long side has a wanted number of pixels; regions resolve to the image."""
    if request.image is None:
        raise UsageError("zoom needs an image id.")
    ref = ctx.info(request.image).ref
    x0, x1 = whole(request.x0, request.x1, ref.columns)
    y0, y1 = whole(request.y0, request.y1, ref.rows)
    if x1 - x0 < SMALLEST or y1 - y0 < SMALLEST:
        raise UsageError(
            f"The box holds less than {SMALLEST} x {SMALLEST} pixels of the image.",
            hint=f"The image has {ref.columns} columns and {ref.rows} rows.",
        )
    box = Box(grid=ref.grid, x0=x0, y0=y0, x1=x1, y1=y1)
    scale = min(request.side / max(x1 - x0, y1 - y0), LARGEST_SCALE)
    return DerivedImage(image=ctx.derive(request.image, box, scale=scale).id, box=box)


def summarise(result: DerivedImage) -> str:
    """One line: the box."""
    b = result.box
    assert b is not None
    return f"enlarged x {b.x0:.0f} to {b.x1:.0f}, y {b.y0:.0f} to {b.y1:.0f} px as {result.image}"
