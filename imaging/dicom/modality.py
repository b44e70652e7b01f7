"""Stored values to what the modality measured: a table, or slope and intercept of each frame.

Source: DICOM PS3.3 C.11.1 (modality LUT), C.7.6.16.2.9 (pixel value transformation of a frame).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.groups import frame_or_root
from secondread.imaging.dicom.lut import Lut, read_lut
from secondread.imaging.dicom.values import first, items, number, text, value


@dataclass(frozen=True)
class Modality:
    """How stored values become modality values."""

    slope: float = 1.0
    intercept: float = 0.0
    lut: Lut | None = None
    """In place of slope and intercept."""
    stated: bool = False
    """The header gives an intercept that can be used."""

    def __call__(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Modality values of stored ones, any shape.

        Up to 16 bits in float32 throughout, which holds them exactly; wider integers and doubles in float64 first.
        """
        if self.lut is not None:
            return self.lut(stored)
        wide = stored.dtype.itemsize > (4 if stored.dtype.kind == "f" else 2)
        plain = self.slope == 1 and self.intercept == 0
        values: NDArray[Any] = stored.astype(np.float64 if wide and not plain else np.float32)
        if self.slope != 1:
            np.multiply(values, self.slope, out=values)
        if self.intercept != 0:
            np.add(values, self.intercept, out=values)
        return values.astype(np.float32, copy=False)


def read_modality(ds: Any, frame: int, *, signed: bool) -> tuple[Modality, list[str]]:
    """The modality transformation of a frame, and caveats.

    Args:
        ds: The header.
        frame: From 0.
        signed: The stored values are.
    """
    for item in items(ds, "ModalityLUTSequence")[:1]:
        lut = read_lut(item, signed=signed)
        if lut is not None:
            return Modality(lut=lut), []
        return Modality(), ["The modality LUT of the header is malformed and was ignored."]
    source = frame_or_root(ds, "PixelValueTransformationSequence", frame)
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    caveats: list[str] = []
    if slope == 0 or (slope is None and _given(source, "RescaleSlope")):
        caveats.append("The rescale slope of the header is no number that can be and was ignored.")
        slope = None
    if intercept is None and _given(source, "RescaleIntercept"):
        caveats.append("The rescale intercept of the header is no number that can be and was ignored.")
    if caveats:
        return Modality(), caveats  # half of the two would give values that are neither stored nor measured
    if any(v is not None and not abs(v) < 1e30 for v in (slope, intercept)):
        return Modality(), ["The rescale of the header is out of any range and was ignored."]
    return Modality(
        1.0 if slope is None else slope, 0.0 if intercept is None else intercept, stated=intercept is not None
    ), []


def read_unit(ds: Any, frame: int, modality: Modality) -> Literal["HU", "stored"]:
    """What modality values are in: Hounsfield units where the header says so, or for CT slices with a rescale.

    Localizers and the virtual images of dual-energy CT are no Hounsfield units unless the header says so.
    """
    if not modality.stated:
        return "stored"
    kind = text(frame_or_root(ds, "PixelValueTransformationSequence", frame), "RescaleType").upper()
    if kind:
        return "HU" if kind in ("HU", "HU_MOD") else "stored"
    localizer = "LOCALIZER" in str(value(ds, "ImageType") or "").upper()
    return "HU" if text(ds, "Modality").upper() == "CT" and not localizer else "stored"


def _given(ds: Any, keyword: str) -> bool:
    """The attribute is there and not empty, whatever it holds."""
    try:
        return keyword in ds and first(ds.get(keyword)) not in (None, "")
    except Exception:  # a malformed value raises whatever its parser raises; it is given, and no number
        return True
