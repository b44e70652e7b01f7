"""How the pixels of a frame lie in the patient, from the plane tags or the functional groups.

Source: DICOM PS3.3 C.7.6.2 (image plane), C.7.6.16.2.3 and .4 (plane position and orientation of a frame).
"""

import math
from typing import Any

from secondread.imaging.dicom.groups import frame_or_root, group
from secondread.imaging.dicom.values import numbers
from secondread.schema.study import PlaneGeometry, Vector

UNIT_TOLERANCE = 0.01
"""How far the length of a direction cosine may be from 1."""
ANGLE_TOLERANCE = 0.01
"""Largest cosine of the angle between rows and columns: 0.6 degrees from a right angle."""

FARTHEST = 1e5
"""Largest coordinate in mm; tables move a few metres."""


def read_geometry(ds: Any, frame: int = 0) -> tuple[PlaneGeometry | None, list[str]]:
    """Geometry of a frame in RAS mm, and a caveat when the header gives one that cannot be.

    Args:
        ds: The header.
        frame: From 0.

    Returns:
        None without caveat when the header gives no position at all, as for projections.
    """
    position, caveats = _position(ds, frame)
    orientation = numbers(frame_or_root(ds, "PlaneOrientationSequence", frame), "ImageOrientationPatient")
    spacing = numbers(frame_or_root(ds, "PixelMeasuresSequence", frame), "PixelSpacing")
    if caveats or (not position and not orientation):
        return None, caveats
    if len(position) != 3 or len(orientation) != 6:
        return None, ["The header gives the position or the orientation of the image, but not both."]
    if len(spacing) != 2 or not all(0.0001 <= step <= 1000 for step in spacing):
        return None, ["The header places the image in the patient without a valid pixel spacing."]
    along_row, along_column = orientation[:3], orientation[3:]
    lengths = math.hypot(*along_row), math.hypot(*along_column)
    if any(abs(length - 1) > UNIT_TOLERANCE for length in lengths):
        return None, ["The orientation in the header is not made of unit vectors; the position is not used."]
    cosine = sum(a * b for a, b in zip(along_row, along_column, strict=True)) / (lengths[0] * lengths[1])
    if abs(cosine) > ANGLE_TOLERANCE:
        return None, ["Rows and columns are not at right angles in the header; the position is not used."]
    if any(abs(v) > FARTHEST for v in position):
        return None, ["The position in the header lies farther away than any scanner reaches; it is not used."]
    offset = _grid_offset(ds, frame)
    if offset is None:
        return None, ["The header does not say where frames other than the first lie in the patient."]
    normal = _cross(along_row, along_column)
    placed = [p + offset * n / (lengths[0] * lengths[1]) for p, n in zip(position, normal, strict=True)]
    return PlaneGeometry(
        origin=_ras(placed, 1.0),
        per_column=_ras(along_row, spacing[1] / lengths[0]),
        per_row=_ras(along_column, spacing[0] / lengths[1]),
    ), []


def _position(ds: Any, frame: int) -> tuple[list[float], list[str]]:
    """Image Position (Patient) of a frame, and a caveat when per-frame groups leave this frame out."""
    per_frame = group(ds, "PlanePositionSequence", frame)
    if per_frame is not None:
        return numbers(per_frame, "ImagePositionPatient"), []
    if group(ds, "PlanePositionSequence", 0) is not None:
        return [], ["The header does not say where this frame lies in the patient."]
    return numbers(ds, "ImagePositionPatient"), []


def _grid_offset(ds: Any, frame: int) -> float | None:
    """How far a frame lies from the position of the whole object, along its normal in mm; None when not said.

    Source: DICOM PS3.3 C.8.8.3.2 (Grid Frame Offset Vector of a dose grid), where the first offset is 0 or, in the
    older form, the z of the first frame.
    """
    if frame == 0 or group(ds, "PlanePositionSequence", frame) is not None:
        return 0.0
    offsets = numbers(ds, "GridFrameOffsetVector")
    return offsets[frame] - offsets[0] if frame < len(offsets) else None


def _cross(a: list[float], b: list[float]) -> list[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _ras(lps: list[float], scale: float) -> Vector:
    """A vector of the header, LPS, in RAS."""
    return (-lps[0] * scale + 0.0, -lps[1] * scale + 0.0, lps[2] * scale + 0.0)
