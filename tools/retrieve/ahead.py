"""Files read by threads ahead of the encoder, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from secondread.schema.errors import SecondReadError
from secondread.tools.retrieve.readers.draft import Draft
from secondread.tools.retrieve.readers.walk import Source

THREADS = 2
WINDOW = 16
"""Single images that wait, decoded, at most."""
Drafts = Callable[[Callable[[str], None]], Iterator[Draft]]


def ahead(sources: Iterable[Source]) -> Iterator[tuple[Source, Drafts]]:
    """Each source with a reader of its drafts; those of single images are decoded by then.

    What a reader raises is raised when its drafts are taken, so that it stays with its file.
    """
    waiting: deque[tuple[Source, Future[list[Draft]] | None]] = deque()
    with ThreadPoolExecutor(THREADS, "index-read") as pool:
        try:
            for one in sources:
                waiting.append((one, pool.submit(_decoded, one) if one.single else None))
                if len(waiting) >= WINDOW:
                    yield _taken(*waiting.popleft())
            while waiting:
                yield _taken(*waiting.popleft())
        finally:
            for _, future in waiting:
                if future is not None:
                    future.cancel()


def _decoded(one: Source) -> list[Draft]:
    return [draft.ready() for draft in one.read(_nothing)]


def _nothing(what: str) -> None:
    """Single images have no lines that could be wrong."""


def _taken(one: Source, future: "Future[list[Draft]] | None") -> tuple[Source, Drafts]:
    if future is None:
        return one, one.read

    def drafts(report: Callable[[str], None]) -> Iterator[Draft]:
        try:
            yield from future.result()
        except SecondReadError:
            raise
        except Exception as error:  # a decoder may fail in any way; the file is isolated
            raise SecondReadError(f"it cannot be read: {type(error).__name__}.") from error

    return one, drafts
