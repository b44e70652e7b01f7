"""Maps of the detector to boxes: peaks of the heat maps, the sides read at each peak, overlaps dropped."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.tools.detect.cells.layout import KINDS, SIDES, STEM

FLOOR = 0.10
"""Peaks below this heat are not looked at; calibrated probabilities are near 0 there."""

SAME = 0.5
"""Two boxes of one kind that overlap by more than this IoU are one cell."""

SAME_ACROSS = 0.6
"""Two boxes of different kinds that overlap by more are one cell, of the kind with the higher score; a red cell never
takes the place of another kind, since red cells are not counted."""


@dataclass(frozen=True)
class Detection:
    """One box.

    Attributes:
        kind: One of `KINDS`.
        score: Height of its peak, a sigmoid, not a probability.
        box: Left, top, right, bottom in pixels of the original image, corner coordinates (0 is the outer edge of the
            first pixel).
    """

    kind: str
    score: float
    box: tuple[float, float, float, float]


def read_boxes(output: NDArray[np.float32], scale: float, rows: int, columns: int) -> list[Detection]:
    """Boxes of one image.

    Args:
        output: Logits and log distances of the network, shape (7, h, w).
        scale: Pixels of the network's input per pixel of the original.
        rows: Of the original.
        columns: Of the original.

    Returns:
        By falling score; clipped to the image.
    """
    from scipy import ndimage

    found: list[Detection] = []
    distance = np.exp(np.clip(output[SIDES], -4, 5))
    for number, kind in enumerate(KINDS):
        heat = 1 / (1 + np.exp(-output[number]))
        peaks = (heat == ndimage.maximum_filter(heat, 3)) & (heat >= FLOOR)
        one: list[Detection] = []
        for y, x in zip(*np.nonzero(peaks), strict=True):
            left, top, right, bottom = distance[:, y, x]
            sides = np.array([x + 0.5 - left, y + 0.5 - top, x + 0.5 + right, y + 0.5 + bottom]) * STEM / scale
            box = np.clip(sides, 0, [columns, rows, columns, rows])
            if box[2] - box[0] >= 1 and box[3] - box[1] >= 1:
                one.append(
                    Detection(kind, float(heat[y, x]), (float(box[0]), float(box[1]), float(box[2]), float(box[3])))
                )
        found += _drop_overlaps(one, SAME)
    cells = _drop_overlaps([d for d in found if d.kind != "red_cell"], SAME_ACROSS)
    red = [
        d
        for d in found
        if d.kind == "red_cell" and not any(c.score >= d.score and overlap(c.box, d.box) > SAME_ACROSS for c in cells)
    ]
    return sorted(cells + red, key=lambda d: -d.score)


def _drop_overlaps(found: list[Detection], limit: float) -> list[Detection]:
    kept: list[Detection] = []
    for candidate in sorted(found, key=lambda d: -d.score):
        if all(overlap(candidate.box, k.box) <= limit for k in kept):
            kept.append(candidate)
    return kept


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
