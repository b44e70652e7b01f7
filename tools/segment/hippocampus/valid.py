"""Which volumes the hippocampus networks may read at all: crops of the size they were trained on."""

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable
from secondread.tools.segment.hippocampus.grid import Turn, size_mm, turn_of

SIZE_MM = ((26.0, 50.0), (36.0, 68.0), (22.0, 54.0))
"""Least and greatest extent of a crop from right to left, back to front and foot to head: those of the 212 development
crops (31 to 43, 42 to 59, 26 to 47 mm), 15 % wider."""
WHOLE_HEAD_MM = 90.0
"""From this extent on along two axes a volume holds a head or a good part of it."""
MAX_SIDE_MM = 2.2
"""Longest voxel side; thicker slices were not seen in training, not even simulated."""
MAX_OBLIQUE = 20.0
"""Degrees between grid and patient axes; training views were turned by up to 12 about each axis."""
AXES = ("right to left", "back to front", "foot to head")


def check(values: NDArray[np.float32], affine: NDArray[np.float64]) -> Turn:
    """How the crop is turned for the networks, once it is clear that they may read it.

    Args:
        values: Shape (i, j, k).
        affine: Shape (4, 4), voxel index to RAS mm.

    Raises:
        NotApplicable: Not three-dimensional, not finite, flat, too large (a whole head), too small, too coarse or too
            oblique.
    """
    from secondread.imaging.volume.orientation import affine_fault, orientation_of

    if values.ndim != 3:
        raise NotApplicable(f"The hippocampus expert reads volumes; this array has {values.ndim} dimensions.")
    fault = affine_fault(np.asarray(affine, np.float64))
    if fault:
        raise NotApplicable(f"The volume has no size in mm: {fault}.")
    turn = turn_of((values.shape[0], values.shape[1], values.shape[2]), affine)
    extent = size_mm(turn)
    told = " x ".join(f"{mm:.0f}" for mm in extent)
    if sum(mm >= WHOLE_HEAD_MM for mm in extent) >= 2:
        raise NotApplicable(
            f"A volume of {told} mm holds a whole head or more; the hippocampus expert reads only crops around one "
            "hippocampus (about 35 x 50 x 36 mm) and cannot find it in a head.",
            hint="Crop the volume around one hippocampus.",
        )
    for mm, (low, high), axis in zip(extent, SIZE_MM, AXES, strict=True):
        if not low <= mm <= high:
            raise NotApplicable(
                f"The volume measures {mm:.0f} mm from {axis}; crops around one hippocampus measure {low:g} to "
                f"{high:g} mm.",
                hint="Crop the volume around one hippocampus.",
            )
    if max(turn.sides_mm) > MAX_SIDE_MM:
        raise NotApplicable(
            f"Voxels of {max(turn.sides_mm):.1f} mm are too coarse for the hippocampus; at most {MAX_SIDE_MM:g} mm."
        )
    angle = orientation_of(affine).angle_degrees
    if angle > MAX_OBLIQUE:
        raise NotApplicable(f"The grid stands {angle:.0f} degrees off the patient; at most {MAX_OBLIQUE:g} degrees.")
    if not np.isfinite(values).all():
        raise NotApplicable("The volume holds values that are not finite.")
    if float(np.ptp(values)) == 0.0:
        raise NotApplicable("All voxels of the volume have one value.")
    return turn
