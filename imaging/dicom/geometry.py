"""How the pixels of a frame lie in the patient, from the plane tags or the functional groups.

Source: DICOM PS3.3 C.7.6.2 (image plane), C.7.6.16.2.3 and .4 (plane position and orientation of a frame).
"""

import math
from typing import Any

from secondread.imaging.dicom.groups import frame_or_root
from secondread.imaging.dicom.values import numbers
from secondread.schema.study import PlaneGeometry, Vector

UNIT_TOLERANCE = 0.01
"""How far the length of a direction cosine may be from 1."""
ANGLE_TOLERANCE = 0.01
"""Largest cosine of the angle between rows and columns: 0.6 degrees from a right angle."""


def read_geometry(ds: Any, frame: int = 0) -> tuple[PlaneGeometry | None, list[str]]:
    """Geometry of a frame in RAS mm, and a caveat when the header gives one that cannot be.

    Args:
        ds: The header.
        frame: From 0.

    Returns:
        None without caveat when the header gives no position at all, as for projections.
    """
    position = numbers(frame_or_root(ds, "PlanePositionSequence", frame), "ImagePositionPatient")
    orientation = numbers(frame_or_root(ds, "PlaneOrientationSequence", frame), "ImageOrientationPatient")
    spacing = numbers(frame_or_root(ds, "PixelMeasuresSequence", frame), "PixelSpacing")
    if not position and not orientation:
        return None, []
    if len(position) != 3 or len(orientation) != 6:
        return None, ["The header gives the position or the orientation of the image, but not both."]
    if len(spacing) != 2 or not all(0.0001 <= step <= 1000 for step in spacing):
        return None, ["The header places the image in the patient without a valid pixel spacing."]
    along_row, along_column = orientation[:3], orientation[3:]
    lengths = [math.sqrt(sum(v * v for v in cosines)) for cosines in (along_row, along_column)]
    if any(abs(length - 1) > UNIT_TOLERANCE for length in lengths):
        return None, ["The orientation in the header is not made of unit vectors; the position is not used."]
    cosine = sum(a * b for a, b in zip(along_row, along_column, strict=True)) / (lengths[0] * lengths[1])
    if abs(cosine) > ANGLE_TOLERANCE:
        return None, ["Rows and columns are not at right angles in the header; the position is not used."]
    return PlaneGeometry(
        origin=_ras(position, 1.0),
        per_column=_ras(along_row, spacing[1] / lengths[0]),
        per_row=_ras(along_column, spacing[0] / lengths[1]),
    ), []


def _ras(lps: list[float], scale: float) -> Vector:
    """A vector of the header, LPS, in RAS."""
    return (-lps[0] * scale + 0.0, -lps[1] * scale + 0.0, lps[2] * scale + 0.0)
