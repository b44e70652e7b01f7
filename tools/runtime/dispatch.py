"""Worker threads: which batch runs next, one model at a time per device, and what happens to a batch that hangs.

Requests for one tool that wait at the same time run together, up to `Card.max_batch`. A request waits for company only
while other askers are at work, and then for a few milliseconds at most; otherwise it starts at once.

A thread cannot be killed: one that hangs past its limit is given up and replaced, its batch fails, and its tool stays
usable. A tool with `MOST_HUNG` threads still hanging is refused until one of them comes back.
"""

import contextlib
import heapq
import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from secondread.schema.errors import SecondReadError, ToolTimeout
from secondread.tools.base import Card, Tool
from secondread.tools.runtime.jobs import Batch, Job, Outcome

MOST_HUNG = 2
MOST_DUE = 512
"""Deadlines kept before those of batches that have ended are sorted out."""
CLOSED = "The runtime was closed."


@dataclass(eq=False)
class _Lane:
    """Requests of one tool.

    Attributes:
        tool: Which tool.
        device: Where its model runs; None for a tool without a model.
        slots: Batches of it that may run at the same time.
        size: Requests in one batch.
        waiting: Oldest first.
        active: Batches that run.
        hung: Threads that were given up and have not come back.
    """

    tool: Tool
    device: str | None
    slots: int
    size: int
    waiting: deque[Job] = field(default_factory=deque)
    active: int = 0
    hung: int = 0


def has_model(tool: Tool) -> bool:
    """Whether a tool loads something, so that only one batch of it may run at a time."""
    return tool.card.isolate or type(tool).load is not Tool.load


