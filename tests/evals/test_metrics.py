"""Figures against hand values and simulations of known truth."""

import numpy as np
import pytest

from secondread.evals.metrics import (
    brier,
    brier_of_base_rate,
    calibration_slope,
    clopper_pearson,
    dice,
    ece,
    ece_when_perfect,
    mask_ctr,
    upper_bound,
)


def test_hand_values() -> None:
    p, y = np.array([0.9, 0.2, 0.6]), np.array([True, False, False])
    assert brier(p, y) == pytest.approx((0.01 + 0.04 + 0.36) / 3)
    assert brier_of_base_rate(np.array([True, False, False])) == pytest.approx(2 / 9)
    assert upper_bound(0, 59) == pytest.approx(0.05, abs=0.001)
    low, high = clopper_pearson(0, 10)
    assert low == 0.0
    assert high == pytest.approx(0.308, abs=0.001)


def test_slope_of_calibrated_and_of_too_sure_probabilities() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.02, 0.98, 20_000)
    y = rng.random(p.size) < p
    assert calibration_slope(p, y)[0] == pytest.approx(1.0, abs=0.05)
    odds = np.log(p / (1 - p))
    sure = 1 / (1 + np.exp(-2 * odds))
    assert calibration_slope(sure, y)[0] == pytest.approx(0.5, abs=0.05)


def test_perfect_probabilities_fall_into_the_perfect_range() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(0, 1, 180)
    y = rng.random(p.size) < p
    low, high = ece_when_perfect(p)
    assert low - 0.01 <= ece(p, y) <= high + 0.01
    assert ece(np.clip(1 - p, 0, 1), y) > high


def test_masks() -> None:
    right, left, heart = (np.zeros((10, 40), bool) for _ in range(3))
    right[2:8, 2:12] = True
    left[2:8, 28:38] = True
    heart[5:8, 14:26] = True
    assert mask_ctr(right, left, heart) == pytest.approx(12 / 36)
    assert dice(right, right) == 1.0
    assert dice(right, left) == 0.0


def test_slope_of_rows_that_are_far_too_sure_is_found() -> None:
    """Most probabilities sit at the ends, where a full Newton step overshoots."""
    rng = np.random.default_rng(0)
    z = rng.normal(0.5, 1.5, 3000)
    truth = rng.random(3000) < 1 / (1 + np.exp(-z))
    for factor in (2.5, 5.0):
        slope, _ = calibration_slope(1 / (1 + np.exp(-factor * z)), truth)
        assert slope == pytest.approx(1 / factor, rel=0.15)
