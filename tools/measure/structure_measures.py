"""Volume or area, axes and values of outlines that the person asking gave."""

from typing import TYPE_CHECKING, Any

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Measurement, Measurements, Regions
from secondread.schema.image import ImageInfo
from secondread.schema.region import MaskRef, Point
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.measure.intensity_statistics import SCALES, UNITS
from secondread.tools.measure.toolbox import intervals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CARD = Card(
    name="structure_measures",
    version="1.0",
    summary="Volume or area, longest diameter, short axis and values of structures whose outline was given.",
    kind="measurement",
    establishes=(
        "structure_volume",
        "structure_area",
        "longest_diameter",
        "short_axis",
        "mean_intensity",
        "intensity_deviation",
        "lowest_intensity",
        "highest_intensity",
        "marked_region",
    ),
    dimension=None,
    needs=("given_masks",),
    cost_seconds=0.3,
    limits=("It measures the outline as given; the intervals do not cover a wrong outline.",),
)
LITRES_FROM = 10_000.0
"""Volumes from 10,000 mm3 on are told in ml."""
RECIST = "longest diameter in any axial slice, as RECIST 1.1 asks for"


class StructureRequest(ToolRequest):
    """An image or volume and the outlines given for it."""

    given_masks: str
    """Id of the evidence that holds the outlines."""


@tool(CARD, request=StructureRequest, result=Measurements, summary=lambda result: summarise(result))
def structure_measures(request: StructureRequest, ctx: Context) -> Measurements:
    """Volume or area, longest diameter, short axis and values of structures whose outline was given."""
    assert request.image is not None
    regions = ctx.evidence(request.given_masks).result
    if not isinstance(regions, Regions):
        raise NotMeasurable("No outline was given.")
    items: list[Measurement] = []
    for name, ref in regions.masks.items():
        if not ref.pixels:
            items.append(Measurement(name="structure_volume", structure=name, not_measurable="the outline is empty"))
            continue
        items += (
            _solid(request.image, name, ref, ctx) if ref.cuboid is not None else _flat(request.image, name, ref, ctx)
        )
    return Measurements(items=tuple(items), outlined=dict(regions.masks))


def _solid(image: str, name: str, ref: MaskRef, ctx: Context) -> list[Measurement]:
    """Measures of a mask of a volume."""
    import numpy as np

    from secondread.tools.measure.toolbox.outline import axes
    from secondread.tools.measure.toolbox.solid import shape

    volume, mask, info = ctx.volume(image), ctx.mask(ref), ctx.info(image)
    placed = volume.header.placed
    found = shape(mask, volume.affine)
    unit, factor = ("ml", 1e-3) if found.voxel_mm3 >= LITRES_FROM else ("mm3", 1.0)
    pixel = abs(float(np.linalg.det(volume.affine[:3, :3]))) ** (1 / 3)
    where = "centre at " + ", ".join(f"{axis} {mm:.0f}" for axis, mm in zip("xyz", found.centroid_mm, strict=True))
    extent = of_volume = intervals.of_volume(found.voxel_mm3, found.surface_mm2, pixel)
    extent = of_volume.model_copy(update={"low": of_volume.low * factor, "high": of_volume.high * factor})
    lost = () if placed else ("the file gives no spacing: sizes count voxels",)
    items = [
        Measurement(
            name="structure_volume",
            structure=name,
            value=found.voxel_mm3 * factor if placed else float(ref.pixels),
            unit=unit if placed else "count",
            interval=extent if placed else None,
            caveats=(f"{where} mm (RAS)", *lost) if placed else lost,
        )
    ]
    best, number = None, 0
    for index in range(volume.count("axial")):
        shown = volume.shown(mask, "axial", index)
        if shown.any():
            spacing = volume.slice_info("axial", index).spacing
            steps = (spacing.row_mm, spacing.column_mm) if spacing is not None else (1.0, 1.0)
            one = axes(shown, steps)
            if best is None or one.long.length > best.long.length:
                best, number, step = one, index, max(steps)
    if best is not None:
        length = "mm" if placed else "px"
        note = (f"{RECIST}: slice {number + 1}", *lost)
        items += [
            Measurement(
                name=measure,
                structure=name,
                value=one.length,
                unit=length,
                interval=intervals.of_length(one.length, step),
                caveats=note,
            )
            for measure, one in (("longest_diameter", best.long), ("short_axis", best.short))
        ]
    values = volume.values()
    return [*items, *_values(name, values[mask], info)]


def _flat(image: str, name: str, ref: MaskRef, ctx: Context) -> list[Measurement]:
    """Measures of a mask of one image."""
    from secondread.tools.measure.toolbox.outline import area, axes, perimeter

    mask, info = ctx.mask(ref), ctx.info(image)
    spacing = info.spacing
    steps = (spacing.row_mm, spacing.column_mm) if spacing is not None else (1.0, 1.0)
    unit = "mm" if spacing is not None else "px"
    notes = ("the image has no spacing",) if spacing is None else ()
    if spacing is not None and spacing.kind == "detector_plane":
        notes = ("lengths are those on the detector: magnified",)
    found, size = axes(mask, steps), area(mask, steps)
    ends = {
        "longest_diameter": found.long,
        "short_axis": found.short,
    }
    items = [
        Measurement(
            name="structure_area",
            structure=name,
            value=size,
            unit="mm2" if unit == "mm" else "px",
            interval=intervals.of_area(size, perimeter(mask, steps), max(steps)),
            caveats=notes,
        )
    ]
    for measure, line in ends.items():
        items.append(
            Measurement(
                name=measure,
                structure=name,
                value=line.length,
                unit=unit,
                interval=intervals.of_length(line.length, max(steps)),
                landmarks=tuple(
                    Point(grid=info.ref.grid, x=x, y=y, name=f"{measure}_{end}")
                    for end, (x, y) in (("start", line.start), ("end", line.end))
                ),
                caveats=notes,
            )
        )
    return [*items, *_values(name, ctx.values(image)[mask], info)]


def _values(name: str, inside: "NDArray[np.float32]", info: ImageInfo) -> list[Measurement]:
    """Statistics of the values inside an outline."""
    import numpy as np

    from secondread.tools.measure.toolbox.first_order import first_order

    found = first_order(inside.astype(np.float64), np.ones(inside.shape, bool))
    caveats = (f"over {found.count} pixels or voxels inside the outline", *SCALES[info.unit])
    numbers: dict[str, Any] = {
        "mean_intensity": found.mean,
        "intensity_deviation": found.deviation,
        "lowest_intensity": found.minimum,
        "highest_intensity": found.maximum,
    }
    return [
        Measurement(name=measure, structure=name, value=value, unit=UNITS[info.unit], caveats=caveats)
        for measure, value in numbers.items()
    ]


def summarise(result: Measurements) -> str:
    """One line: the size of each structure."""
    sizes = [m for m in result.items if m.name in ("structure_volume", "structure_area") and m.value is not None]
    return (
        ", ".join(f"{(m.structure or '').replace('_', ' ')} {m.value:.4g} {m.unit}" for m in sizes) or "empty outlines"
    )
