"""Show an image with its grey stretched or locally equalised."""

from typing import Literal

from secondread.imaging.regrade import Regrade
from secondread.schema.errors import UsageError
from secondread.schema.evidence import DerivedImage
from secondread.schema.region import Box
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="contrast",
    version="1.0",
    summary="Show an image with more contrast: grey stretched between its percentiles, or equalised locally.",
    kind="image",
    establishes=(),
    cost_seconds=0.2,
    cache="memory",
    limits=("Local equalisation makes faint edges and noise alike stronger; nothing is measured on its result.",),
)


class ContrastRequest(ToolRequest):
    """How."""

    method: Literal["stretch", "equalise"] = "stretch"
    """`stretch`: percentiles 1 and 99 to black and white; `equalise`: contrast-limited adaptive equalisation too."""


@tool(CARD, request=ContrastRequest, result=DerivedImage, summary=lambda result: summarise(result))
def contrast(request: ContrastRequest, ctx: Context) -> DerivedImage:
    """Show an image with more contrast."""
    if request.image is None:
        raise UsageError("contrast needs an image id.")
    ref = ctx.info(request.image).ref
    made = ctx.regrade(request.image, Regrade(kind=request.method))
    return DerivedImage(
        image=made.id, box=Box(grid=ref.grid, x0=-0.5, y0=-0.5, x1=ref.columns - 0.5, y1=ref.rows - 0.5)
    )


def summarise(result: DerivedImage) -> str:
    """One line: the id."""
    return f"shown with more contrast as {result.image}"
