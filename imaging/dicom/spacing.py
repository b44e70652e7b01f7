"""Pixel spacing from the tag that holds it, and in which plane it is true.

| object | tag | kind |
|---|---|---|
| radiograph | Pixel Spacing with a calibration type, or unlike Imager Pixel Spacing | calibrated |
| radiograph | Imager Pixel Spacing, or Pixel Spacing equal to it or alone | detector plane |
| scanned film, secondary capture | Nominal Scanned Pixel Spacing | detector plane |
| CT, MR, PT, .. | Pixel Spacing | calibrated |

Source: DICOM PS3.3 10.7.1.3 (which spacing is calibrated), C.8.11.3 and C.8.7.10 (Imager Pixel Spacing, at the front
plane of the detector), C.8.6.2 (scanned film).
"""

import math
from typing import Any, Literal

from secondread.imaging.dicom.groups import frame_or_root
from secondread.imaging.dicom.values import number, numbers, text
from secondread.schema.image import Spacing

PROJECTION = frozenset(("CR", "DX", "RF", "XA", "MG", "IO", "PX", "RG", "RTIMAGE"))

_LABEL = {
    "PixelSpacing": "PixelSpacing (0028,0030)",
    "ImagerPixelSpacing": "ImagerPixelSpacing (0018,1164)",
    "NominalScannedPixelSpacing": "NominalScannedPixelSpacing (0018,2010)",
}


def read_spacing(ds: Any, modality: str | None, frame: int = 0) -> tuple[Spacing | None, list[str]]:
    """Spacing with its kind, and caveats.

    Args:
        ds: The data set.
        modality: DICOM Modality, or None when unknown.
        frame: From 0.
    """
    caveats: list[str] = []
    pixel = _pair(frame_or_root(ds, "PixelMeasuresSequence", frame), "PixelSpacing", caveats)
    imager = _pair(ds, "ImagerPixelSpacing", caveats)
    scanned = _pair(ds, "NominalScannedPixelSpacing", caveats)
    if modality in PROJECTION or imager is not None:
        found = _projection(ds, pixel, imager, caveats)
        factor = number(ds, "EstimatedRadiographicMagnificationFactor")
        if factor is not None and 1 <= factor <= 3 and found is not None:
            caveats.append(f"The header estimates a magnification of {factor:.2f}; lengths are not corrected for it.")
    elif pixel is not None and modality not in (None, "OT", "SC", "US"):
        found = _spacing(pixel, "PixelSpacing", "calibrated")
    elif pixel is not None:
        found = _spacing(pixel, "PixelSpacing", "detector_plane")
        caveats.append("Pixel Spacing of an object of unknown kind; lengths may be magnified.")
    else:
        found = None
    if found is None and scanned is not None:
        found = _spacing(scanned, "NominalScannedPixelSpacing", "detector_plane")
    return found, caveats


def _projection(
    ds: Any, pixel: tuple[float, float] | None, imager: tuple[float, float] | None, caveats: list[str]
) -> Spacing | None:
    if pixel is not None and text(ds, "PixelSpacingCalibrationType").upper() in ("GEOMETRY", "FIDUCIAL"):
        return _spacing(pixel, "PixelSpacing", "calibrated")
    if pixel is not None and imager is not None and not _alike(pixel, imager):
        caveats.append("Pixel Spacing differs from that of the detector without saying how it was calibrated.")
        return _spacing(pixel, "PixelSpacing", "calibrated")
    if imager is not None:
        return _spacing(imager, "ImagerPixelSpacing", "detector_plane")
    if pixel is not None:
        caveats.append("Pixel Spacing of a radiograph without calibration type; taken as that of the detector.")
        return _spacing(pixel, "PixelSpacing", "detector_plane")
    return None


def squeezed(ds: Any, spacing: Spacing | None) -> bool | None:
    """True when the pixels are known not to be square and no spacing says by how much; False when they are square."""
    if spacing is not None:
        return False
    ratio = numbers(ds, "PixelAspectRatio")
    if len(ratio) == 2 and ratio[0] > 0 and ratio[1] > 0:
        return not math.isclose(ratio[0], ratio[1], rel_tol=0.01)
    return None


def _pair(ds: Any, keyword: str, caveats: list[str]) -> tuple[float, float] | None:
    """Row and column spacing in mm when both are plausible (0.001 to 50 mm)."""
    found = numbers(ds, keyword)
    if not found:
        return None
    if len(found) == 2 and all(0.001 <= item <= 50 for item in found):
        return found[0], found[1]
    caveats.append(f"{_LABEL[keyword]} is not a valid spacing and was ignored.")
    return None


def _alike(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return all(math.isclose(x, y, rel_tol=0.005) for x, y in zip(a, b, strict=True))


def _spacing(pair: tuple[float, float], keyword: str, kind: Literal["calibrated", "detector_plane"]) -> Spacing:
    return Spacing(row_mm=pair[0], column_mm=pair[1], kind=kind, source=_LABEL[keyword])
