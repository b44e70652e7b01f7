"""The twin check: confidence falls when the answer stays though the evidence differs, and only then."""

from collections.abc import Callable
from typing import Any

import pytest

from secondread.agent.agent import Agent
from secondread.agent.twin import LIMIT, LIMITED, check, differences, limit, limited
from secondread.schema.answer import Answer

QUESTION = "Is the heart enlarged?"


@pytest.fixture(scope="module")
def pair(agent: Agent, film: Callable[..., Any]) -> tuple[Answer, Answer]:
    """The same question about a wide and a slim heart."""
    wide, slim = (agent.ask(film(n, ctr).grey, QUESTION, view="PA", age=60) for n, ctr in ((3, 0.62), (4, 0.40)))
    assert wide.verdict == "yes" and slim.verdict == "no"
    return wide, slim


def test_an_answer_that_moves_with_the_evidence_keeps_its_confidence(pair: tuple[Answer, Answer]) -> None:
    wide, slim = pair
    found = check(wide, slim)
    assert found.moved == "moved" and found.confidence == wide.confidence
    assert any(d.startswith("cardiothoracic_ratio") for d in found.differs)
    assert limited(wide, slim) == wide


def test_an_answer_that_stays_is_limited_and_says_so(pair: tuple[Answer, Answer]) -> None:
    """The same verdict on the evidence of the slim heart, as from an answerer that ignores the image."""
    wide, slim = pair
    stuck = slim.model_copy(update={"verdict": "yes", "confidence": 0.99})
    made = limited(wide, stuck)
    assert wide.confidence is not None and wide.confidence > LIMIT
    assert made.confidence == pytest.approx(LIMIT) == pytest.approx(0.75)
    assert made.confidence_method.endswith(LIMITED) and "stays the same" in made.warnings[-1]


def test_the_same_evidence_tests_nothing(pair: tuple[Answer, Answer]) -> None:
    wide, slim = pair
    assert not differences(wide, wide)
    assert check(wide, wide).moved == "same evidence" and limited(wide, wide) == wide
    assert check(wide, wide, known=("labels differ",)).moved == "stuck"
    assert check(wide, slim.model_copy(update={"abstained": True})).moved == "no answer"


def test_a_limit_only_lowers() -> None:
    assert limit(None) == (None, False)
    assert limit(0.6) == (0.6, False)
    assert limit(0.99) == (pytest.approx(0.75), True)
