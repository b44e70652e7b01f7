"""Turns the parts of a series into `Series` records: kind, order, place of every image."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from secondread.imaging.dicom.header import MODALITIES, read_body_part
from secondread.imaging.dicom.spacing import PROJECTION
from secondread.imaging.dicom.view import read_view
from secondread.imaging.quiet import quiet
from secondread.imaging.study import tags
from secondread.imaging.study.header import Header
from secondread.imaging.study.held import Held
from secondread.imaging.study.kinds import is_tiled
from secondread.imaging.study.model import Instance, Series, rebased
from secondread.imaging.study.plane import centre
from secondread.imaging.study.split import Part
from secondread.imaging.study.stack import PLANES, Slice, Stack, stack
from secondread.imaging.study.units import Unit
from secondread.schema.image import View
from secondread.schema.study import Place, Plane, SeriesKind

SLICED = frozenset(("CT", "MR", "PT", "NM"))
"""Modalities whose images are slices even when the header does not place them."""
_VIEW_TAGS = (
    "ViewPosition", "ViewCodeSequence", "PatientOrientation", "Modality", "SeriesDescription", "ProtocolName",
    "AcquisitionDeviceProcessingDescription", "StudyDescription", "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
)  # fmt: skip


@dataclass(slots=True)
class Draft:
    """A series before its number is known."""

    kind: SeriesKind
    units: list[Unit]
    """In order."""
    stack: Stack | None
    problems: list[str] = field(default_factory=list)
    left_out: list[Held] = field(default_factory=list)
    common: str = ""
    """What its key is made of besides the content of its images."""


def rank(headers: Sequence[Header]) -> tuple[float, str, str, str]:
    """What the series of a study are sorted by: Series Number, time of acquisition, description, file name."""
    first = headers[0]
    number = first.number(tags.SERIES_NUMBER)
    return (
        float("inf") if number is None else number,
        min(header.text(tags.ACQUISITION_TIME) or header.text(tags.SERIES_TIME) or "~" for header in headers),
        first.text(tags.SERIES_DESCRIPTION),
        min(header.held.name for header in headers),
    )


def draft(part: Part, kind: str, which: str) -> Draft:
    """Order the images of one part and say what it is.

    Args:
        part: From `secondread.imaging.study.split.split`.
        kind: `image`, `secondary`, `derived` or `document`, of the objects.
        which: Which part of its series it is.
    """
    units = sorted(part.units, key=_acquired)
    first = units[0].header
    found: Stack | None = None
    left_out: list[Held] = []
    problems = list(part.problems)
    modality = first.text(tags.MODALITY).upper()
    if kind == "image" and not part.clip and _sliced(units, modality):
        found = stack([_slice(unit) for unit in units])
        left_out = [units[k].header.held for k in found.duplicates]
        problems += found.problems
        units = [units[k] for k in found.order]
        found = rebased(found)
    return Draft(
        kind=_kind(part, kind, units, found, modality),
        units=units,
        stack=found,
        problems=problems,
        left_out=left_out,
        common=f"{first.series}|{which}",
    )


def _kind(part: Part, kind: str, units: list[Unit], found: Stack | None, modality: str) -> SeriesKind:
    if kind == "secondary":
        return "secondary"
    if kind == "derived":
        return "derived"
    if kind == "document":
        return "document"
    if part.localizer:
        return "localizer"
    if part.clip and modality not in SLICED and not is_tiled(units[0].header.text(tags.SOP_CLASS)):
        return "cine"
    return "volume" if found is not None and len(units) > 1 else "image"


def _sliced(units: list[Unit], modality: str) -> bool:
    """Whether images are slices of a stack: all placed, or of a modality that makes slices and of one size."""
    if all(unit.geometry is not None for unit in units):
        places = {unit.geometry.origin for unit in units if unit.geometry is not None}
        return len(places) > 1 or len(units) == 1
    sizes = {(unit.header.rows, unit.header.columns) for unit in units}
    return modality in SLICED and len(units) > 1 and len(sizes) == 1


def _slice(unit: Unit) -> Slice:
    header = unit.header
    return Slice(
        geometry=unit.geometry,
        location=header.number(tags.LOCATION),
        number=header.whole(tags.INSTANCE_NUMBER),
        thickness_mm=unit.thickness_mm,
        tilt_degrees=header.number(tags.TILT) if header.text(tags.MODALITY) == "CT" else None,
    )


def _acquired(unit: Unit) -> tuple[float, str, str, int]:
    """Sorts images by Instance Number, time and name; it only decides where position does not."""
    number = unit.header.number(tags.INSTANCE_NUMBER)
    time = unit.header.text(tags.ACQUISITION_TIME) or unit.header.text(tags.CONTENT_TIME)
    return (float("inf") if number is None else number, time, unit.header.held.name, unit.frame)


def series_of(made: Draft, key: str, place: Place) -> Series:
    """The record of a series.

    Args:
        made: Its images in order.
        key: Its key.
        place: Of the series in its study.
    """
    first = made.units[0].header
    modality = first.text(tags.MODALITY).upper()
    views = _views(made.units) if modality in PROJECTION else {}
    whole = place.model_copy(update={"unit": "volume"}) if made.kind == "volume" else place
    return Series(
        key=key,
        kind=made.kind,
        place=whole,
        instances=tuple(_instance(made, k, place, views) for k in range(len(made.units))),
        modality=modality if modality in MODALITIES else None,
        body_part=read_body_part(first),
        stack=made.stack,
        problems=tuple(made.problems),
        left_out=tuple(made.left_out),
    )


def _instance(made: Draft, k: int, place: Place, views: dict[int, View]) -> Instance:
    unit = made.units[k]
    plane, position = _position(unit, made.stack)
    sliced = made.kind in ("volume", "localizer") or (made.stack is not None and len(made.units) > 1)
    changes = {
        "unit": "slice" if sliced else "frame" if unit.header.frames > 1 else "image",
        "index": k + 1,
        "count": len(made.units),
        "plane": plane,
        "position_mm": position,
        "time_s": unit.time_s,
    }
    return Instance(
        source=unit.header.held,
        place=place.model_copy(update=changes),
        format="dicom",
        frame=unit.frame,
        geometry=unit.geometry,
        rows=unit.header.rows,
        columns=unit.header.columns,
        view=views.get(k, "UNKNOWN"),
        scaling=unit.header.scaling,
    )


def _position(unit: Unit, found: Stack | None) -> tuple[Plane | None, float | None]:
    """Nearest plane, and where the centre of the image lies along its axis in RAS mm."""
    geometry = unit.geometry
    if geometry is None:
        return None, None
    c, r = geometry.per_column, geometry.per_row
    normal = (c[1] * r[2] - c[2] * r[1], c[2] * r[0] - c[0] * r[2], c[0] * r[1] - c[1] * r[0])
    axis = max(range(3), key=lambda a: round(abs(normal[a]) / (sum(v * v for v in normal) ** 0.5), 6))
    plane = found.plane if found is not None and found.plane is not None else PLANES[axis]
    return plane, centre(geometry, unit.header.rows, unit.header.columns)[PLANES.index(plane)]


def _views(units: Sequence[Unit]) -> dict[int, View]:
    """Projection of each radiograph, by its header."""
    known: dict[int, View] = {}
    result: dict[int, View] = {}
    for k, unit in enumerate(units):
        if id(unit.header) not in known:
            known[id(unit.header)] = _view(unit.header)
        result[k] = known[id(unit.header)]
    return result


def _view(header: Header) -> View:
    import pydicom

    try:
        with quiet(), header.held.bounded() as stream:
            ds = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(_VIEW_TAGS))
            return read_view(ds)[0]
    except Exception:  # a damaged header makes pydicom raise almost any type; the view is then unknown
        return "UNKNOWN"
