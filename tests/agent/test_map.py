"""`Agent.map`: many studies, several at a time, images let go of, faults kept to their question."""

import asyncio
import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.agent.mapping import Asked, Outcome, Reading, Subject
from secondread.schema.errors import InputError, ToolTimeout, UsageError

MEAN = "What is the mean grey value of the image?"
BLURRED = "Is the image blurred?"


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    settings = Settings(trace_dir=None, cache_dir=None)
    with Agent(settings=settings, tools=["film_quality", "intensity_statistics"]) as made:
        yield made


def film(level: float, size: int = 96) -> Any:
    noise = np.random.default_rng(round(level * 1000)).normal(0, 0.02, (size, size))
    return np.clip(level + noise, 0, 1).astype(np.float32)


def take(agent: Agent, studies: Any, questions: Any, **options: Any) -> list[Reading]:
    async def all_of_them() -> list[Reading]:
        return [reading async for reading in agent.map(studies, questions, **options)]

    return asyncio.run(all_of_them())


def test_readings_come_in_the_order_given_and_hold_what_ask_gives(agent: Agent) -> None:
    films = [film(0.2 + 0.1 * k) for k in range(6)]
    found = take(agent, films, [MEAN, BLURRED])
    assert [r.index for r in found] == list(range(6))
    for reading, one in zip(found, films, strict=True):
        alone = agent.ask(one, MEAN)
        assert reading.answers[MEAN].value == alone.value
        assert reading.answers[MEAN].text == alone.text
        assert list(reading.outcomes) == [MEAN, BLURRED]
        agent.runtime.store.forget(alone.evidence[0].image or "")


def test_as_completed_gives_a_quick_study_before_a_slow_one(agent: Agent) -> None:
    def slow() -> Any:
        time.sleep(0.6)
        return film(0.3)

    found = take(agent, [Subject(slow, name="slow"), Subject(film(0.4), name="quick")], [MEAN], ordered=False)
    assert [r.subject.name for r in found] == ["quick", "slow"]
    found = take(agent, [Subject(slow, name="slow"), Subject(film(0.4), name="quick")], [MEAN])
    assert [r.subject.name for r in found] == ["slow", "quick"]


def test_no_more_than_in_flight_studies_are_open_and_the_store_is_empty_at_the_end(agent: Agent) -> None:
    opened: list[int] = []
    taken: list[int] = []
    most = 0

    def studies() -> Iterator[Subject]:
        for k in range(20):
            yield Subject(lambda k=k: (opened.append(k), film(0.2 + 0.03 * k))[1])

    async def run() -> None:
        nonlocal most
        async for reading in agent.map(studies(), [MEAN], in_flight=3):
            taken.append(reading.index)
            most = max(most, len(opened) - len(taken))

    asyncio.run(run())
    gc.collect()
    assert taken == list(range(20))
    assert most <= 3
    assert repr(agent.runtime.store) == "ImageStore(0 images, 0 bytes)"


def test_two_studies_with_one_image_do_not_take_it_from_each_other(agent: Agent) -> None:
    found = take(agent, [film(0.5)] * 12, [MEAN, BLURRED], in_flight=4, ordered=False)
    assert len(found) == 12
    assert not [o.error for r in found for o in r.outcomes.values() if o.error]
    assert repr(agent.runtime.store) == "ImageStore(0 images, 0 bytes)"


def test_an_error_stays_with_its_study(agent: Agent, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nno")

    def defect() -> Any:
        raise ZeroDivisionError("a defect")

    found = take(agent, [film(0.3), broken, Subject(defect), film(0.4)], [MEAN], retries=0)
    outcomes = [r.outcomes[MEAN] for r in found]
    assert [o.answer is not None for o in outcomes] == [True, False, False, True]
    assert isinstance(outcomes[1].error, InputError)
    assert isinstance(outcomes[2].error, ZeroDivisionError)


def test_what_may_pass_is_tried_again_and_bad_input_is_not(agent: Agent, tmp_path: Path) -> None:
    tries: list[int] = []

    def flaky() -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionResetError
        return film(0.3)

    found = take(agent, [Subject(flaky), tmp_path / "missing.png"], [MEAN], retries=2)
    assert found[0].outcomes[MEAN].answer is not None
    assert found[0].outcomes[MEAN].tries == 2
    assert found[1].outcomes[MEAN].tries == 1


def test_a_question_past_its_time_is_an_outcome_and_the_others_go_on(agent: Agent) -> None:
    def hangs() -> Any:
        time.sleep(1.5)
        return film(0.3)

    found = take(agent, [Subject(hangs), film(0.4)], [MEAN], timeout=0.5, retries=0)
    assert isinstance(found[0].outcomes[MEAN].error, ToolTimeout)
    assert found[1].outcomes[MEAN].answer is not None


def test_follow_ups_depend_on_what_was_answered(agent: Agent) -> None:
    def questions(reading: Reading) -> Asked | Outcome | None:
        if not reading.outcomes:
            return Asked(MEAN, id="mean")
        if len(reading.outcomes) == 1:
            value = reading.answers["mean"].value
            asked = Asked(BLURRED, id="blur")
            return asked if value is not None and value.value > 0.5 else Outcome(asked, skipped="dark")
        return None

    dark, bright = take(agent, [film(0.2), film(0.8)], questions)
    assert dark.outcomes["blur"].skipped == "dark"
    assert bright.outcomes["blur"].answer is not None


def test_a_question_that_does_not_fit_the_image_is_skipped(agent: Agent) -> None:
    asked = Asked(MEAN, fits=lambda info: f"view is {info.view}" if info.view != "PA" else None)
    found = take(agent, [Subject(film(0.3), view="PA"), film(0.4)], [asked])
    assert found[0].outcomes[MEAN].answer is not None
    assert found[1].outcomes[MEAN].skipped == "view is UNKNOWN"


def test_finish_sees_the_pictures_before_the_images_go(agent: Agent) -> None:
    def sizes(reading: Reading) -> Any:
        evidence = next(iter(reading.answers.values())).evidence
        return [agent.runtime.store.pixels(e.image).shape for e in evidence if e.image is not None]

    found = take(agent, [film(0.3, 64), film(0.3, 80)], [MEAN], finish=sizes)
    assert [r.finished[0] for r in found] == [(64, 64), (80, 80)]
    assert found[0].answers[MEAN].evidence[0].image not in agent.runtime.store


def test_leaving_early_cancels_what_is_under_way(agent: Agent) -> None:
    opened: list[int] = []

    async def first() -> int:
        readings = agent.map((Subject(lambda k=k: (opened.append(k), film(0.5))[1]) for k in range(100)), [MEAN])
        async for reading in readings:
            await readings.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
            return reading.index
        return -1

    assert asyncio.run(first()) == 0
    assert len(opened) <= 8


def test_an_asynchronous_source_and_bad_arguments(agent: Agent) -> None:
    async def studies() -> Any:
        for k in range(3):
            await asyncio.sleep(0)
            yield film(0.2 + 0.1 * k)

    assert len(take(agent, studies(), [MEAN])) == 3
    for bad in ({"questions": []}, {"questions": [MEAN], "in_flight": 0}):
        with pytest.raises(UsageError):
            take(agent, [film(0.3)], bad.pop("questions"), **bad)
    with pytest.raises(UsageError):
        take(agent, "one.png", [MEAN])
    with pytest.raises(UsageError, match="share the id"):
        take(agent, [film(0.3)], [Asked(MEAN, id="a"), Asked(BLURRED, id="a")])
