"""Number of slices, spacings and covered length of a volume; pixel spacing of a single image."""

from math import sqrt

from secondread.schema.evidence import Measurement, Measurements
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="volume_geometry",
    version="1.0",
    summary="Number of slices, slice spacing, pixel spacing and covered length of a volume or image.",
    kind="measurement",
    establishes=("slice_count", "slice_spacing", "pixel_spacing", "scan_length"),
    dimension=None,
    cost_seconds=0.001,
    cache="memory",
    limits=("Read from the geometry of the file; the nominal slice thickness is another number.",),
)
NO_SPACING = "the file gives no spacing"
ONE_IMAGE = "this is a single image, not a volume"


@tool(CARD, request=ToolRequest, result=Measurements, summary=lambda result: summarise(result))
def volume_geometry(request: ToolRequest, ctx: Context) -> Measurements:
    """Number of slices, slice spacing, pixel spacing and covered length of a volume or image."""
    assert request.image is not None
    info = ctx.info(request.image)
    if info.dimension == 2:
        missing = tuple(
            Measurement(name=name, not_measurable=ONE_IMAGE) for name in ("slice_count", "slice_spacing", "scan_length")
        )
        if info.spacing is None:
            return Measurements(items=(*missing, Measurement(name="pixel_spacing", not_measurable=NO_SPACING)))
        kind = ("in the plane of the detector: lengths are magnified",) if info.spacing.kind == "detector_plane" else ()
        return Measurements(items=(*missing, _pixel(info.spacing.column_mm, info.spacing.row_mm, kind)))
    known = ctx.volume(request.image).info
    count = known.shape[2]
    items = [Measurement(name="slice_count", value=float(count), unit="count", caveats=known.caveats)]
    if not known.placed:
        items += [
            Measurement(name=name, not_measurable=NO_SPACING)
            for name in ("slice_spacing", "pixel_spacing", "scan_length")
        ]
        return Measurements(items=tuple(items))
    step = known.spacing_mm[2]
    items += [
        Measurement(
            name="slice_spacing",
            value=step,
            unit="mm",
            caveats=("between slice centres; the nominal slice thickness may differ",),
        ),
        _pixel(known.spacing_mm[0], known.spacing_mm[1], ()),
        Measurement(
            name="scan_length",
            value=step * (count - 1),
            unit="mm",
            caveats=("from the centre of the first slice to that of the last",),
        ),
    ]
    return Measurements(items=tuple(items))


def _pixel(column_mm: float, row_mm: float, caveats: tuple[str, ...]) -> Measurement:
    uneven = abs(column_mm - row_mm) > 0.001 * sqrt(column_mm * row_mm)
    told = (f"rows lie {row_mm:.3g} mm apart, columns {column_mm:.3g} mm",) if uneven else ()
    return Measurement(name="pixel_spacing", value=column_mm, unit="mm", caveats=(*told, *caveats))


def summarise(result: Measurements) -> str:
    """One line: what was read."""
    parts = []
    for name, words in (
        ("slice_count", "{:.0f} slices"),
        ("slice_spacing", "{:.3g} mm apart"),
        ("pixel_spacing", "pixels of {:.3g} mm"),
        ("scan_length", "{:.3g} mm covered"),
    ):
        found = result.get(name)
        if found is not None and found.value is not None:
            parts.append(words.format(found.value))
    return ", ".join(parts) or "no geometry: " + NO_SPACING
