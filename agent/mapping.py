"""`Agent.map`: the same questions about many studies, several at a time, in bounded memory."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secondread.agent.sources import Handed, Stated, hand_over
from secondread.schema.answer import Answer
from secondread.schema.errors import InputError, ToolError, ToolTimeout, UsageError
from secondread.schema.evidence import ToolFailure
from secondread.schema.image import ImageInfo

if TYPE_CHECKING:
    from secondread.agent.agent import Agent

IN_FLIGHT = 4
"""Studies at work at the same time: one per stage (open and decode, measure, network, write)."""
PASSING = frozenset({"tool_timeout", "tool_crashed", "out_of_memory"})
"""Codes of failures that another try may not meet."""
RETRY_SECONDS = 0.5
"""Wait before the first further try; doubled before each next one."""


@dataclass(frozen=True)
class Subject:
    """One study to ask about.

    `source` and `prior` are what `Agent.ask` takes, or a function without arguments that opens it when its turn comes.
    """

    source: Any
    prior: Any = None
    view: str | None = None
    age: float | None = None
    name: Any = None
    """Handed back with the result; `map` itself does not look at it."""


@dataclass(frozen=True)
class Asked:
    """One question to a study."""

    question: str
    id: str = ""
    """Unique among the questions to a study; empty: the question itself."""
    choices: Sequence[str] | None = None
    with_prior: bool = False
    """Hand over the prior too."""
    fits: Callable[[ImageInfo], str | None] = lambda info: None
    """Why the question is not meant for the image that it would be asked of, or None."""

    @property
    def key(self) -> str:
        """What its result is filed under."""
        return self.id or self.question


@dataclass(frozen=True)
class Outcome:
    """What came of one question: one of `answer`, `error` and `skipped` is set."""

    asked: Asked
    answer: Answer | None = None
    error: Exception | None = None
    skipped: str | None = None
    seconds: float = 0.0
    tries: int = 1


@dataclass
class Reading:
    """What came of one study."""

    index: int
    """Place of the study among those given, from 0."""
    subject: Subject
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By `Asked.key`, in the order asked."""
    finished: Any = None
    """What `finish` returned."""

    @property
    def answers(self) -> dict[str, Answer]:
        """The answers there are, by `Asked.key`."""
        return {key: one.answer for key, one in self.outcomes.items() if one.answer is not None}


Questions = Sequence["str | Asked"] | Callable[[Reading], "Asked | Outcome | None"]
"""Questions for every study; or a function that is given what is known of a study so far and returns its next question,
an outcome to file without asking, or None when there is nothing more to ask."""
Studies = Iterable[Any] | AsyncIterable[Any]


class Mapper:
    """Asks questions about single studies; images of a study leave the store when it is done.

    Args:
        agent: Answers.
        questions: What is asked.
        finish: Called in a worker thread when all questions are answered, while the images are still held.
        timeout: Seconds for one question; None: no limit but the agent's own.
        retries: Further tries of a question that failed for a reason that may pass.
        keep: Leave images in the store.
    """

    def __init__(
        self,
        agent: "Agent",
        questions: Questions,
        *,
        finish: Callable[[Reading], Any] | None = None,
        timeout: float | None = None,
        retries: int = 1,
        keep: bool = False,
    ) -> None:
        self._agent = agent
        self._questions = questions if callable(questions) else _one_after_another(questions)
        self._finish = finish
        self._timeout = timeout
        self._retries = max(0, retries)
        self._keep = keep

    async def read(self, index: int, subject: Any) -> Reading:
        """Everything about one study. What goes wrong with a question is its outcome; only `finish` may raise."""
        reading = Reading(index, subject if isinstance(subject, Subject) else Subject(subject))
        held = _Held(self._agent, reading.subject)
        try:
            while (asked := self._questions(reading)) is not None:
                outcome = asked if isinstance(asked, Outcome) else await self._outcome(held, asked)
                if outcome.asked.key in reading.outcomes:
                    raise UsageError(f"Two questions to a study share the id {outcome.asked.key!r}.")
                reading.outcomes[outcome.asked.key] = outcome
            if self._finish is not None:
                reading.finished = await asyncio.to_thread(self._finish, reading)
            return reading
        finally:
            if not self._keep:
                held.release()

    async def _outcome(self, held: "_Held", asked: Asked) -> Outcome:
        started = time.perf_counter()
        tries = 0
        while True:
            tries += 1
            found = await self._try(held, asked)
            if tries > self._retries or not _may_pass(found):
                break
            await asyncio.sleep(RETRY_SECONDS * 2 ** (tries - 1))
        return Outcome(asked, found.answer, found.error, found.skipped, time.perf_counter() - started, tries)

    async def _try(self, held: "_Held", asked: Asked) -> Outcome:
        try:
            return await asyncio.wait_for(self._asked(held, asked), self._timeout)
        except TimeoutError:
            return Outcome(asked, error=ToolTimeout(f"The question was not answered within {self._timeout:g} s."))
        except Exception as error:  # a defect met on one study must not cost the others their answers
            return Outcome(asked, error=error)

    async def _asked(self, held: "_Held", asked: Asked) -> Outcome:
        handed = await held.over(asked)
        reason = asked.fits(handed.infos[0]) if handed.infos else None
        if reason is not None:
            return Outcome(asked, skipped=reason)
        return Outcome(asked, await self._agent.aask(handed, asked.question, choices=asked.choices))


