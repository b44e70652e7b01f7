"""What is known of an image besides its pixels: identity by content, grid, spacing, view."""

from typing import Literal

from pydantic import Field

from secondread.schema.record import Record
from secondread.schema.study import Place, PlaneGeometry
from secondread.schema.units import Millimetres, Pixels, Years

View = Literal["PA", "AP", "LATERAL", "OTHER", "UNKNOWN"]
Provenance = Literal["header", "stated", "unknown"]


class Spacing(Record):
    """Distance between pixel centres, in mm, and which plane it holds in."""

    row_mm: Millimetres
    """Between centres of neighbouring rows (first value of DICOM Pixel Spacing)."""
    column_mm: Millimetres
    """Between centres of neighbouring columns (second value of DICOM Pixel Spacing)."""
    kind: Literal["calibrated", "detector_plane"]
    """detector_plane lengths are magnified: they are those of the shadow, not of the body."""
    source: str
    """Where it was read, e.g. `ImagerPixelSpacing (0018,1164)` or `stated`."""


class CropTransform(Record):
    """How a derived image lies in its parent, in pixel-centre coordinates: parent = offset + derived * scale."""

    x0: Pixels
    y0: Pixels
    scale_x: float = Field(gt=0)
    """Parent pixels per derived pixel along columns."""
    scale_y: float = Field(gt=0)
    """Parent pixels per derived pixel along rows."""


class ImageRef(Record):
    """One two-dimensional image by content: equal pixels and decode-relevant header give an equal id."""

    id: str
    """`img-` and 16 hexadecimal digits."""
    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    grid: str
    """Id of the pixel grid; regions name it. A derived image has its own grid."""
    frame: int = Field(default=0, ge=0)
    parent: str | None = None
    """Image id this one was cropped or zoomed from."""
    transform: CropTransform | None = None
    volume: str | None = None
    """Volume id this is a slice of."""


class ImageInfo(Record):
    """What tools, planners and traces may know of an image. Holds nothing that names a person."""

    ref: ImageRef
    dimension: Literal[2, 3] = 2
    """3: the id stands for a whole volume; `rows` and `columns` are those of its middle axial slice."""
    unit: Literal["HU", "stored", "grey"] = "grey"
    """What `ImageStore.values` gives: Hounsfield units, the maker's own scale, or display grey from 0 to 1."""
    modality: str | None = None
    """DICOM Modality (`DX`, `CR`, `CT`, ..), or None when the file does not say."""
    body_part: str | None = None
    view: View = "UNKNOWN"
    view_source: Provenance = "unknown"
    position: Literal["erect", "supine", "unknown"] = "unknown"
    portable: bool | None = None
    image_laterality: Literal["L", "R", "B", "U"] | None = None
    age_years: Years | None = None
    age_source: Provenance = "unknown"
    sex: Literal["F", "M", "O"] | None = None
    spacing: Spacing | None = None
    photometric: str | None = None
    bits_stored: int | None = None
    source_format: str = "array"
    """`dicom`, `png`, `jpeg`, `tiff`, `array`, or the format of the volume or video it was taken from."""
    frames: int = 1
    """Frames in the source; only `ref.frame` is this image."""
    colour: bool = False
    """The source had colour channels that differ from each other."""
    place: Place | None = None
    """Where it stands in the study it came from; None for an image handed over by itself."""
    geometry: PlaneGeometry | None = None
    """How its pixels lie in the patient; None for projections without position and for pictures."""
    squeezed: bool | None = None
    """True when the file is known to have lost its aspect ratio; None when it cannot be told."""
    caveats: tuple[str, ...] = ()
    """What the reader noticed, in plain words, without identifiers."""
