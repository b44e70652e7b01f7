"""Does the image look like a stained blood smear under high magnification?

Taken from colour, brightness and the boxes alone. The limits are the ranges over the 288 development fields, each read
by the network that had not seen it, widened. They refuse what is absurd; the modality router comes first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.tools.detect.cells.boxes import Detection
from secondread.tools.plausibility import Limit, outside

LIMITS = (
    Limit("median brightness", 0.40, 0.95, (0.522, 0.846)),
    Limit("colour", 0.06, 0.35, (0.113, 0.258)),
    Limit("red cells found", 5, 60, (9, 28)),
    Limit("width of red cells / long side", 0.10, 0.27, (0.145, 0.182)),
    Limit("share of the field under boxes", 0.25, 0.97, (0.424, 0.841)),
    Limit("sharpest red cell", 0.40, 1.0, (0.494, 0.831)),
)


def measure(shown: NDArray[np.float32], found: Sequence[Detection], rows: int, columns: int) -> dict[str, float]:
    """The properties named in `LIMITS`.

    Args:
        shown: The field as the network sees it, shape (h, w, 3), 0..1.
        found: Its boxes.
        rows: Of the original image.
        columns: Of the original image.
    """
    red = [d for d in found if d.kind == "red_cell"]
    sure = [d for d in found if d.score >= 0.3]
    cover = np.zeros(shown.shape[:2], bool)
    scale = shown.shape[1] / columns
    for d in sure:
        left, top, right, bottom = (v * scale for v in d.box)
        cover[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
    widths = [max(d.box[2] - d.box[0], d.box[3] - d.box[1]) / max(rows, columns) for d in red]
    return {
        "median brightness": float(np.median(shown.mean(2))),
        "colour": float(np.mean(shown.max(2) - shown.min(2))),
        "red cells found": float(sum(d.score >= 0.3 for d in red)),
        "width of red cells / long side": float(np.median(widths)) if widths else 0.0,
        "share of the field under boxes": float(cover.mean()),
        "sharpest red cell": max((d.score for d in red), default=0.0),
    }


def judge(
    shown: NDArray[np.float32], found: Sequence[Detection], rows: int, columns: int
) -> tuple[bool, tuple[str, ...]]:
    """Whether to believe the boxes, and why not, one sentence each."""
    values = measure(shown, found, rows, columns)
    reasons = tuple(outside(values, LIMITS))
    return not reasons, reasons
