"""Serving one client over stdin and stdout, with a bound on the length of a message."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import BinaryIO, TextIO, cast

import anyio
import anyio.to_thread
from mcp.server.stdio import stdio_server

from secondread.serve.mcp.server import Served

LINE_LIMIT = 16 << 20
"""Bytes of one message; an inline image of 8 MiB takes 11."""
PIECE = 1 << 16
TOO_LONG = '{"too long": true}\n'
"""Stands in for a message beyond the limit: no JSON-RPC, so it is refused like any other garbage."""


class BoundedLines:
    """Lines of a binary stream as text, each at most `LINE_LIMIT` bytes; a longer one is read past and not kept.

    Args:
        stream: Read in worker threads.
        limit: Bytes of one line.
    """

    def __init__(self, stream: BinaryIO, limit: int = LINE_LIMIT) -> None:
        self._stream, self._limit = stream, limit

    def __aiter__(self) -> AsyncIterator[str]:
        return self._lines()

    async def _lines(self) -> AsyncIterator[str]:
        while True:
            line = await anyio.to_thread.run_sync(self._next, abandon_on_cancel=True)
            if line is None:
                return
            if line.strip():
                yield line

    def _next(self) -> str | None:
        line = self._stream.readline(self._limit)
        if not line:
            return None
        if line.endswith(b"\n") or len(line) < self._limit:
            return line.decode("utf-8", errors="replace")
        while True:
            rest = self._stream.readline(PIECE)
            if not rest or rest.endswith(b"\n"):
                return TOO_LONG


class Written:
    """The other direction: a message is written and flushed in one turn of a worker thread.

    Args:
        stream: Takes text.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    async def write(self, text: str) -> None:
        """Write and flush; blocks only the thread when the client does not read."""
        await anyio.to_thread.run_sync(self._put, text)

    async def flush(self) -> None:
        """Done by `write`."""

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def serve_stdio(served: Served) -> None:
    """Serve until the client closes stdin, or a signal ends the process; started questions get the time to end.

    Stdin and stdout of this process are moved to descriptors of their own first, so that nothing that a library prints
    or reads can get between the messages.
    """
    wire_in = os.fdopen(_moved(0, os.open(os.devnull, os.O_RDONLY)), "rb")
    wire_out = os.fdopen(_moved(1, os.dup(2)), "w", encoding="utf-8", newline="\n")
    anyio.run(_serve, served, wire_in, wire_out)


def _moved(fd: int, instead: int) -> int:
    """Duplicate a standard descriptor and put another file in its place; the number of the duplicate."""
    private = os.dup(fd)
    os.set_inheritable(private, False)
    os.dup2(instead, fd)
    os.close(instead)
    return private


async def _serve(served: Served, wire_in: BinaryIO, wire_out: TextIO) -> None:
    stdin = cast("anyio.AsyncFile[str]", BoundedLines(wire_in))
    stdout = cast("anyio.AsyncFile[str]", Written(wire_out))
    lowlevel = served.server._lowlevel_server
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_until_signal, group.cancel_scope)
            async with stdio_server(stdin, stdout) as (read, write):
                await lowlevel.run(read, write, lowlevel.create_initialization_options())
            group.cancel_scope.cancel()
    except BaseExceptionGroup as failed:  # the client went while something was written to it
        rest = failed.split((BrokenPipeError, ConnectionError, anyio.BrokenResourceError))[1]
        if rest is not None:
            raise rest from None
    sys.stderr.flush()


async def _until_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
            return
