"""Does the image look like a linear-probe ultrasound image of a limb, and do the areas look like nerves and vessels?

The limits are the ranges over the 204 development images, each outlined by the network that had not seen it, widened.
They refuse what is absurd; the modality router comes first.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secondread.tools.plausibility import Limit, outside

LIMITS = (
    Limit("mean brightness", 0.05, 0.40, (0.064, 0.321)),
    Limit("grain from row to row", 0.032, 0.14, (0.039, 0.091)),
    Limit("upper half / lower half brightness", 0.95, 80.0, (1.01, 46.1)),
    Limit("nerve area / image area", 0.0, 0.20, (0.0, 0.093)),
    Limit("vessel area / image area", 0.0, 0.25, (0.0, 0.122)),
    Limit("uncertainty", 0.0, 0.72, (0.308, 0.679)),
    Limit("colour", 0.0, 0.05, (0.0, 0.0)),
)


def measure(
    shown: NDArray[np.float32], masks: Mapping[str, NDArray[np.bool_]], uncertainty: float, chroma: float
) -> dict[str, float]:
    """The properties named in `LIMITS`.

    Args:
        shown: The image as the network sees it, shape (h, w), 0..1.
        masks: `nerve` and `vessel` on one grid.
        uncertainty: Mean entropy inside them.
        chroma: Mean difference of the largest and smallest colour channel over the range of the image; 0 for grey.
    """
    inside = shown > 0.02
    grain = np.abs(np.diff(shown, axis=0))[inside[1:] & inside[:-1]]
    top, bottom = (float(part.mean()) for part in (shown[: len(shown) // 2], shown[len(shown) // 2 :]))
    return {
        "mean brightness": float(shown.mean()),
        "grain from row to row": float(grain.mean()) if grain.size else 0.0,
        "upper half / lower half brightness": top / max(bottom, 1e-3),
        "nerve area / image area": float(masks["nerve"].mean()),
        "vessel area / image area": float(masks["vessel"].mean()),
        "uncertainty": uncertainty,
        "colour": chroma,
    }


def judge(
    shown: NDArray[np.float32], masks: Mapping[str, NDArray[np.bool_]], uncertainty: float, chroma: float
) -> tuple[bool, tuple[str, ...]]:
    """Whether to believe the areas, and why not, one sentence each."""
    if not any(m.any() for m in masks.values()):
        return False, ("Neither nerve nor vessel was found.",)
    found = measure(shown, masks, uncertainty, chroma)
    reasons = tuple(outside(found, LIMITS))
    return not reasons, reasons
