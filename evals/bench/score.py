"""The score of one answer, 0 to 1, by the kind of its item. What was not answered scores 0."""

from collections.abc import Sequence

import numpy as np

from secondread.evals.bench.item import Item, Prediction, Scored
from secondread.evals.bench.parse import normal, number

HIT_IOU = 0.5
"""Overlap from which a box counts as found in accuracy figures; mean overlaps are reported beside it."""


def scored(item: Item, made: Prediction) -> Scored:
    """A prediction beside its truth."""
    return Scored(item=item, prediction=made, score=score(item, made) if made.answered else 0.0)


def score(item: Item, made: Prediction) -> float:
    """The score of an answered prediction."""
    if item.kind == "box":
        return float(overlap(item.boxes, made.boxes) >= HIT_IOU)
    if item.kind == "point":
        return float(bool(made.points))
    if item.kind == "labels":
        return float({normal(x) for x in made.labels} == {normal(x) for x in item.answer})
    said = made.answer or ""
    if item.kind == "choice":
        return float(said == item.answer[0])
    if item.kind in ("number", "count"):
        return float(relative_accuracy(number(said), number(item.answer[0])) == 1.0)
    if item.kind == "report":
        return token_f1(said, item.answer[0])
    return float(any(normal(said) == normal(right) for right in item.answer))


def relative_accuracy(said: float | None, truth: float | None) -> float:
    """max(0, 1 - |said - truth| / |truth|); for a truth of 0, 1 when it is hit and else 0 (Yang et al. 2024)."""
    if said is None or truth is None:
        return 0.0
    if truth == 0:
        return float(said == 0)
    return max(0.0, 1.0 - abs(said - truth) / abs(truth))


def token_f1(said: str, truth: str) -> float:
    """Harmonic mean of precision and recall over the words of two texts, as multisets."""
    from collections import Counter

    a, b = Counter(normal(said).split()), Counter(normal(truth).split())
    shared = sum((a & b).values())
    return 2.0 * shared / (sum(a.values()) + sum(b.values())) if shared else 0.0


def overlap(truth: Sequence[tuple[float, ...]], said: Sequence[tuple[float, ...]]) -> float:
    """Mean intersection over union of the true boxes, each matched to one said box at most (Hungarian matching)."""
    if not truth or not said:
        return 0.0
    from scipy.optimize import linear_sum_assignment

    found = np.array([[iou(t, s) for s in said] for t in truth])
    rows, columns = linear_sum_assignment(found, maximize=True)
    return float(found[rows, columns].sum()) / len(truth)


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes; corners in either order."""
    ax, bx = sorted((a[0], a[2])), sorted((b[0], b[2]))
    ay, by = sorted((a[1], a[3])), sorted((b[1], b[3]))
    inside = max(0.0, min(ax[1], bx[1]) - max(ax[0], bx[0])) * max(0.0, min(ay[1], by[1]) - max(ay[0], by[0]))
    union = (ax[1] - ax[0]) * (ay[1] - ay[0]) + (bx[1] - bx[0]) * (by[1] - by[0]) - inside
    return inside / union if union > 0 else 0.0
