"""Whether a count, the points and the boxes behind it tell the same story."""

from collections.abc import Sequence

import numpy as np

TWICE = 0.7
"""Two boxes that share more than this of their union are one object found twice."""
SLACK = 0.10
"""Share of the count by which the sum of the objects' probabilities may differ from it, one object at least."""

Box4 = tuple[float, float, float, float]


def agreement(
    count: int,
    points: Sequence[tuple[float, float]],
    boxes: Sequence[Box4],
    probabilities: Sequence[float] | None = None,
) -> tuple[bool, str]:
    """Check a count against what it was made of.

    Args:
        count: Objects counted.
        points: Their centres x, y.
        boxes: Their boxes x0, y0, x1, y1, in the same order.
        probabilities: Of every candidate, doubtful ones too; their sum is the count to expect.

    Returns:
        Whether all agree, and what does not in plain words.
    """
    faults = []
    if not count == len(points) == len(boxes):
        faults.append(f"{count} counted, {len(points)} points, {len(boxes)} boxes")
    stray = sum(not (x0 <= x <= x1 and y0 <= y <= y1) for (x, y), (x0, y0, x1, y1) in zip(points, boxes, strict=False))
    if stray:
        faults.append(f"{stray} point(s) lie outside their box")
    twice = _pairs_over(boxes)
    if twice:
        faults.append(f"{twice} pair(s) of boxes cover the same object")
    if probabilities is not None:
        expected = float(sum(probabilities))
        if abs(expected - count) > max(1.0, SLACK * count):
            faults.append(f"the probabilities of all candidates add up to {expected:.1f}")
    return not faults, "; ".join(faults)


def _pairs_over(boxes: Sequence[Box4]) -> int:
    """Pairs of boxes that share more than `TWICE` of their union."""
    if len(boxes) < 2:
        return 0
    b = np.asarray(boxes, np.float64)
    area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    found = 0
    for i in range(len(b) - 1):
        wide = np.minimum(b[i, 2], b[i + 1 :, 2]) - np.maximum(b[i, 0], b[i + 1 :, 0])
        high = np.minimum(b[i, 3], b[i + 1 :, 3]) - np.maximum(b[i, 1], b[i + 1 :, 1])
        shared = np.clip(wide, 0, None) * np.clip(high, 0, None)
        found += int((shared > TWICE * (area[i] + area[i + 1 :] - shared)).sum())
    return found
