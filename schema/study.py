"""Where an image stands in its study, and what is known of a volume. Holds nothing that names a person.

Patient coordinates are RAS in mm throughout: x grows to the patient's right, y to the front, z to the head. A DICOM
position is LPS; (x, y, z) of a header is (-x, -y, z) here.
"""

from typing import Literal

from pydantic import Field

from secondread.schema.record import Record
from secondread.schema.units import Millimetres

Plane = Literal["axial", "coronal", "sagittal"]
Vector = tuple[float, float, float]
Affine = tuple[
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
]


class PlaneGeometry(Record):
    """How the pixels of one image lie in the patient: RAS mm = origin + x * per_column + y * per_row."""

    origin: Vector
    """Centre of the top left pixel."""
    per_column: Vector
    """Step from one column to the next."""
    per_row: Vector
    """Step from one row to the next."""


class Place(Record):
    """Where an image or volume stands in what was handed over. Numbers count from 1, for people; ids are opaque."""

    study: str
    """`stu-` and 16 hexadecimal digits."""
    series: str
    """`ser-` and 16 hexadecimal digits."""
    series_number: int = Field(ge=1)
    """Place of the series among those of the study, in the program's own order."""
    series_count: int = Field(ge=1)
    unit: Literal["image", "slice", "frame", "volume"] = "image"
    index: int = Field(default=1, ge=1)
    """Which of `count`; slices count along the patient axis of their plane, from its low RAS end."""
    count: int = Field(default=1, ge=1)
    plane: Plane | None = None
    """Nearest plane of the patient; None for projections, photographs and unknown geometry."""
    position_mm: float | None = None
    """RAS coordinate of the slice centre along the axis of `plane` (z for axial, y coronal, x sagittal)."""
    time_s: float | None = None
    """Time of a frame from the start of its clip."""
    study_number: int = Field(default=1, ge=1)
    """Place of the study in time, oldest first."""
    study_count: int = Field(default=1, ge=1)
    role: Literal["current", "prior"] = "current"
    """prior: an older study of the same patient than the newest one handed over."""

    def words(self) -> str:
        """For a reader, e.g. `series 2 of 3, slice 57 of 112 (axial, z -123.0 mm)`."""
        told = f"series {self.series_number} of {self.series_count}"
        if self.study_count > 1:
            told = f"study {self.study_number} of {self.study_count} ({self.role}), {told}"
        if self.unit != "volume":
            told += f", {self.unit} {self.index} of {self.count}"
        notes: list[str] = []
        if self.plane is not None:
            notes.append(self.plane)
        if self.position_mm is not None and self.plane is not None:
            axis = {"axial": "z", "coronal": "y", "sagittal": "x"}[self.plane]
            notes.append(f"{axis} {self.position_mm:.1f} mm")
        if self.time_s is not None:
            notes.append(f"{self.time_s:.2f} s")
        return told + (f" ({', '.join(notes)})" if notes else "")


SeriesKind = Literal["image", "volume", "cine", "localizer", "secondary", "derived", "document"]
"""secondary: a screen shot or scanned page; derived: made from other images (segmentation, parametric map)."""


class SeriesInfo(Record):
    """What is known of one series without looking at its pixels."""

    key: str
    number: int = Field(ge=1)
    """Place in the study, in the program's own order."""
    kind: SeriesKind
    modality: str | None = None
    body_part: str | None = None
    views: tuple[str, ...] = ()
    """Projections of its films that the header states, in order."""
    images: int = Field(ge=0)
    """Slices, frames or films."""
    plane: Plane | None = None
    spacing_mm: Millimetres | None = None
    """Between neighbouring slice centres, when it is one regular stack."""
    pixel_mm: tuple[Millimetres, Millimetres] | None = None
    """Between rows and between columns."""
    problems: tuple[str, ...] = ()
    """Gaps, duplicates, tilt, missing geometry, in plain words."""


class StudyInfo(Record):
    """What was handed over of one study, without looking at its pixels."""

    key: str
    number: int = Field(default=1, ge=1)
    count: int = Field(default=1, ge=1)
    role: Literal["current", "prior"] = "current"
    series: tuple[SeriesInfo, ...] = ()
    problems: tuple[str, ...] = ()


class VolumeInfo(Record):
    """What is known of a volume besides its voxels."""

    id: str
    """`vol-` and 16 hexadecimal digits over voxels, affine and what scales them; never over identifiers."""
    shape: tuple[int, int, int]
    """Voxels along i, j, k."""
    frames: int = Field(default=1, ge=1)
    """Time points or echoes of a 4D source; a volume is one of them."""
    frame: int = Field(default=0, ge=0)
    affine: Affine
    """Voxel index (i, j, k, 1) to RAS mm; voxel centres at whole numbers."""
    spacing_mm: tuple[Millimetres, Millimetres, Millimetres]
    """Between voxel centres along i, j, k."""
    oriented: bool = True
    """False: the source does not say how the grid lies in the patient. The affine then only scales; sides, planes and
    positions mean nothing."""
    placed: bool = True
    """False: the file gives no positions, so the affine counts voxels and no millimetre is known."""
    unit: Literal["HU", "stored"] = "stored"
    """What the numbers are: Hounsfield units, or values on the scale of whatever wrote them."""
    modality: str | None = None
    body_part: str | None = None
    source_format: str = "array"
    """`dicom`, `nifti`, `nrrd`, `metaimage` or `array`."""
    bits_stored: int | None = None
    photometric: str | None = None
    window: tuple[float, float] | None = None
    """Centre and width for display, from the header or chosen from the values."""
    place: Place | None = None
    caveats: tuple[str, ...] = ()
