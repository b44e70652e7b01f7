"""A picture as a DICOM secondary capture: what a reader sees in any viewer, for pictures and not for measuring."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.values import text
from secondread.imaging.export.source import FileSource, finished, is_dicom, read_sources
from secondread.imaging.export.write import MAKER, Exported, new_uid, own_version, save
from secondread.imaging.quiet import quiet
from secondread.schema.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

PURPOSE = "A secondary capture"
SERIES_NUMBER = 9103
ANONYMOUS = "Anonymous"


def write_secondary_capture(
    picture: "Image.Image | NDArray[np.uint8]",
    out: str | os.PathLike[str],
    *,
    source: FileSource | None = None,
    number: int = 1,
    series_uid: str | None = None,
) -> Exported:
    """Write a picture as a DICOM secondary capture in RGB.

    With a DICOM source it belongs to that patient and study. Without one it carries no identity: patient id and name
    are `Anonymous`, and study and series are its own.

    Args:
        picture: Pillow picture, or RGB array of shape (rows, columns, 3).
        out: Path of the new file.
        source: The DICOM file that the picture shows; anything else counts as no source.
        number: Instance number.
        series_uid: Series to join; None starts one.

    Raises:
        InputError: Not an RGB picture.
        UnreadableImage: The DICOM source is damaged.
        UsageError: `out` cannot be written.
    """
    pixels = _rgb(picture)
    origin = None
    caveats: tuple[str, ...] = ()
    if source is not None and is_dicom(source):
        files = read_sources([source], PURPOSE)
        origin, caveats = files.datasets[0], files.caveats
    with quiet():
        try:
            ds = _object(pixels, origin, number, series_uid or new_uid())
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError("The DICOM source lacks what a secondary capture must repeat from it.") from None
    return Exported(save(ds, out), str(ds.SOPInstanceUID), caveats)


def _rgb(picture: Any) -> NDArray[np.uint8]:
    if hasattr(picture, "convert"):
        picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InputError(f"A secondary capture is made of an 8-bit RGB picture, not of {pixels.dtype} {pixels.shape}.")
    return np.ascontiguousarray(pixels)


def _object(pixels: NDArray[np.uint8], origin: Any, number: int, series_uid: str) -> Any:
    from highdicom.sc import SCImage
    from pydicom.uid import ExplicitVRLittleEndian

    common = {
        "pixel_array": pixels,
        "photometric_interpretation": "RGB",
        "bits_allocated": 8,
        "coordinate_system": "PATIENT",
        "series_instance_uid": series_uid,
        "series_number": SERIES_NUMBER,
        "sop_instance_uid": new_uid(),
        "instance_number": number,
        "manufacturer": MAKER,
        "patient_orientation": ("L", "F"),  # highdicom asks for one; taken out again below
        "transfer_syntax_uid": ExplicitVRLittleEndian,
        "series_description": "secondread overlay (research use only)",
    }
    if origin is not None:
        ds = SCImage.from_ref_dataset(ref_dataset=origin, **common)
    else:
        ds = SCImage(study_instance_uid=new_uid(), patient_id=ANONYMOUS, patient_name=f"{ANONYMOUS}^", **common)
    ds.add_new("PatientOrientation", "CS", "")
    ds.Laterality = ""  # type 2C; the picture may show either side
    ds.add_new("SoftwareVersions", "LO", own_version())
    ds.ConversionType = "WSD"
    told = "" if origin is None else text(origin, "BurnedInAnnotation").upper()
    if told in ("YES", "NO"):
        ds.BurnedInAnnotation = told  # what is written over the pixels names nobody, but the pixels below may
    elif "BurnedInAnnotation" in ds:
        del ds.BurnedInAnnotation
    ds.add_new("ImageType", "CS", ["DERIVED", "SECONDARY"])
    return finished(ds)
