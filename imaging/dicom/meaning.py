"""What of a DICOM header changes the meaning of its pixels, and so belongs to the id of the image."""

import hashlib
from typing import Any

from secondread.imaging.dicom.groups import frame_or_root, group
from secondread.imaging.dicom.values import items, numbers, text

_NUMBERS = (
    "BitsStored", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "FloatPixelPaddingValue",
    "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "ImagerPixelSpacing", "PixelSpacing",
    "NominalScannedPixelSpacing", "PixelAspectRatio",
)  # fmt: skip
_WORDS = ("PhotometricInterpretation", "PresentationLUTShape", "VOILUTFunction", "PixelSpacingCalibrationType")
_GROUPS = ("PixelMeasuresSequence", "FrameVOILUTSequence", "PixelValueTransformationSequence")
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_PALETTES = ("Red", "Green", "Blue")


def meaning(ds: Any, frame: int = 0) -> dict[str, Any]:
    """JSON of the header values that scale the pixels or give them a size; numbers, defined terms and hashes of tables.

    Nothing here identifies a person or is removed by de-identification, so that a de-identified copy keeps its id.
    """
    result = _values(ds)
    for macro in _GROUPS:
        source = group(ds, macro, frame)
        if source is not None:
            result[macro] = _values(source)
    source = frame_or_root(ds, "FrameVOILUTSequence", frame)
    for keyword in _TABLES:
        for item in items(source if keyword == "VOILUTSequence" else ds, keyword)[:1]:
            result[keyword] = [numbers(item, "LUTDescriptor"), _hash(item.get("LUTData"))]
    for colour in _PALETTES:
        keyword = f"{colour}PaletteColorLookupTableData"
        if keyword in ds:
            result[keyword] = _hash(ds.get(keyword))
    return result


def _values(ds: Any) -> dict[str, Any]:
    found: dict[str, Any] = {keyword: listed for keyword in _NUMBERS if (listed := numbers(ds, keyword))}
    return found | {keyword: word for keyword in _WORDS if (word := text(ds, keyword))}


def _hash(data: Any) -> str:
    raw = data if isinstance(data, bytes) else repr(list(data) if hasattr(data, "__iter__") else data).encode()
    return hashlib.blake2b(raw, digest_size=8).hexdigest()
