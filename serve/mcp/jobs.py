"""Questions that are started, looked after and cancelled by id, for clients that cannot wait for one long call."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from mcp.server.mcpserver.exceptions import ToolError

from secondread.schema.answer import Answer
from secondread.schema.errors import InputError, UsageError
from secondread.schema.record import Record

KEPT_JOBS = 128
"""Finished jobs of all clients whose outcome can be asked for."""
KEPT_STEPS = 200
"""Steps of one job that are kept, the latest."""
MAX_WAIT = 25.0
"""Seconds that one poll may wait."""


class JobStands(Record):
    """How a started question stands."""

    job: str
    """Id for ask_poll and ask_cancel."""
    state: Literal["working", "done", "failed", "cancelled"]
    seconds: float
    """Since it was started; until it ended, once it has."""
    steps: tuple[str, ...] = ()
    """What happened since the step that `since` named."""
    step: int = 0
    """Number of steps so far; give it as `since` to the next poll."""
    error: str | None = None
    """When the state is `failed`."""


class JobState(JobStands):
    """How a started question stands, with its answer."""

    answer: Answer | None = None
    """When the state is `done`."""


@dataclass
class _Job:
    client: str
    started: float
    task: "asyncio.Task[Answer]"
    steps: list[str] = field(default_factory=list)
    count: int = 0
    ended: float | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def step(self, line: str) -> None:
        self.steps = [*self.steps, line][-KEPT_STEPS:]
        self.count += 1
        self._move()

    def end(self, task: "asyncio.Task[Answer]") -> None:
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it once more
        self.ended = time.monotonic()
        self._move()

    def _move(self) -> None:
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()


class Jobs:
    """Started questions of all clients. Used on one event loop.

    Args:
        per_client: Jobs that one client may have at work.
    """

    def __init__(self, per_client: int) -> None:
        self._per_client = per_client
        self._jobs: OrderedDict[str, _Job] = OrderedDict()

    def start(self, client: str, work: Callable[[Callable[[str], None]], Awaitable[Answer]]) -> JobState:
        """Begin to work.

        Args:
            client: Whose job it is.
            work: Is given where to tell its steps.

        Raises:
            UsageError: This client has too many jobs at work.
        """
        if len(self.working(client)) >= self._per_client:
            raise UsageError(
                f"{self._per_client} questions of this client are at work.", hint="Wait for one, or cancel it."
            )
        name = f"job-{secrets.token_hex(8)}"
        holder: list[_Job] = []

        async def worked() -> Answer:
            return await work(lambda line: holder[0].step(line))

        job = _Job(client, time.monotonic(), asyncio.create_task(worked()))
        holder.append(job)
        job.task.add_done_callback(job.end)
        self._jobs[name] = job
        done = [n for n, one in self._jobs.items() if one.task.done()]
        for old in done[: max(0, len(done) - KEPT_JOBS)]:
            del self._jobs[old]
        return self._state(name, job, 0)

    def working(self, client: str | None = None) -> list[str]:
        """Jobs at work, of one client or of all."""
        return [n for n, one in self._jobs.items() if not one.task.done() and client in (None, one.client)]

    async def poll(self, client: str, name: str, since: int, wait: float) -> JobState:
        """How a job stands, once it has moved past step `since`, or after `wait` seconds.

        Raises:
            InputError: This client has no such job.
        """
        job = self._job(client, name)
        deadline = time.monotonic() + min(wait, MAX_WAIT)
        while job.ended is None and job.count <= since and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(job.moved.wait(), left)
            except TimeoutError:
                break
        return self._state(name, job, since)

    async def cancel(self, client: str, name: str) -> JobState:
        """Stop a job; one that has ended stays as it is.

        Raises:
            InputError: This client has no such job.
        """
        job = self._job(client, name)
        job.task.cancel()
        await asyncio.wait([job.task], timeout=5)
        return self._state(name, job, job.count)

    async def drain(self, seconds: float) -> int:
        """Let jobs end, at most so long, then cancel them; how many were cancelled."""
        tasks = [one.task for one in self._jobs.values() if not one.task.done()]
        if not tasks:
            return 0
        _, pending = await asyncio.wait(tasks, timeout=seconds)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=5)
        return len(pending)

    def _job(self, client: str, name: str) -> _Job:
        job = self._jobs.get(name)
        if job is None or job.client != client:
            raise InputError("There is no such job.", hint="ask_start gives its id.")
        return job

    def _state(self, name: str, job: _Job, since: int) -> JobState:
        task = job.task
        new = job.count - max(0, since)
        told = {
            "job": name,
            "seconds": round((job.ended or time.monotonic()) - job.started, 3),
            "steps": tuple(job.steps[-new:]) if new > 0 else (),
            "step": job.count,
        }
        if not task.done():
            return JobState(state="working", **told)
        if task.cancelled():
            return JobState(state="cancelled", **told)
        error = task.exception()
        if error is None:
            return JobState(state="done", answer=task.result(), **told)
        if isinstance(error, ToolError):
            return JobState(state="failed", error=str(error), **told)
        return JobState(state="failed", error=f"internal: {type(error).__name__}", **told)
