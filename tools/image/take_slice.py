"""One slice out of a volume, in a plane of the patient and a grey-scale window."""

from pydantic import Field

from secondread.schema.errors import UsageError
from secondread.schema.evidence import DerivedImage
from secondread.schema.study import Plane
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="take_slice",
    version="1.0",
    summary="Take one slice out of a volume (axial, coronal or sagittal), so that tools for single images can read it.",
    kind="image",
    establishes=(),
    dimension=3,
    cost_seconds=0.02,
    cache="memory",
)


class SliceRequest(ToolRequest):
    """Which slice of the volume, and the window that shows it."""

    plane: Plane = "axial"
    number: int = Field(default=0, ge=0)
    """From 1 at the feet, the back or the left of the patient; 0: the middle one."""
    centre: float | None = None
    """Of the window, in the unit of the volume; None: the volume's own window."""
    width: float | None = Field(default=None, gt=0)


@tool(CARD, request=SliceRequest, result=DerivedImage, summary=lambda result: summarise(result))
def take_slice(request: SliceRequest, ctx: Context) -> DerivedImage:
    """Take one slice out of a volume (axial, coronal or sagittal), so that tools for single images can read it."""
    assert request.image is not None
    count = ctx.volume(request.image).count(request.plane)
    number = request.number or (count + 1) // 2
    if number > count:
        raise UsageError(f"The volume has {count} {request.plane} slices; there is no slice {number}.")
    if (request.centre is None) != (request.width is None):
        raise UsageError("A window needs both its centre and its width.")
    window = (request.centre, request.width) if request.centre is not None and request.width is not None else None
    ref = ctx.slice(request.image, request.plane, number - 1, window)
    return DerivedImage(image=ref.id, box=None)


def summarise(result: DerivedImage) -> str:
    """One line: the id of the slice."""
    return f"took a slice out of the volume as {result.image}"
