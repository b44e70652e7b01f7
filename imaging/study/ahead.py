"""Opens files and reads their first bytes, several ahead of their use when the disk is slow to answer.

On a local disk one thread is fastest: opening and reading 6 kB takes 10 microseconds, less than handing work to a
thread. A network share answers in milliseconds; there the waits overlap.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from secondread.imaging.study.archive import head_of
from secondread.imaging.study.held import Held
from secondread.imaging.study.quick import FIRST_PIECE
from secondread.schema.errors import SecondReadError

TRIED = 32
"""Files that are timed before the choice is made."""
SLOW_SECONDS = 0.001
THREADS = 16
AHEAD = 64


@dataclass(slots=True)
class Started:
    """A file of which the first bytes are read."""

    held: Held
    stream: BinaryIO | None = None
    head: bytes = b""
    size: int = 0
    fault: str = ""
    """Why it could not be opened; empty when it was."""

    def close(self) -> None:
        """Close the file."""
        if self.stream is not None:
            self.stream.close()


def started(files: Iterable[Held]) -> Iterator[Started]:
    """Every file in its order, opened and read up to `FIRST_PIECE` bytes; whoever takes it closes it."""
    spent = 0.0
    rest = iter(files)
    for count, held in enumerate(rest, 1):
        before = time.perf_counter()
        opened = start(held)
        spent += time.perf_counter() - before
        yield opened
        if count == TRIED and spent / count > SLOW_SECONDS:
            yield from _by_threads(rest)
            return


def _by_threads(files: Iterator[Held]) -> Iterator[Started]:
    waiting: deque[Future[Started]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for held in files:
                waiting.append(pool.submit(start, held))
                if len(waiting) >= AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.result().close()


def start(held: Held) -> Started:
    """Open one file; a fault is kept, not raised."""
    stream: BinaryIO | None = None
    try:
        stream = held.stream()
        return Started(held, stream, head_of(stream, FIRST_PIECE), held.size(stream))
    except SecondReadError as error:
        fault = error.message
    except Exception:  # a damaged archive member or a failing disk raises almost any type
        fault = f"{held.name} cannot be read."
    if stream is not None:
        stream.close()
    return Started(held, fault=fault)
