"""Do the masks look like the lungs and heart of a frontal chest film? Size, place, shape and side.

The limits are the ranges seen on 182 masked adult films (training split), widened: areas for films with the chest small
or large in the frame, ratios for diseased lungs, children and lost aspect ratios. They refuse what is absurd, no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secondread.tools.plausibility import Limit, outside

HeartSide = Literal["image_left", "image_right", "midline", "unknown"]


LIMITS = (
    Limit("right lung area / film area", 0.02, 0.36, (0.069, 0.220)),
    Limit("left lung area / film area", 0.015, 0.36, (0.049, 0.197)),
    Limit("heart area / film area", 0.012, 0.28, (0.062, 0.181)),
    Limit("right lung area / left lung area", 0.3, 4.0, (0.877, 2.033)),
    Limit("heart area / lung area", 0.08, 1.8, (0.191, 0.862)),
    Limit("distance of lung centres / film width", 0.15, 0.75, (0.350, 0.542)),
    Limit("height difference of lung centres / lung height", 0.0, 0.35, (0.0, 0.125)),
    Limit("heart centre from lung midline / distance of lung centres", -0.42, 0.42, (-0.024, 0.239)),
    Limit("heart centre below lung top / lung height", 0.40, 1.1, (0.610, 0.891)),
    Limit("heart width / thorax width", 0.2, 0.85, (0.341, 0.758)),
    Limit("right lung area / its bounding box", 0.25, 0.95, (0.425, 0.746)),
    Limit("left lung area / its bounding box", 0.2, 0.95, (0.328, 0.695)),
    Limit("heart area / its bounding box", 0.4, 0.95, (0.581, 0.819)),
)

MAX_UNCERTAINTY = 0.28
"""Mean uncertainty inside the masks above which they are not believed."""

MIDLINE_SHARE = 0.03
"""Within this share of the distance between the lung centres the heart counts as lying in the middle."""


def measure(masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """The properties named in `LIMITS`, from non-empty masks on one grid."""
    right, left, heart = (_Shape.of(masks[name]) for name in ("right_lung", "left_lung", "heart"))
    size = masks["heart"].size
    columns = masks["heart"].shape[1]
    gap = left.x - right.x
    top, bottom = min(right.top, left.top), max(right.bottom, left.bottom)
    height = bottom - top + 1
    width = max(right.end, left.end) - min(right.start, left.start) + 1
    offset = heart.x - (right.x + left.x) / 2
    return {
        "right lung area / film area": right.area / size,
        "left lung area / film area": left.area / size,
        "heart area / film area": heart.area / size,
        "right lung area / left lung area": right.area / left.area,
        "heart area / lung area": heart.area / (right.area + left.area),
        "distance of lung centres / film width": gap / columns,
        "height difference of lung centres / lung height": abs(right.y - left.y) / height,
        "heart centre from lung midline / distance of lung centres": offset / gap if gap > 0 else float("inf"),
        "heart centre below lung top / lung height": (heart.y - top) / height,
        "heart width / thorax width": (heart.end - heart.start + 1) / width,
        "right lung area / its bounding box": right.fill,
        "left lung area / its bounding box": left.fill,
        "heart area / its bounding box": heart.fill,
    }


def judge(
    masks: Mapping[str, NDArray[np.bool_]], mean_uncertainty: float = 0.0
) -> tuple[bool, tuple[str, ...], HeartSide]:
    """Plausibility, reasons, and the side of the image on which most of the heart lies.

    Args:
        masks: `right_lung` (image left), `left_lung` (image right), `heart`; bool, one shape.
        mean_uncertainty: Of the networks inside these masks, 0 sure to 1.

    Returns:
        plausible; reasons, one sentence each (a heart towards the image left is a reason to read, not an
        implausibility); `image_left`, `image_right`, `midline`, or `unknown` when a structure is missing.
    """
    missing = [name.replace("_", " ") for name in ("right_lung", "left_lung", "heart") if not masks[name].any()]
    if missing:
        return False, (f"Not found: {', '.join(missing)}.",), "unknown"
    found = measure(masks)
    reasons = outside(found, LIMITS)
    if mean_uncertainty > MAX_UNCERTAINTY:
        reasons.append(f"The networks are unsure of most pixels: {mean_uncertainty:.2f}, above {MAX_UNCERTAINTY:g}.")
    plausible = not reasons
    offset = found["heart centre from lung midline / distance of lung centres"]
    side: HeartSide = "midline" if abs(offset) < MIDLINE_SHARE else "image_left" if offset < 0 else "image_right"
    if plausible and side == "image_left":
        reasons.append(
            "Most of the heart lies on the image left: a mirrored film or dextrocardia (or a displaced heart), which "
            "pixels alone cannot tell apart; no statement about sides."
        )
    return plausible, tuple(reasons), side


@dataclass(frozen=True)
class _Shape:
    """Area, centre and extent of a mask, in pixels."""

    area: int
    x: float
    y: float
    start: int
    end: int
    top: int
    bottom: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "_Shape":
        rows, columns = mask.sum(1), mask.sum(0)
        y, x = np.flatnonzero(rows), np.flatnonzero(columns)
        area = int(rows.sum())
        return cls(
            area, float((columns * np.arange(mask.shape[1])).sum() / area),
            float((rows * np.arange(mask.shape[0])).sum() / area), int(x[0]), int(x[-1]), int(y[0]), int(y[-1]),
        )  # fmt: skip

    @property
    def fill(self) -> float:
        return self.area / ((self.end - self.start + 1) * (self.bottom - self.top + 1))
