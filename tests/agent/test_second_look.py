"""Planted films on which a second look reverses what the first one said; without rethink the first verdict stands."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from secondread.agent.agent import Agent
from secondread.agent.replay import replay
from secondread.evals.phantom import Film
from secondread.evals.phantom_changes import add_border

Films = Callable[..., Film]
FRONTAL = "Is this a frontal chest film?"
HEART = "Is the heart enlarged?"


@pytest.fixture(scope="module")
def framed(film: Films) -> np.ndarray:
    """A film with an enlarged heart in a wide black frame, as a screenshot shows it."""
    return add_border(film(3, 0.62), 0.5, 0.0).grey


def test_the_second_look_reverses_the_first_verdict(
    agent: Agent, make_agent: Callable[..., Agent], framed: np.ndarray
) -> None:
    first = make_agent(rethink=False).ask(framed, FRONTAL, view="PA", age=60)
    assert first.verdict == "no"
    second = agent.ask(framed, FRONTAL, view="PA", age=60)
    assert second.verdict == "yes"
    assert {"plain_frame", "crop"} <= {e.tool for e in second.evidence}
    assert any("plain frame" in w for w in second.warnings)


def test_what_the_first_look_declined_is_answered(
    agent: Agent, make_agent: Callable[..., Agent], framed: np.ndarray
) -> None:
    assert make_agent(rethink=False).ask(framed, HEART, view="PA", age=60).abstained
    answer = agent.ask(framed, HEART, view="PA", age=60)
    assert answer.verdict == "yes"
    cited = {answer.evidence_by_id(e).image for c in answer.claims for e in c.evidence}
    assert cited.isdisjoint({answer.evidence[0].image})


def test_the_trace_says_why_and_replays(agent: Agent, framed: np.ndarray, traces: Path) -> None:
    answer = agent.ask(framed, HEART, view="PA", age=60)
    path = traces / f"{answer.trace}.jsonl"
    assert "of the image is a plain frame" in path.read_text()
    report = replay(path)
    assert report.same, report.differences


def test_a_frame_around_no_film_stays_refused(agent: Agent) -> None:
    noise = np.random.default_rng(0).random((300, 300)).astype(np.float32)
    assert agent.ask(np.pad(noise, 150), HEART, view="PA", age=60).abstained


def test_a_small_chest_is_measured_again_on_an_enlarged_crop(
    agent: Agent, make_agent: Callable[..., Agent], film: Films
) -> None:
    one = film(6, 0.58).grey
    wide = np.pad(one, ((0, 0), (int(0.4 * one.shape[1]),) * 2), constant_values=0.5)
    answer = agent.ask(wide, HEART, view="PA", age=60)
    plain = make_agent(rethink=False).ask(wide, HEART, view="PA", age=60)
    assert [e.tool for e in answer.evidence].count("cardiothoracic_ratio") > [e.tool for e in plain.evidence].count(
        "cardiothoracic_ratio"
    )
