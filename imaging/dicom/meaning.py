"""What of a DICOM header changes the meaning of its pixels, and so belongs to the id of the image."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.geometry import read_geometry
from secondread.imaging.dicom.groups import frame_or_root, group
from secondread.imaging.dicom.lut import read_lut
from secondread.imaging.dicom.palette import read_palette
from secondread.imaging.dicom.values import items, numbers, text

_NUMBERS = (
    "BitsStored", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "FloatPixelPaddingValue",
    "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "ImagerPixelSpacing", "PixelSpacing",
    "NominalScannedPixelSpacing", "PixelAspectRatio",
)  # fmt: skip
_WORDS = (
    "PhotometricInterpretation",
    "PresentationLUTShape",
    "VOILUTFunction",
    "PixelPresentation",
    "PixelSpacingCalibrationType",
)
_GROUPS = ("PixelMeasuresSequence", "FrameVOILUTSequence", "PixelValueTransformationSequence")
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")


def meaning(ds: Any, frame: int = 0) -> dict[str, Any]:
    """JSON of the header values that scale the pixels, give them a size or place them in the patient.

    Numbers, defined terms and hashes of tables, in the same form however the file stores them. Nothing here identifies
    a person or is removed by de-identification, so that a de-identified copy keeps its id.

    Args:
        ds: The header.
        frame: From 0.
    """
    result = _values(ds)
    for macro in _GROUPS:
        source = group(ds, macro, frame)
        if source is not None:
            result[macro] = _values(source)
    source = frame_or_root(ds, "FrameVOILUTSequence", frame)
    for keyword in _TABLES:
        for item in items(source if keyword == "VOILUTSequence" else ds, keyword)[:1]:
            lut = read_lut(item, signed=False)
            result[keyword] = None if lut is None else [lut.first, lut.full, _hash(lut.outputs)]
    if "RedPaletteColorLookupTableDescriptor" in ds:
        palette = read_palette(ds, signed=False)
        result["palette"] = None if palette is None else [palette.first, _hash(palette.colours)]
    place = read_geometry(ds, frame)[0]
    if place is not None:
        result["place"] = [*place.origin, *place.per_column, *place.per_row]
    return result


def _values(ds: Any) -> dict[str, Any]:
    found: dict[str, Any] = {keyword: listed for keyword in _NUMBERS if (listed := numbers(ds, keyword))}
    return found | {keyword: word for keyword in _WORDS if (word := text(ds, keyword))}


def _hash(table: NDArray[np.float32]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(table, dtype="<f4").data, digest_size=8).hexdigest()
