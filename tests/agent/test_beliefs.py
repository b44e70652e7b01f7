"""The belief engine against synthetic tools of known sensitivity, specificity and correlation."""

import math

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
