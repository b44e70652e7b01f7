"""Axes and area of a box that the person asking drew on an image."""

from math import hypot

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Measurement, Measurements
from secondread.schema.image import ImageInfo
from secondread.schema.region import Point
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.measure.toolbox import intervals

CARD = Card(
    name="region_measures",
    version="1.0",
    summary="Longest diameter, short axis and area of a box that was drawn on an image, in mm where it has spacing.",
    kind="measurement",
    establishes=("longest_diameter", "short_axis", "structure_area", "marked_region"),
    cost_seconds=0.001,
    limits=("It measures the box, not what lies inside it; an outline inside the box is shorter.",),
)
NO_REGION = "no region was marked on the image"
MARKED = "marked_region"


@tool(CARD, request=ToolRequest, result=Measurements, summary=lambda result: summarise(result))
def region_measures(request: ToolRequest, ctx: Context) -> Measurements:
    """Longest diameter, short axis and area of a box that was drawn on an image, in mm where it has spacing."""
    assert request.image is not None
    info = ctx.info(request.image)
    if info.ref.parent is None or info.ref.transform is None:
        raise NotMeasurable(f"For a size, {NO_REGION}.", hint="Mark one with --region x0,y0,x1,y1.")
    wide, high = info.ref.columns, info.ref.rows
    step_x, step_y, unit, caveats = _steps(info)
    width, height = wide * step_x, high * step_y
    corners = (
        Point(grid=info.ref.grid, x=-0.5, y=-0.5, name="longest_diameter_start"),
        Point(grid=info.ref.grid, x=wide - 0.5, y=high - 0.5, name="longest_diameter_end"),
    )
    diagonal = hypot(width, height)
    of_box = ("of the box that was drawn: its diagonal, not an outline inside it", *caveats)
    return Measurements(
        items=(
            Measurement(
                name="longest_diameter",
                structure=MARKED,
                value=diagonal,
                unit=unit,
                interval=intervals.of_length(diagonal, hypot(step_x, step_y)),
                landmarks=corners,
                caveats=of_box,
            ),
            Measurement(
                name="short_axis",
                structure=MARKED,
                value=min(width, height),
                unit=unit,
                interval=intervals.of_length(min(width, height), step_x if width <= height else step_y),
                caveats=("the shorter side of the box that was drawn", *caveats),
            ),
            Measurement(
                name="structure_area",
                structure=MARKED,
                value=width * height,
                unit="px" if unit == "px" else "mm2",
                interval=intervals.of_area(width * height, 2 * (width + height), max(step_x, step_y)),
                caveats=("of the box that was drawn", *caveats),
            ),
        )
    )


def _steps(info: ImageInfo) -> tuple[float, float, str, tuple[str, ...]]:
    """Size of a pixel along columns and rows, its unit, and what to know of it; in pixels of the whole image."""
    spacing = info.spacing
    assert info.ref.transform is not None
    if spacing is None:
        return info.ref.transform.scale_x, info.ref.transform.scale_y, "px", ("the image has no spacing",)
    magnified = ("lengths are those on the detector: magnified",) if spacing.kind == "detector_plane" else ()
    return spacing.column_mm, spacing.row_mm, "mm", magnified


def summarise(result: Measurements) -> str:
    """One line: the two axes."""
    long, short = result.get("longest_diameter"), result.get("short_axis")
    assert long is not None and short is not None
    return f"box with a diagonal of {long.value:.3g} {long.unit}, shorter side {short.value:.3g} {short.unit}"
