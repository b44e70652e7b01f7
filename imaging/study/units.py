"""Single images of one series before they are put in order: a file, or one frame of a multi-frame object."""

from dataclasses import dataclass, field
from typing import Any

from secondread.imaging.dicom.cine import frame_time
from secondread.imaging.dicom.values import items, number, numbers, text
from secondread.imaging.quiet import quiet
from secondread.imaging.study import tags
from secondread.imaging.study.header import Header
from secondread.imaging.study.plane import plane_geometry
from secondread.schema.study import PlaneGeometry

_GROUPS = (0x52009229, 0x52009230)
"""Shared and Per-Frame Functional Groups Sequence."""
_TIMES = (0x00181063, 0x00181065, 0x00180040, 0x00082144)
"""Frame Time, Frame Time Vector, Cine Rate, Recommended Display Frame Rate."""

_FRAME_SPLITTING = (
    ("stack", "FrameContentSequence", "StackID"),
    ("echo time", "MREchoSequence", "EffectiveEchoTime"),
    ("temporal position", "FrameContentSequence", "TemporalPositionIndex"),
    ("b-value", "MRDiffusionSequence", "DiffusionBValue"),
    ("image type", "CTImageFrameTypeSequence", "FrameType"),
    ("image type", "MRImageFrameTypeSequence", "FrameType"),
    ("image type", "PETFrameTypeSequence", "FrameType"),
    ("cardiac phase", "CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    ("acquisition", "FrameContentSequence", "FrameAcquisitionNumber"),
)
"""What tells frames at one position apart. Source: DICOM PS3.3 C.7.6.16.2, C.8.13."""


@dataclass(slots=True)
class Unit:
    """One image."""

    header: Header
    frame: int
    geometry: PlaneGeometry | None
    marks: dict[str, str] = field(default_factory=dict)
    """What tells it from another at the same position: label -> value. Filled for frames; files are looked up."""
    thickness_mm: float | None = None
    time_s: float | None = None
    """Of a frame of a clip, from its start."""

    def mark(self, label: str, tag: int) -> str:
        """The value of a splitting attribute."""
        if label in self.marks:
            return self.marks[label]
        return self.header.raw[tag].decode("latin-1").strip(" \0") if tag in self.header.raw else ""


def units_of(header: Header) -> list[Unit]:
    """The images of one file: itself, or its frames with the geometry of their functional groups.

    Args:
        header: Of an object with pixels.
    """
    if header.frames == 1 and not _enhanced(header):
        geometry = plane_geometry(header.position, header.orientation, header.spacing)
        return [Unit(header, 0, geometry, {}, header.number(tags.THICKNESS))]
    return _frames(header)


def _enhanced(header: Header) -> bool:
    """Whether the file may keep its geometry in functional groups although it has a single frame."""
    return tags.FRAMES in header.raw and header.position is None


def _frames(header: Header) -> list[Unit]:
    ds = _read(header)
    shared = items(ds, "SharedFunctionalGroupsSequence")[:1]
    per_frame = items(ds, "PerFrameFunctionalGroupsSequence")
    found: list[Unit] = []
    for frame in range(header.frames):
        held = [*per_frame[frame : frame + 1], *shared]
        position = _numbers(held, "PlanePositionSequence", "ImagePositionPatient", 3)
        orientation = _numbers(held, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
        spacing = _numbers(held, "PixelMeasuresSequence", "PixelSpacing", 2)
        geometry = plane_geometry(position, orientation, spacing)
        marks: dict[str, str] = {"file": header.uid}
        for label, sequence, keyword in _FRAME_SPLITTING:
            item = _macro(held, sequence)
            if item is not None and (value := _words(item, keyword)):
                marks.setdefault(label, value)
        measures = _macro(held, "PixelMeasuresSequence")
        thickness = None if measures is None else number(measures, "SliceThickness")
        time = frame_time(ds, frame, header.frames) if geometry is None else None
        found.append(Unit(header, frame, geometry, marks, thickness, time))
    return found


def _read(header: Header) -> Any:
    """Functional groups and times; an empty data set when they are damaged."""
    import pydicom

    try:
        with quiet(), header.held.bounded() as stream:
            tags_read = [*_GROUPS, *_TIMES]
            ds = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=tags_read)
            len(items(ds, "PerFrameFunctionalGroupsSequence"))
            return ds
    except Exception:  # a damaged header makes pydicom raise almost any type; the frames then have no place
        return pydicom.Dataset()


def _macro(held: list[Any], sequence: str) -> Any | None:
    for groups in held:
        for item in items(groups, sequence)[:1]:
            return item
    return None


def _numbers(held: list[Any], sequence: str, keyword: str, count: int) -> Any:
    """`count` numbers of a macro as a tuple, or None."""
    item = _macro(held, sequence)
    found = () if item is None else tuple(numbers(item, keyword))
    return found if len(found) == count else None


def _words(item: Any, keyword: str) -> str:
    found = numbers(item, keyword)
    return repr(found) if found else "\\".join(str(part) for part in _several(item, keyword))


def _several(item: Any, keyword: str) -> list[Any]:
    value = item.get(keyword)
    if value is None:
        return []
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return [text(item, keyword)]
    return list(value)
