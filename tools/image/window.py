"""Show an image with values through another grey-scale window."""

from typing import Literal

from pydantic import Field

from secondread.imaging.regrade import Regrade
from secondread.imaging.windows import CT_WINDOWS
from secondread.schema.errors import NotApplicable, UsageError
from secondread.schema.evidence import DerivedImage
from secondread.schema.region import Box
from secondread.schema.study import Plane
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="window",
    version="1.0",
    summary="Show a CT image or slice, or any image with values, in another window: by name, or by centre and width.",
    kind="image",
    establishes=(),
    dimension=None,
    cost_seconds=0.05,
    examples=({"preset": "bone"},),
    cache="memory",
    limits=("A window changes what is seen, never what is measured. Named windows are for CT in Hounsfield units.",),
)


class WindowRequest(ToolRequest):
    """Which window."""

    preset: (
        Literal[
            "lung", "mediastinum", "abdomen", "liver", "bone", "brain", "subdural", "stroke", "temporal_bone", "spine"
        ]
        | None
    ) = None
    """A CT window by name; see `imaging.windows.CT_WINDOWS`."""
    centre: float | None = Field(default=None, allow_inf_nan=False)
    """In the unit of the image's values."""
    width: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    plane: Plane = "axial"
    """Of a volume."""
    number: int = Field(default=0, ge=0)
    """Slice of a volume from 1; 0: the middle one."""


@tool(CARD, request=WindowRequest, result=DerivedImage, summary=lambda result: summarise(result))
def window(request: WindowRequest, ctx: Context) -> DerivedImage:
    """Show an image with values in another window."""
    if request.image is None:
        raise UsageError("window needs an image id.")
    info = ctx.info(request.image)
    if (request.preset is None) == (request.centre is None) or (request.centre is None) != (request.width is None):
        raise UsageError("A window is a name, or a centre and a width.")
    if request.preset is not None and info.unit != "HU":
        raise NotApplicable(f"The {request.preset} window is one of CT; the values here are not Hounsfield units.")
    if info.unit == "grey":
        raise NotApplicable("This image has display grey only; there are no values that a window could show.")
    centre, width = CT_WINDOWS[request.preset] if request.preset is not None else (request.centre, request.width)
    assert centre is not None and width is not None
    if info.dimension == 3:
        count = ctx.volume(request.image).count(request.plane)
        number = request.number or (count + 1) // 2
        if number > count:
            raise UsageError(f"The volume has {count} {request.plane} slices; there is no slice {number}.")
        return DerivedImage(image=ctx.slice(request.image, request.plane, number - 1, (centre, width)).id, box=None)
    made = ctx.regrade(request.image, Regrade(kind="window", centre=centre, width=width))
    ref = info.ref
    return DerivedImage(
        image=made.id, box=Box(grid=ref.grid, x0=-0.5, y0=-0.5, x1=ref.columns - 0.5, y1=ref.rows - 0.5)
    )


def summarise(result: DerivedImage) -> str:
    """One line: the id."""
    return f"shown in another window as {result.image}"
