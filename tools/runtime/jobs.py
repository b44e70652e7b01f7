"""What waits, what runs, and what came out of it."""

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Evidence
from secondread.tools.base import Tool


@dataclass(frozen=True)
class Outcome:
    """The end of one call: a checked result with its summary and JSON text, or the error in its place."""

    result: Any
    summary: str = ""
    text: str = ""
    """JSON of the result; empty for an error."""

    @property
    def error(self) -> SecondReadError | None:
        """The error, or None."""
        return self.result if isinstance(self.result, SecondReadError) else None


@dataclass(eq=False)
class Job:
    """One call that somebody waits for; equal calls made meanwhile wait for the same job.

    Attributes:
        key: Equal for calls that must give equal results.
        tool: Which tool.
        args: Fields of its Request without the prerequisites.
        needs: Prerequisite -> its evidence.
        limit: Seconds that it may run.
        asker: Who asks; batches form across askers.
        waiters: One future per call; each gets the `Outcome`, or is cancelled by its caller alone.
        ready_at: Monotonic time from which it need not wait for others to join its batch.
    """

    key: str
    tool: Tool
    args: Mapping[str, Any]
    needs: Mapping[str, Evidence]
    limit: float
    asker: Hashable
    waiters: list["Future[Outcome]"] = field(default_factory=list)
    ready_at: float = 0.0

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return any(not waiter.cancelled() for waiter in self.waiters)

    def finish(self, outcome: Outcome) -> None:
        """Hand the outcome to everybody who still waits."""
        for waiter in self.waiters:
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(outcome)


@dataclass(eq=False)
class Batch:
    """Jobs of one tool that run together.

    Attributes:
        tool: Which tool.
        jobs: In the order of their requests.
        lane: Where it came from; the dispatcher's own.
        models: Names of the models that it uses, as far as known.
        memory_ran_out: Set by the run: the next batches of this tool are to be smaller.
        done: The run has ended in time.
        abandoned: It ran past its limit; its thread was given up and its outcome counts for nothing.
    """

    tool: Tool
    jobs: list[Job]
    lane: Any = None
    models: Callable[[], tuple[str, ...]] = tuple
    memory_ran_out: bool = False
    done: bool = False
    abandoned: bool = False

    @property
    def limit(self) -> float:
        """Seconds that it may run: those of all its jobs."""
        return sum(job.limit for job in self.jobs)
