"""Runs one batch so that whatever a tool does ends as one outcome per request.

A request that fails is retried alone, so that it cannot spoil its neighbours. When memory runs out, idle models are
unloaded and the batch is tried again in halves, down to single requests; a single one is tried twice.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import BadResult, OutOfMemory, SecondReadError, ToolCrashed, ToolError, ToolUnavailable
from secondread.schema.evidence import Evidence
from secondread.tools.base import Tool
from secondread.tools.runtime import offline
from secondread.tools.runtime.check import checked
from secondread.tools.runtime.context import RunContext
from secondread.tools.runtime.devices import out_of_memory
from secondread.tools.runtime.isolated import IsolatedProcess
from secondread.tools.runtime.jobs import Batch, Job, Outcome
from secondread.tools.runtime.paths import without_paths

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore
    from secondread.tools.runtime.pool import ModelPool

TOLD_CHARACTERS = 200

MakeContext = Callable[[dict[str, Evidence]], RunContext]


def told(error: BaseException) -> str:
    """A foreign exception in one bounded line, without paths: they can hold names of people."""
    text = " ".join(without_paths(str(error)).split())
    text = text if len(text) <= TOLD_CHARACTERS else f"{text[:TOLD_CHARACTERS]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class BatchRunner:
    """Runs batches.

    Args:
        store: Grids and masks, to check results against.
        pool: Where memory is freed when it runs out.
        context: Makes the context of a batch from the evidence that its requests name.
        ran: Called with the number of requests that a tool was really given.
    """

    def __init__(
        self, store: "ImageStore", pool: "ModelPool", context: MakeContext, ran: Callable[[int], None]
    ) -> None:
        self._store, self._pool, self._context, self._ran = store, pool, context, ran

    def __call__(self, batch: Batch) -> list[Outcome]:
        """One outcome per job, in order; raises nothing."""
        try:
            with offline.kept():
                return self._tried(batch, batch.jobs)
        except BaseException as error:  # nothing a tool raises may end a worker thread
            return [Outcome(ToolError(f"{batch.tool.card.name} failed inside: {told(error)}")) for _ in batch.jobs]

    def _tried(self, batch: Batch, jobs: Sequence[Job], *, again: bool = False) -> list[Outcome]:
        tool, name = batch.tool, batch.tool.card.name
        try:
            results = self._results(batch, jobs)
        except ToolUnavailable as error:
            return [Outcome(error) for _ in jobs]
        except BaseException as error:
            memory = out_of_memory(error)
            failed: SecondReadError = (
                error if isinstance(error, SecondReadError) else ToolError(f"{name} failed inside: {told(error)}")
            )
        else:
            return [self._checked(tool, one, job) for one, job in zip(results, jobs, strict=True)]
        # Outside of the handlers, whose traceback keeps the arrays of the failed try alive.
        if memory:
            batch.memory_ran_out = True
            self._pool.make_room()
            if len(jobs) == 1:
                if not again:
                    return self._tried(batch, jobs, again=True)
                return [Outcome(OutOfMemory(f"{name} ran out of memory.", hint="Use a smaller image or device cpu."))]
            half = len(jobs) // 2
            return [*self._tried(batch, jobs[:half]), *self._tried(batch, jobs[half:])]
        if len(jobs) == 1 or batch.abandoned:
            return [Outcome(failed) for _ in jobs]
        return [self._tried(batch, [job])[0] for job in jobs]

    def _results(self, batch: Batch, jobs: Sequence[Job]) -> list[Any]:
        """What the tool gives, one entry per job.

        Raises:
            BadResult: Not a list of that length.
        """
        tool = batch.tool
        evidence: dict[str, Evidence] = {}
        requests = []
        for number, job in enumerate(jobs):
            # Evidence ids count from E1 in every run, so that those of a batch need telling apart.
            names = {n: e.id if len(jobs) == 1 else f"{number}.{e.id}" for n, e in job.needs.items()}
            evidence |= {names[n]: e for n, e in job.needs.items()}
            requests.append(tool.Request.model_validate({**job.args, **names}))
        ctx = self._context(evidence)
        batch.models = ctx.models
        try:
            self._ran(len(jobs))
            if tool.card.isolate:
                process: IsolatedProcess = ctx.model(tool.card.name)
                if not process.alive:  # it ended while it was idle
                    self._pool.abandon(tool.card.name)
                    ctx.close()
                    process = ctx.model(tool.card.name)
                results = process.run(requests, ctx)
            else:
                results = tool.run_batch(requests, ctx)
        except ToolCrashed:
            self._pool.abandon(tool.card.name)
            raise
        finally:
            ctx.close()
        if not isinstance(results, list | tuple) or len(results) != len(jobs):
            got = f"{len(results)} results" if isinstance(results, list | tuple) else f"a {type(results).__name__}"
            raise BadResult(f"{tool.card.name} returned {got} for {len(jobs)} requests.")
        return list(results)

    def _checked(self, tool: Tool, result: Any, job: Job) -> Outcome:
        try:
            return checked(tool, result, self._store, job.args.get("image"))
        except SecondReadError as error:
            return Outcome(error)
        except Exception as error:
            return Outcome(ToolError(f"{tool.card.name} returned what cannot be read: {told(error)}"))
