"""Engine `local`: one warm agent in this process, several cases at a time.

While a network runs on one case, others are decoded, measured and written; requests that wait for one tool at the same
time run as one batch. No more than `in_flight` cases are in memory.
"""

import asyncio
from collections.abc import Callable, Iterable

from secondread.agent.mapping import map_studies
from secondread.serve.batch.reader import Reader
from secondread.serve.batch.work import Job, Product, Work

IN_FLIGHT = 8
"""Cases at work at the same time; more gives larger batches to the networks and takes more memory."""


def run_local(
    job: Job,
    works: Iterable[Work],
    alone: Iterable[Work],
    record: Callable[[Work, Product], None],
    *,
    in_flight: int = IN_FLIGHT,
) -> None:
    """Ask about every case.

    Args:
        job: What is asked and how.
        works: Cases, taken one by one as places get free.
        alone: Cases that are asked about afterwards, one at a time, since a run ended while it was at them.
        record: Called in a worker thread with each case and what came of it; what it raises ends the run.
        in_flight: How many cases at a time.
    """
    reader = Reader(job, record)

    async def all_of_them() -> None:
        for some, most in ((works, in_flight), (alone, 1)):
            subjects = (reader.subject(work) for work in some)
            async for _ in map_studies(reader.mapper, subjects, ordered=False, in_flight=most):
                pass

    try:
        asyncio.run(all_of_them())
    finally:
        reader.close()
