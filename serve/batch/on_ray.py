"""Engine `ray`: a pool of Ray actors, each with a warm agent and its own models, on one machine or a cluster.

The driver hands cases out, takes their products back and records them; workers write nothing. A case whose worker
died is handed to another one. Workers reach the input by the paths of the driver, so folders lie on storage that all
machines share; a DICOMweb source needs none.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from secondread.schema.errors import ToolUnavailable, UsageError
from secondread.serve.batch.work import Job, Product, Work

IN_FLIGHT = 4
"""Cases at work in one worker at the same time."""
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
        alone: Cases that are asked about afterwards, one at a time.
        record: Called here with each case and what came of it.
        lost: Called here with a case whose worker died; True: hand it out again.
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
            for some, most in ((works, count * in_flight), (alone, 1)):
                pool.drain(iter(some), most, record, lost)
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
    """The actors, and which case each of them is at."""

    def __init__(self, ray: Any, job: Job, count: int, cpus: float, gpus: float, in_flight: int) -> None:
        self._ray = ray
        self._in_flight = in_flight
        worker = ray.remote(_Worker).options(
            num_cpus=cpus, num_gpus=gpus, max_restarts=-1, max_task_retries=0, max_concurrency=in_flight + 1
        )
        shared = ray.put(job)
        self._actors = [worker.remote(shared) for _ in range(count)]
        self._load = [0] * count
        self._busy: dict[Any, tuple[int, Work]] = {}

    def drain(
        self, works: Iterator[Work], most: int, record: Callable[[Work, Product], None], lost: Callable[[Work], bool]
    ) -> None:
        """Hand cases out, at most so many at a time, until all are recorded."""
        again: list[Work] = []
        exhausted = False
        while True:
            while len(self._busy) < most and not (exhausted and not again):
                work = again.pop() if again else next(works, None)
                if work is None:
                    exhausted = True
                    continue
                self._hand_out(work)
            if not self._busy:
                return
            done, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=WAIT_SECONDS)
            for reference in done:
                place, work = self._busy.pop(reference)
                self._load[place] -= 1
                try:
                    product = self._ray.get(reference)
                except self._ray.exceptions.RayActorError:
                    if lost(work):
                        again.append(work)
                except self._ray.exceptions.RayTaskError as error:
                    raise error.as_instanceof_cause() from None
                else:
                    record(work, product)

    def _hand_out(self, work: Work) -> None:
        place = min(range(len(self._load)), key=self._load.__getitem__)
        self._busy[self._actors[place].read.remote(work)] = (place, work)
        self._load[place] += 1

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            self._ray.kill(actor, no_restart=True)


class _Worker:
    """One actor: an agent that several cases go through at a time."""

    def __init__(self, job: Job) -> None:
        from secondread.serve.batch.reader import Reader

        self._reader = Reader(job)

    async def read(self, work: Work) -> Product:
        """Everything about one case."""
        reading = await self._reader.mapper.read(0, self._reader.subject(work))
        product: Product = reading.finished
        return product