class Dispatcher:
    """Runs jobs on worker threads.

    Args:
        run: Runs a batch; returns one outcome per job, never raises.
        store: Keeps the outcome of a job that ended well, before its waiters hear of it.
        gave_up: Called for a batch that hung, to free what it holds.
        device_of: Where the model of a tool runs.
        slots: Batches with models that may run at the same time on a device.
        workers: Threads at most, besides hung ones.
        company_s: Seconds that a request waits for others to join its batch.
    """

    def __init__(
        self,
        run: Callable[[Batch], Sequence[Outcome]],
        *,
        store: Callable[[Job, Outcome], None],
        gave_up: Callable[[Batch], None],
        device_of: Callable[[Card], str],
        slots: Callable[[str], int],
        workers: int,
        company_s: float,
    ) -> None:
        self._run, self._store, self._gave_up = run, store, gave_up
        self._device_of, self._slots, self._most, self._company = device_of, slots, max(1, workers), company_s
        self._lanes: dict[str, _Lane] = {}
        self._running: dict[str, Job] = {}
        """Waiting and running jobs by key."""
        self._busy: Counter[str] = Counter()
        self._askers: Counter[object] = Counter()
        self._threads = 0
        self._idle = 0
        self._batches: set[Batch] = set()
        self._closed = False
        self._changed = threading.Condition(threading.RLock())
        self._watch = _Watch(self._give_up)

    def submit(self, job: Job, known: Callable[[], Outcome | None]) -> "Future[Outcome]":
        """A future of the job's outcome; an equal job that waits or runs is shared.

        Args:
            job: What to run.
            known: Looked at once more under the lock, so that a job that has just ended is not run again.
        """
        waiter: Future[Outcome] = Future()
        with self._changed:
            same = self._running.get(job.key)
            if same is not None:
                same.waiters.append(waiter)
                return waiter
            found = known()
            refusal = found or self._refusal(job)
            if refusal is not None:
                waiter.set_result(refusal)
                return waiter
            job.waiters.append(waiter)
            self._running[job.key] = job
            lane = self._lane(job.tool)
            company, now = lane.size > 1 and self._others(lane, job), time.monotonic()
            job.ready_at = now + self._company if company else now
            if not company:
                for other in lane.waiting:  # nobody else is to come
                    other.ready_at = min(other.ready_at, now)
            lane.waiting.append(job)
            waiter.add_done_callback(lambda done: self._left(job) if done.cancelled() else None)
            self._wake()
        return waiter

    def at_work(self, asker: object, step: int) -> None:
        """Count somebody in (1) or out (-1) whose requests may come soon."""
        with self._changed:
            self._askers[asker] += step
            if self._askers[asker] <= 0:
                del self._askers[asker]

    def close(self) -> None:
        """End the threads that wait; whoever waits for a job gets an error."""
        with self._changed:
            self._closed = True
            jobs, self._running = list(self._running.values()), {}
            for batch in self._batches:
                batch.abandoned = True
            self._changed.notify_all()
        self._watch.close()
        for job in jobs:
            job.finish(Outcome(SecondReadError(CLOSED)))

    def _refusal(self, job: Job) -> Outcome | None:
        if self._closed:
            return Outcome(SecondReadError(CLOSED))
        lane = self._lanes.get(job.tool.card.name)
        if lane is not None and lane.hung >= MOST_HUNG:
            name = job.tool.card.name
            return Outcome(
                ToolTimeout(f"{name} has not come back from {lane.hung} earlier calls, so it is not called.")
            )
        return None

    def _lane(self, tool: Tool) -> _Lane:
        lane = self._lanes.get(tool.card.name)
        if lane is None or lane.tool is not tool:
            device = self._device_of(tool.card) if has_model(tool) else None
            lane = _Lane(tool, device, 1 if device is not None else self._most, tool.card.max_batch)
            self._lanes[tool.card.name] = lane
        return lane

    def _others(self, lane: _Lane, job: Job) -> bool:
        """Whether an asker is at work that has no request in the lane yet."""
        here = {one.asker for one in lane.waiting} | {job.asker}
        return any(asker not in here for asker in self._askers)

    def _left(self, job: Job) -> None:
        """Somebody stopped waiting; a job that nobody wants any more leaves its lane."""
        with self._changed:
            lane = self._lanes.get(job.tool.card.name)
            if not job.wanted and lane is not None and job in lane.waiting:
                lane.waiting.remove(job)
                self._running.pop(job.key, None)

    def _wake(self) -> None:
        """Get a thread for what waits: an idle one, or another one."""
        if self._idle:
            self._changed.notify()
        elif self._threads < self._most:
            self._spawn()

    def _spawn(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name="secondread-tool", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                batch = self._next()
            if batch is None:
                return
            outcomes = self._run(batch)
            with self._changed:
                self._batches.discard(batch)
                lane: _Lane = batch.lane
                if batch.abandoned:
                    lane.hung = max(0, lane.hung - 1)
                    return  # its place was taken by another thread
                batch.done = True
                if batch.memory_ran_out:
                    lane.size = max(1, len(batch.jobs) // 2)
                self._free(lane)
            self._finish(batch.jobs, outcomes)

    def _finish(self, jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome.error is None:
                with contextlib.suppress(Exception):  # a result that cannot be kept is still a result
                    self._store(job, outcome)
            with self._changed:
                self._running.pop(job.key, None)
            job.finish(outcome)

    def _free(self, lane: _Lane) -> None:
        lane.active -= 1
        if lane.device is not None:
            self._busy[lane.device] -= 1
        self._changed.notify_all()

    def _next(self) -> Batch | None:
        """The next batch, counted as running; waits for one. None: this thread is to end."""
        while not self._closed:
            now = time.monotonic()
            lane, wait = self._choose(now)
            if lane is not None:
                batch = self._take(lane)
                if batch is not None:
                    return batch
                continue
            self._idle += 1
            self._changed.wait(wait)
            self._idle -= 1
        self._threads -= 1
        return None

    def _choose(self, now: float) -> tuple[_Lane | None, float | None]:
        """The lane whose oldest request has waited longest and may run; else how long until one may."""
        best: _Lane | None = None
        soonest: float | None = None
        for lane in self._lanes.values():
            if not lane.waiting or lane.active >= lane.slots:
                continue
            if lane.device is not None and self._busy[lane.device] >= self._slots(lane.device):
                continue
            ready = lane.waiting[0].ready_at
            if ready > now and len(lane.waiting) < lane.size:
                soonest = ready - now if soonest is None else min(soonest, ready - now)
            elif best is None or ready < best.waiting[0].ready_at:
                best = lane
        return best, soonest

    def _take(self, lane: _Lane) -> Batch | None:
        jobs: list[Job] = []
        while lane.waiting and len(jobs) < lane.size:
            job = lane.waiting.popleft()
            if job.wanted:
                jobs.append(job)
            else:
                self._running.pop(job.key, None)
        if not jobs:
            return None
        batch = Batch(lane.tool, jobs, lane)
        lane.active += 1
        if lane.device is not None:
            self._busy[lane.device] += 1
        self._batches.add(batch)
        self._watch.add(time.monotonic() + batch.limit, batch)
        if any(one.waiting for one in self._lanes.values()):
            self._wake()  # this thread may have been the one that waited for another lane
        return batch

    def _give_up(self, batch: Batch) -> None:
        """A batch ran past its limit: its thread is left behind, everything else goes on."""
        with self._changed:
            if batch.done or batch.abandoned:
                return
            batch.abandoned = True
            lane: _Lane = batch.lane
            lane.hung += 1
            self._threads -= 1
            self._free(lane)
            if any(one.waiting for one in self._lanes.values()):
                self._wake()
        self._gave_up(batch)
        name = batch.tool.card.name
        late = [ToolTimeout(f"{name} did not finish within {job.limit:g} s.") for job in batch.jobs]
        self._finish(batch.jobs, [Outcome(error) for error in late])


class _Watch:
    """One thread that calls back for each batch whose time is up; it sleeps until the next such time."""

    def __init__(self, late: Callable[[Batch], None]) -> None:
        self._late = late
        self._due: list[tuple[float, int, Batch]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._started = self._closed = False

    def add(self, when: float, batch: Batch) -> None:
        with self._changed:
            if len(self._due) >= MOST_DUE:
                self._due = [entry for entry in self._due if not entry[2].done]
                heapq.heapify(self._due)
            heapq.heappush(self._due, (when, next(self._order), batch))
            if not self._started:
                self._started = True
                threading.Thread(target=self._loop, name="secondread-watch", daemon=True).start()
            elif self._due[0][2] is batch:
                self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while self._due and self._due[0][2].done:
                    heapq.heappop(self._due)
                if self._closed:
                    return
                now = time.monotonic()
                if not self._due or self._due[0][0] > now:
                    self._changed.wait(self._due[0][0] - now if self._due else None)
                    continue
                batch = heapq.heappop(self._due)[2]
            self._late(batch)
