"""What a run did before it was cut off, given back to the node that runs again: results, moves, wordings."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from secondread.agent.limits import Meter
from secondread.agent.planners.base import Move, Planner, PlannerView, Sentence
from secondread.agent.planners.tally import Tally
from secondread.agent.run import Executor
from secondread.agent.trace import TraceWriter
from secondread.schema.answer import Claim
from secondread.schema.errors import PlannerError
from secondread.schema.evidence import Evidence
from secondread.tools.runtime.calls import PlannedCall

T = TypeVar("T")


class JournalledExecutor:
    """Gives what is recorded by call key and runs the rest: no completed call is made twice."""

    def __init__(self, inner: Executor, events: Sequence[Mapping[str, Any]]) -> None:
        self.inner = inner
        self.catalogue = inner.catalogue
        self._done = {e["call"]["key"]: (e["evidence"], e["seconds"]) for e in events if e["type"] == "result"}

    async def execute(
        self, call: PlannedCall, ledger: Mapping[str, Evidence], *, timeout: float | None = None
    ) -> tuple[Evidence, float]:
        """See `Executor.execute`."""
        if call.key in self._done:
            evidence, seconds = self._done[call.key]
            return Evidence.model_validate({**evidence, "id": call.id}), float(seconds)
        return await self.inner.execute(call, ledger, timeout=timeout)


class JournalledPlanner:
    """A planner with a model, held to the run's deadline; replies that are recorded are not asked for again.

    Args:
        inner: One that has `for_run`, as `ChatPlanner` does, is asked for its side of this run.
        trace: Of the run.
        meter: Of the run.
        token: Takes the text of replies as it comes; None: nobody listens.
    """

    def __init__(
        self, inner: Planner, trace: TraceWriter, meter: Meter, *, token: Callable[[str], None] | None = None
    ) -> None:
        self.inner: Planner = inner.for_run(token) if hasattr(inner, "for_run") else inner
        self.name = inner.name
        self._trace, self._meter = trace, meter
        self.usage = 0
        """Tokens used in this run, those of recorded replies included."""

    async def propose(self, view: PlannerView) -> list[Move]:
        """See `Planner.propose`."""
        step = view.step + 1
        known = self._trace.ahead("moves", step=step)
        if known is not None:
            self._again(purpose="moves", number=step)
            return [Move.model_validate(m) for m in known["moves"]]
        return await self._asked(self.inner.propose(view), "moves", step)

    async def word(self, claims: Sequence[Claim], view: PlannerView) -> list[Sentence]:
        """See `Planner.word`."""
        repair = sum(e["type"] == "words" for e in self._trace.events)
        known = self._trace.ahead("words", repair=repair)
        if known is not None:
            self._again(purpose="words", number=repair)
            return [Sentence.model_validate(s) for s in known["sentences"]]
        return await self._asked(self.inner.word(claims, view), "words", repair)

    def _again(self, *, purpose: str, number: int) -> None:
        """Count and take over what the recorded replies had cost."""
        used = self._trace.ahead("model", purpose=purpose, number=number)
        if used is not None:
            self.usage += int(used["tokens"])
            self._trace.add(**{"kind" if k == "type" else k: v for k, v in used.items() if k != "t"})

    async def _asked(self, work: Coroutine[Any, Any, T], purpose: str, number: int) -> T:
        before = self.inner.usage
        try:
            return await asyncio.wait_for(work, max(0.01, self._meter.seconds_left()))
        except TimeoutError:
            raise PlannerError(f"{self.name} had not replied when the run's time was over.") from None
        finally:
            used = self.inner.usage - before
            self.usage += used
            last: Tally | None = getattr(self.inner, "last", None)
            how = asdict(last) if last is not None else None
            self._trace.add("model", purpose=purpose, number=number, planner=self.name, tokens=used, asked=how)
