"""The belief engine against synthetic tools of known sensitivity, specificity and correlation."""

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread.agent.beliefs import Term, combine, likelihood_ratio, logit, sigmoid


def term(group: str, log_ratio: float) -> Term:
    return Term(group=group, log_ratio=log_ratio, evidence=("E1",), source=group)


def ratio(positive: bool, sensitivity: float, specificity: float) -> float:
    return math.log(sensitivity / (1 - specificity)) if positive else math.log((1 - sensitivity) / specificity)


def test_one_tool_gives_bayes_rule() -> None:
    found = combine([term("a", ratio(True, 0.9, 0.8))], prior=0.2)
    assert found.probability == pytest.approx(0.9 * 0.2 / (0.9 * 0.2 + 0.2 * 0.8))


def test_two_independent_tools_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    n, prior = 60_000, 0.3
    truth = rng.random(n) < prior
    a = np.where(truth, rng.random(n) < 0.85, rng.random(n) < 0.1)
    b = np.where(truth, rng.random(n) < 0.7, rng.random(n) < 0.25)
    for seen in ((True, True), (True, False), (False, True), (False, False)):
        rows = (a == seen[0]) & (b == seen[1])
        said = combine([term("a", ratio(seen[0], 0.85, 0.9)), term("b", ratio(seen[1], 0.7, 0.75))], prior=prior)
        assert said.probability == pytest.approx(truth[rows].mean(), abs=0.02)


def test_copies_of_one_backbone_count_once_and_stay_calibrated() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(40_000) < 0.5
    a = np.where(truth, rng.random(truth.size) < 0.8, rng.random(truth.size) < 0.2)
    one = term("net", ratio(True, 0.8, 0.8))
    copies = combine([one, one, one])
    assert copies.probability == pytest.approx(truth[a].mean(), abs=0.02)
    summed = combine([one.model_copy(update={"group": g}) for g in "xyz"])
    assert summed.probability > copies.probability + 0.1


def test_the_strongest_of_a_group_counts() -> None:
    found = combine([term("net", 0.4), term("net", -1.2)])
    assert found.log_odds == pytest.approx(-1.2)


def test_contradiction_is_kept_visible() -> None:
    assert combine([term("a", 1.5), term("b", -1.5)]).contradiction
    assert not combine([term("a", 1.5), term("b", 0.5)]).contradiction
    assert combine([term("net", 2.0), term("net", -1.5)]).contradiction  # also of a term that does not count


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 1.0])
def test_correlated_tools_of_one_group_never_overstate(correlation: float) -> None:
    """Two readings of known sensitivity and specificity whose errors share a Gaussian copula.

    Where both agree, the shared-source rule states at most what is found; adding both up overstates as soon as their
    errors go together, and is right only when they do not.
    """
    rng = np.random.default_rng(int(10 * correlation))
    n, sensitivity, specificity = 120_000, 0.8, 0.75
    truth = rng.random(n) < 0.4
    shared, own = rng.standard_normal(n), rng.standard_normal((2, n))
    latent = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
    normal = NormalDist()
    cut = np.where(truth, normal.inv_cdf(1 - sensitivity), normal.inv_cdf(specificity))
    seen = latent > cut
    for positive in (True, False):
        rows = (seen[0] == positive) & (seen[1] == positive)
        found = truth[rows].mean() if positive else 1 - truth[rows].mean()
        both = [ratio(positive, sensitivity, specificity)] * 2
        one = combine([term("net", r) for r in both], prior=0.4).probability
        added = combine([term(g, r) for g, r in zip("ab", both, strict=True)], prior=0.4).probability
        grouped, summed = (p if positive else 1 - p for p in (one, added))
        assert grouped <= found + 0.01
        if correlation == 0.0:
            assert summed == pytest.approx(found, abs=0.01)
        else:
            assert summed > found + (0.03 if correlation == 0.5 else 0.06)


def test_many_tools_of_few_groups_stay_calibrated() -> None:
    """Six tools in three backbones, perfectly correlated within each: stated probabilities against found shares."""
    rng = np.random.default_rng(7)
    n = 40_000
    truth = rng.random(n) < 0.3
    said = {g: np.where(truth, rng.random(n) < 0.75, rng.random(n) < 0.2) for g in "abc"}
    stated = {}
    for pattern in itertools.product((True, False), repeat=3):
        terms = [term(g, ratio(p, 0.75, 0.8)) for g, p in zip("abc", pattern, strict=True) for _ in range(2)]
        stated[pattern] = combine(terms, prior=0.3).probability
    for pattern, p in stated.items():
        rows = np.all([said[g] == v for g, v in zip("abc", pattern, strict=True)], axis=0)
        assert p == pytest.approx(truth[rows].mean(), abs=0.03)


@given(st.floats(-30, 30), st.floats(0.1, 5))
def test_quality_caps_the_log_odds(log_ratio: float, cap: float) -> None:
    found = combine([term("a", log_ratio)], cap=cap)
    assert abs(found.log_odds) <= cap + 1e-12
    assert found.capped == (abs(log_ratio) > cap)


def test_a_calibrated_score_loses_the_prevalence_of_its_fit() -> None:
    found = combine([term("a", likelihood_ratio(0.7, 0.7))], prior=0.1)
    assert found.probability == pytest.approx(0.1)


@given(st.floats(0.001, 0.999))
def test_logit_and_sigmoid_are_inverse(p: float) -> None:
    assert sigmoid(logit(p)) == pytest.approx(p)
