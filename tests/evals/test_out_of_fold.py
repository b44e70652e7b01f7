"""Bootstrap over groups, conformal quantiles and their coverage, on numbers worked out by hand."""

import numpy as np
import pytest

from secondread.evals.out_of_fold import bootstrap_groups, conformal_quantile, coverage


def test_the_estimate_is_that_of_all_rows_and_groups_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    groups = [str(i // 10) for i in range(200)]
    values = np.repeat(rng.normal(0, 1, 20), 10) + rng.normal(0, 0.01, 200)
    by_row = bootstrap_groups(values, [str(i) for i in range(200)])
    by_group = bootstrap_groups(values, groups)
    assert by_row[0] == by_group[0] == pytest.approx(values.mean())
    assert (by_group[2] - by_group[1]) > 2 * (by_row[2] - by_row[1])


def test_one_group_has_no_interval_of_its_own() -> None:
    assert bootstrap_groups(np.array([1.0, 3.0]), ["a", "a"]) == (2.0, 2.0, 2.0)
    assert all(np.isnan(v) for v in bootstrap_groups(np.zeros(0), []))


def test_conformal_quantile_of_known_scores() -> None:
    scores = np.arange(1.0, 20.0)
    assert conformal_quantile(scores, 0.9) == 18.0
    assert conformal_quantile(scores[:8], 0.9) == float("inf")


def test_coverage_of_exchangeable_scores_is_near_the_level() -> None:
    rng = np.random.default_rng(1)
    scores = rng.exponential(1, 1000)
    share, low, high = coverage(scores, list(rng.integers(0, 5, 1000)), 0.9)
    assert low < share < high and share == pytest.approx(0.9, abs=0.03)


def test_each_kind_has_its_own_quantile() -> None:
    scores = np.array([1.0, 100.0] * 100) + np.arange(200) / 1000
    kinds = ["small", "large"] * 100
    folds = [(i // 2) % 5 for i in range(200)]
    assert coverage(scores, folds, 0.9, kinds)[0] == pytest.approx(0.9, abs=0.06)
