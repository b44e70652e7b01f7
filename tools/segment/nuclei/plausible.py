"""Do the nuclei look like those of a fluorescence or purple-stained micrograph?

The measures are taken from image and labels alone. The limits are the ranges over the 94 development images, each
labelled by the network that had not seen it, widened. They refuse what is absurd; the modality router comes first.
"""

import math

import numpy as np
from numpy.typing import NDArray

from secondread.tools.plausibility import Limit, outside
from secondread.tools.segment.nuclei.appearance import Appearance

LIMITS = (
    Limit("nuclear area / image area", 0.002, 0.85, (0.009, 0.680)),
    Limit("median nuclear diameter, px", 5.0, 100.0, (10.6, 53.6)),
    Limit("nuclei brighter than ground", 0.18, 1.0, (0.240, 0.743)),
    Limit("likeness to ellipses", 0.91, 1.1, (0.931, 0.994)),
    Limit("uncertainty", 0.0, 0.46, (0.120, 0.395)),
    Limit("colour of image", 0.0, 0.08, (0.0, 0.0)),
    Limit("green below red and blue in nuclei", 0.24, 1.0, (0.352, 0.533)),
)
"""The colour of the image is judged in fluorescence, where development images are grey; green in stained tissue."""


def measure(
    rgb: NDArray[np.float32], shown: NDArray[np.float32], labels: NDArray[np.int32], uncertainty: float
) -> dict[str, float]:
    """The properties named in `LIMITS`.

    Args:
        rgb: The image, shape (rows, columns, 3), any range.
        shown: Its canonical appearance, nuclei bright.
        labels: int32 (rows, columns), at least one nucleus.
        uncertainty: Of the networks inside the nuclei.
    """
    inside = labels > 0
    areas = np.bincount(labels.ravel())[1:]
    grey = shown.mean(2)
    span = max(float(np.percentile(rgb, 99.8) - np.percentile(rgb, 0.5)), 1e-6)
    ground = ~inside
    colour = rgb[inside].mean(0) if inside.any() else rgb.mean((0, 1))
    chroma = float(np.mean(rgb.max(2) - rgb.min(2))) / span
    return {
        "nuclear area / image area": float(inside.mean()),
        "median nuclear diameter, px": float(np.median(np.sqrt(areas * 4 / math.pi))),
        "nuclei brighter than ground": float(grey[inside].mean() - grey[ground].mean()) if ground.any() else 0.0,
        "likeness to ellipses": float(np.median(ellipse_likeness(labels))),
        "uncertainty": uncertainty,
        "colour of image": chroma,
        "green below red and blue in nuclei": float((colour[0] + colour[2]) / 2 - colour[1]) / span,
    }


def ellipse_likeness(labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Area of each nucleus over the area of the ellipse of equal second moments: 1 for an ellipse, less for others.

    The ellipse of a covariance matrix C has the area 4 pi sqrt(det C); 1/12 px² per axis is the spread of one pixel.
    """
    rows, columns = np.nonzero(labels)
    number = labels[rows, columns]
    area = np.bincount(number).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        y, x = np.bincount(number, rows) / area, np.bincount(number, columns) / area
        yy = np.bincount(number, rows.astype(float) ** 2) / area - y**2 + 1 / 12
        xx = np.bincount(number, columns.astype(float) ** 2) / area - x**2 + 1 / 12
        xy = np.bincount(number, rows.astype(float) * columns) / area - x * y
        likeness: NDArray[np.float64] = area / (4 * math.pi * np.sqrt(np.maximum(xx * yy - xy**2, 1e-9)))
    return likeness[1:]


def judge(
    rgb: NDArray[np.float32],
    shown: NDArray[np.float32],
    labels: NDArray[np.int32],
    uncertainty: float,
    appearance: Appearance,
) -> tuple[bool, tuple[str, ...]]:
    """Whether to believe the labels, and why not, one sentence each."""
    if not labels.any():
        return False, ("No nucleus was found.",)
    found = measure(rgb, shown, labels, uncertainty)
    other = "green below red and blue in nuclei" if appearance == "fluorescence" else "colour of image"
    reasons = tuple(outside(found, (limit for limit in LIMITS if limit.name != other)))
    return not reasons, reasons
