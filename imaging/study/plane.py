"""A DICOM image plane as `PlaneGeometry` in RAS mm."""

import math

from secondread.imaging.dicom.geometry import ANGLE_TOLERANCE, UNIT_TOLERANCE
from secondread.schema.study import PlaneGeometry, Vector

Three = tuple[float, float, float]
Six = tuple[float, float, float, float, float, float]


def plane_geometry(
    position: Three | None, orientation: Six | None, spacing: tuple[float, float] | None
) -> PlaneGeometry | None:
    """Where the pixels of a plane lie in the patient; the rule of `imaging.dicom.geometry` on values already read.

    Args:
        position: Image Position (Patient), LPS mm.
        orientation: Image Orientation (Patient), direction of a row then of a column, LPS.
        spacing: Pixel Spacing, mm between rows then between columns.

    Returns:
        None when a value is missing or the directions are no right angle.

    Source:
        DICOM PS3.3 C.7.6.2.1.1.
    """
    if position is None or orientation is None or spacing is None or not all(0.0001 <= v <= 1000 for v in spacing):
        return None
    along, down = orientation[:3], orientation[3:]
    lengths = math.hypot(*along), math.hypot(*down)
    if any(abs(length - 1) > UNIT_TOLERANCE for length in lengths):
        return None
    if abs(sum(a * b for a, b in zip(along, down, strict=True))) > ANGLE_TOLERANCE * lengths[0] * lengths[1]:
        return None
    return PlaneGeometry(
        origin=_ras(position, 1.0),
        per_column=_ras(along, spacing[1] / lengths[0]),
        per_row=_ras(down, spacing[0] / lengths[1]),
    )


def centre(geometry: PlaneGeometry, rows: int, columns: int) -> Vector:
    """RAS mm of the middle of an image."""
    x, y, z = (
        o + (columns - 1) / 2 * c + (rows - 1) / 2 * r
        for o, c, r in zip(geometry.origin, geometry.per_column, geometry.per_row, strict=True)
    )
    return x, y, z


def _ras(lps: tuple[float, ...], scale: float) -> Vector:
    # adding zero turns -0.0 into 0.0, which would show in JSON
    return -lps[0] * scale + 0.0, -lps[1] * scale + 0.0, lps[2] * scale + 0.0
