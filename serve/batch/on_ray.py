"""Engine `ray`: a pool of Ray actors, each with a warm agent and its own models, on one machine or a cluster.

The driver hands cases out, takes their products back and records them; workers write nothing. A case whose worker
died is handed to another one. Workers reach the input by the paths of the driver, so folders lie on storage that all
machines share; a DICOMweb source needs none. Cases at which a worker died are suspect: they come last, one in a worker
at a time, so that one that kills its worker takes no other along.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from secondread.schema.errors import ToolUnavailable, UsageError
from secondread.serve.batch.work import Job, Product, Work

IN_FLIGHT = 4
"""Cases at work in one worker at the same time."""
MOST_STILLBORN = 3
"""Workers in a row that may die before they are up; then there is no use in starting more."""
WAIT_SECONDS = 1.0
"""Between two looks at whether anything is done; a signal is served in between."""


def run_on_ray(
    job: Job,
    works: Iterable[Work],
    alone: Iterable[Work],
    record: Callable[[Work, Product], None],
    lost: Callable[[Work], bool],
    *,
    workers: int | None = None,
    cpus: float = 1.0,
    gpus: float = 0.0,
    address: str | None = None,
    in_flight: int = IN_FLIGHT,
) -> None:
    """Ask about every case.

    Args:
        job: What is asked and how; travels to every worker.
        works: Cases, taken one by one as places get free.
        alone: Cases that are asked about afterwards, one in a worker at a time; among them are those that were lost
            meanwhile.
        record: Called here with each case and what came of it.
        lost: Called here with a case whose worker died; True: it may be handed out again.
        workers: Actors; None: as many as the cluster has room for when the run starts.
        cpus: Processors that an actor asks Ray for.
        gpus: GPUs that an actor asks Ray for; a fraction lets several share one.
        address: Of a running cluster; None joins the one that is initialised, or starts one on this machine.
        in_flight: Cases at work in one actor.

    Raises:
        ToolUnavailable: Ray is not installed.
        UsageError: The cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise ToolUnavailable("The engine ray needs the extra: pip install 'secondread[ray]'.") from None
    started = not ray.is_initialized()
    if started:
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"There is no Ray cluster at {address}: {type(error).__name__}.") from None
    try:
        count = workers or _room(_resources(ray), cpus, gpus)
        pool = _Pool(ray, job, count, cpus, gpus, in_flight)
        try:
            pool.drain(iter(works), in_flight, record, lost, again=False)
            pool.drain(iter(alone), 1, record, lost, again=True)
        finally:
            pool.close()
    finally:
        if started:
            ray.shutdown()


def _resources(ray: Any) -> dict[str, float]:
    found: dict[str, float] = ray.cluster_resources()
    return found


def _room(resources: dict[str, float], cpus: float, gpus: float) -> int:
    """How many workers the cluster has room for, at least one: an autoscaler may bring what that one asks for."""
    most = resources.get("CPU", 0.0) / cpus
    if gpus:
        most = min(most, resources.get("GPU", 0.0) / gpus)
    return max(1, math.floor(most))


class _Pool:
    """The actors, and which case each of them is at.

    An actor that died is replaced. A new one gets cases once it is up: where a machine has gone for good its heir may
    wait for ever, and the others do its work.
    """

    def __init__(self, ray: Any, job: Job, count: int, cpus: float, gpus: float, in_flight: int) -> None:
        self._ray = ray
        self._class = ray.remote(_Worker).options(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0, max_concurrency=in_flight + 1
        )
        self._job = ray.put(job)
        self._actors: list[Any] = [None] * count
        self._load = [0] * count
        self._up = [False] * count
        self._busy: dict[Any, tuple[int, Any, Work]] = {}
        self._starting: dict[Any, int] = {}
        self._stillborn = 0
        for place in range(count):
            self._start(place)

    def drain(
        self,
        works: Iterator[Work],
        each: int,
        record: Callable[[Work, Product], None],
        lost: Callable[[Work], bool],
        *,
        again: bool,
    ) -> None:
        """Hand cases out, at most `each` to an actor at a time, until all are recorded or, without `again`, lost."""
        waiting: list[Work] = []
        ahead = next(works, None)
        while True:
            while (ahead or waiting) and (place := self._free(each)) is not None:
                if waiting:
                    self._hand_out(place, waiting.pop())
                elif ahead is not None:
                    self._hand_out(place, ahead)
                    ahead = next(works, None)
            if not (self._busy or waiting or ahead):
                return
            done, _ = self._ray.wait([*self._busy, *self._starting], num_returns=1, timeout=WAIT_SECONDS)
            for reference in done:
                if reference in self._starting:
                    self._started(reference)
                    continue
                place, actor, work = self._busy.pop(reference)
                try:
                    product = self._ray.get(reference)
                except self._ray.exceptions.RayActorError:
                    if self._actors[place] is actor:
                        self._start(place)
                    if lost(work) and again:
                        waiting.append(work)
                except self._ray.exceptions.RayTaskError as error:
                    raise error.as_instanceof_cause() from None
                else:
                    self._load[place] -= self._actors[place] is actor
                    record(work, product)

    def _free(self, each: int) -> int | None:
        """The actor that is up and has least to do, or None when all have enough."""
        able = [place for place, up in enumerate(self._up) if up and self._load[place] < each]
        return min(able, key=self._load.__getitem__, default=None)

    def _hand_out(self, place: int, work: Work) -> None:
        actor = self._actors[place]
        self._busy[actor.read.remote(work)] = (place, actor, work)
        self._load[place] += 1

    def _start(self, place: int) -> None:
        """Put a new actor into a place."""
        self._actors[place] = actor = self._class.remote(self._job)
        self._load[place], self._up[place] = 0, False
        self._starting[actor.up.remote()] = place

    def _started(self, reference: Any) -> None:
        """An actor is up, or died before it was."""
        place = self._starting.pop(reference)
        try:
            self._up[place] = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            self._stillborn += 1
            if self._stillborn >= MOST_STILLBORN:
                raise
            self._start(place)
        else:
            self._stillborn = 0

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            self._ray.kill(actor, no_restart=True)


class _Worker:
    """One actor: an agent that several cases go through at a time."""

    def __init__(self, job: Job) -> None:
        from secondread.serve.batch.reader import Reader

        self._reader = Reader(job)

    async def up(self) -> bool:
        """Answered when the agent is there."""
        return True

    async def read(self, work: Work) -> Product:
        """Everything about one case."""
        reading = await self._reader.mapper.read(0, self._reader.subject(work))
        product: Product = reading.finished
        return product
