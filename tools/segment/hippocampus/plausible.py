"""Do the two masks look like a hippocampus in a crop around it? Size, place, shape, and how sure the networks are.

The limits are the ranges of the 212 drawn masks of the development crops, widened: volumes for atrophy and large heads,
places for crops cut by another hand. They refuse what is absurd, no more.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secondread.tools.plausibility import Limit, outside
from secondread.tools.segment.hippocampus.grid import Turn

LIMITS = (
    Limit("anterior volume in mm3", 400, 4000, (1054, 2593)),
    Limit("posterior volume in mm3", 400, 3500, (993, 2169)),
    Limit("anterior volume / posterior volume", 0.4, 2.8, (0.67, 1.98)),
    Limit("anterior centre before posterior centre in mm", 9, 28, (13.6, 22.7)),
    Limit("anterior centre above posterior centre in mm", -17, 3, (-12.2, -2.0)),
    Limit("sideways distance of the centres in mm", 0, 9, (0.0, 5.7)),
    Limit("length from back to front in mm", 22, 58, (29, 48)),
    Limit("width in mm", 11, 34, (17, 27)),
    Limit("height in mm", 10, 44, (15, 37)),
    Limit("volume / bounding box", 0.07, 0.35, (0.11, 0.25)),
)
MAX_UNCERTAINTY = 0.22
"""Mean uncertainty of single networks inside the masks above which they are not believed: half above the highest of the
212 out-of-fold crops (0.09 to 0.146)."""


def measure(masks: Mapping[str, NDArray[np.bool_]], turn: Turn, voxel_mm3: float) -> dict[str, float]:
    """The properties named in `LIMITS`, from two non-empty masks on the grid of the crop."""
    front, back = (_places(masks[f"{part}_hippocampus"], turn) for part in ("anterior", "posterior"))
    offset = front.mean(0) - back.mean(0)
    both = np.concatenate([front, back])
    sides = both.max(0) - both.min(0) + np.array(turn.sides_mm)
    return {
        "anterior volume in mm3": len(front) * voxel_mm3,
        "posterior volume in mm3": len(back) * voxel_mm3,
        "anterior volume / posterior volume": len(front) / len(back),
        "anterior centre before posterior centre in mm": float(offset[1]),
        "anterior centre above posterior centre in mm": float(offset[2]),
        "sideways distance of the centres in mm": abs(float(offset[0])),
        "length from back to front in mm": float(sides[1]),
        "width in mm": float(sides[0]),
        "height in mm": float(sides[2]),
        "volume / bounding box": len(both) * voxel_mm3 / float(np.prod(sides)),
    }


def judge(
    masks: Mapping[str, NDArray[np.bool_]], turn: Turn, voxel_mm3: float, uncertainty: float
) -> tuple[bool, tuple[str, ...]]:
    """Plausibility and the reasons against it, one sentence each.

    Args:
        masks: Both parts on the grid of the crop.
        turn: How the crop lies in the patient.
        voxel_mm3: Volume of a voxel.
        uncertainty: Mean entropy of single networks inside the masks, 0 sure to 1.
    """
    missing = [name.replace("_", " ") for name, mask in masks.items() if not mask.any()]
    if missing:
        return False, (f"Not found: {', '.join(missing)}.",)
    found = measure(masks, turn, voxel_mm3)
    reasons = outside(found, LIMITS)
    if _cut(masks):
        reasons.append("The hippocampus reaches the border of the crop, so a part of it is missing.")
    if uncertainty > MAX_UNCERTAINTY:
        reasons.append(f"The networks are unsure of most voxels: {uncertainty:.2f}, above {MAX_UNCERTAINTY:g}.")
    return not reasons, tuple(reasons)


def _places(mask: NDArray[np.bool_], turn: Turn) -> NDArray[np.float64]:
    """Voxel centres of a mask in mm along R, A, S of the crop, shape (n, 3)."""
    places: NDArray[np.float64] = np.argwhere(turn.straight(mask)) * np.array(turn.sides_mm)
    return places


def _cut(masks: Mapping[str, NDArray[np.bool_]]) -> bool:
    """Whether a mask has voxels in the outermost layer of the crop."""
    inside = np.logical_or.reduce(list(masks.values()))
    return bool(inside.any()) and int(inside.sum()) != int(inside[1:-1, 1:-1, 1:-1].sum())