class _Held:
    """The images of one study, entered once for all questions that look at the same ones."""

    def __init__(self, agent: "Agent", subject: Subject) -> None:
        self._agent, self._subject = agent, subject
        self._opened: dict[str, Any] = {}
        self._handed: dict[tuple[bool, bool], Handed] = {}

    async def over(self, asked: Asked) -> Handed:
        """What a question is asked of."""
        films = self._agent.wants_film(asked.question, asked.choices)
        found = self._handed.get((films, asked.with_prior))
        if found is None:
            async with self._agent.leases.entering():
                found = await asyncio.to_thread(self._enter, films, asked.with_prior)
                self._agent.leases.take(found.infos)
            self._handed[films, asked.with_prior] = found
        return found

    def _enter(self, films: bool, with_prior: bool) -> Handed:
        store, subject = self._agent.runtime.store, self._subject
        prior = self._open("prior", subject.prior) if with_prior else None
        stated = Stated(view=subject.view, age=subject.age)
        return hand_over(store, self._open("source", subject.source), prior, stated, films=films)

    def _open(self, name: str, what: Any) -> Any:
        if name not in self._opened:
            self._opened[name] = what() if callable(what) else what
        return self._opened[name]

    def release(self) -> None:
        """Let go of the images."""
        for handed in self._handed.values():
            self._agent.leases.give_back(handed.infos)
        self._handed.clear()
        self._opened.clear()


def _one_after_another(questions: Sequence["str | Asked"]) -> Callable[[Reading], Asked | None]:
    asked = [Asked(one) if isinstance(one, str) else one for one in questions]
    if not asked:
        raise UsageError("No question was given.")
    return lambda reading: asked[len(reading.outcomes)] if len(reading.outcomes) < len(asked) else None


def _may_pass(found: Outcome) -> bool:
    """Whether another try may end otherwise: a timeout, a crash, lost memory, a dropped connection, a defect."""
    if found.error is not None:
        if isinstance(found.error, ToolError):
            return found.error.code in PASSING
        return not isinstance(found.error, InputError | UsageError) or getattr(found.error, "passing", False)
    failures = (e.result for e in found.answer.evidence) if found.answer is not None else ()
    abstained = found.answer is not None and found.answer.abstained
    return abstained and any(isinstance(f, ToolFailure) and f.code in PASSING for f in failures)


async def map_studies(
    mapper: Mapper, studies: Studies, *, ordered: bool = True, in_flight: int = IN_FLIGHT
) -> AsyncIterator[Reading]:
    """Readings of studies, at most `in_flight` of them at work or waiting to be taken.

    Args:
        mapper: Asks about one study.
        studies: Taken one by one as places get free; read in a worker thread unless asynchronous.
        ordered: In the order given; else as they get done.
        in_flight: How many.

    Raises:
        UsageError: `in_flight` is below 1.
    """
    if in_flight < 1:
        raise UsageError("At least one study has to be in flight.")
    source = _taken(studies)
    running: deque[asyncio.Task[Reading]] = deque()
    exhausted, index = False, 0
    try:
        while True:
            while not exhausted and len(running) < in_flight:
                try:
                    subject = await anext(source)
                except StopAsyncIteration:
                    exhausted = True
                    break
                running.append(asyncio.create_task(mapper.read(index, subject)))
                index += 1
            if not running:
                return
            if ordered:
                done = running[0]
            else:
                ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                done = next(task for task in running if task in ended)
            running.remove(done)
            yield await done
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _taken(studies: Studies) -> AsyncIterator[Any]:
    if isinstance(studies, AsyncIterable):
        async for study in studies:
            yield study
        return
    if isinstance(studies, str | bytes):
        raise UsageError("Give a list of studies; a single one goes to `ask`.")
    items: Iterator[Any] = iter(studies)
    ended = object()
    if isinstance(studies, Sequence):
        for study in items:
            yield study
        return
    while (study := await asyncio.to_thread(next, items, ended)) is not ended:
        yield study


__all__ = ["IN_FLIGHT", "Asked", "Mapper", "Outcome", "Questions", "Reading", "Studies", "Subject", "map_studies"]
