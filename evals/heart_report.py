"""The printed table of the heart-size evaluation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from secondread.evals.metrics import (
    bootstrap,
    brier,
    brier_of_base_rate,
    calibration_slope,
    clopper_pearson,
    ece,
    ece_when_perfect,
)

if TYPE_CHECKING:
    from secondread.evals.heart_size import FilmResult

THRESHOLD = 0.5
STRUCTURES = ("right_lung", "left_lung", "heart")


def report(rows: "Sequence[FilmResult]", probabilities: Sequence[float], title: str) -> dict[str, object]:
    """Print every figure with n and its 95 % interval, and return them.

    Args:
        rows: Film results, answers included.
        probabilities: P(ratio > 0.50) of the measured rows, in order.
        title: Of the table.
    """
    print(f"\n{title}: n = {len(rows)} films")
    figures: dict[str, object] = {"n": len(rows)}
    outlined = [r for r in rows if r.dice]
    figures["refused_at_intake"] = len(rows) - len(outlined)
    print(f"  {'refused at intake, so not outlined':<52} {len(rows) - len(outlined)}")
    for name in STRUCTURES:
        values = np.array([r.dice[name] for r in outlined])
        label = f"Dice {name.replace('_', ' ')} (n = {len(outlined)})"
        figures[f"dice_{name}"] = _line(label, bootstrap(values), 4)
    measured = [r for r in rows if r.value is not None]
    error = np.array([abs((r.value or 0.0) - r.truth) for r in measured])
    figures["measured"] = len(measured)
    figures["ctr_mean_absolute_error"] = _line(f"CTR mean absolute error (n = {len(measured)})", bootstrap(error), 4)
    covered = [r.low <= r.truth <= r.high for r in measured if r.low is not None and r.high is not None]
    if covered:
        share = (float(np.mean(covered)), *clopper_pearson(sum(covered), len(covered)))
        figures["interval_coverage"] = _line(f"coverage of the 90 % interval (n = {len(covered)})", share, 3)
    _calibration(np.array(probabilities), np.array([r.truth > THRESHOLD for r in measured]), figures)
    for view in rows[0].answers:
        figures[f"answered_{view}"] = _answered(rows, view)
    return figures


def _line(name: str, value: tuple[float, float, float], digits: int) -> list[float]:
    print(f"  {name:<52} {value[0]:.{digits}f}  [{value[1]:.{digits}f}, {value[2]:.{digits}f}]")
    return [round(v, 5) for v in value]


def _calibration(p: np.ndarray, y: np.ndarray, figures: dict[str, object]) -> None:
    pairs = np.stack([p, y.astype(float)], axis=1)
    figures["prevalence"] = round(float(y.mean()), 4)
    print(f"  {'share above 0.50':<52} {y.mean():.3f}")
    figures["brier"] = _line("Brier of P(ratio > 0.50)", bootstrap(pairs, lambda d: brier(d[:, 0], d[:, 1] > 0.5)), 4)
    figures["brier_base_rate"] = round(brier_of_base_rate(y), 5)
    print(f"  {'Brier of the base rate':<52} {brier_of_base_rate(y):.4f}")
    slope = bootstrap(pairs, lambda d: calibration_slope(d[:, 0], d[:, 1] > 0.5)[0], draws=500)
    figures["calibration_slope"] = _line("calibration slope", slope, 2)
    low, high = ece_when_perfect(p)
    figures["ece"] = [round(ece(p, y), 5), round(low, 5), round(high, 5)]
    print(f"  {'ECE (range of a perfectly calibrated model)':<52} {ece(p, y):.4f}  [{low:.4f}, {high:.4f}]")


def _answered(rows: "Sequence[FilmResult]", view: str) -> dict[str, object]:
    answered = [r for r in rows if r.answers[view].verdict in ("yes", "no")]
    right = sum((r.answers[view].verdict == "yes") == (r.truth > THRESHOLD) for r in answered)
    share = (len(answered) / len(rows), *clopper_pearson(len(answered), len(rows)))
    ok = (right / max(len(answered), 1), *clopper_pearson(right, len(answered)))
    said = f"view {view}" if view == "unstated" else f"view stated {view}"
    return {
        "answered": _line(f"answered share, {said} ({len(answered)}/{len(rows)})", share, 3),
        "accuracy": _line(f"accuracy of answered, {said} ({right}/{len(answered)})", ok, 3),
    }
