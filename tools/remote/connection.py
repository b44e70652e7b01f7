"""One connection to a mounted server, kept open on a thread of its own and made again when it broke."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from secondread.schema.errors import ToolTimeout, ToolUnavailable
from secondread.tools.remote.servers import Server

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, Tool

MOST_TOOLS = 200
"""Tools of one server that are mounted."""
RESULT_BYTES = 4 << 20
"""Of one result; more is an error of the server."""
T = TypeVar("T")


class _Loop:
    """The event loop thread that all connections share."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Run to the end from another thread.

        Raises:
            TimeoutError: It took longer.
        """
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="secondread-servers", daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        finally:
            future.cancel()


_LOOP = _Loop()


class Connection:
    """A server and the open session with it. Thread-safe.

    Args:
        name: Of the server, for messages.
        server: How it is reached.
    """

    def __init__(self, name: str, server: Server) -> None:
        self.name, self.server = name, server
        self._client: Client | None = None
        self._closing: asyncio.Event | None = None
        self._opening: asyncio.Lock | None = None

    def tools(self) -> "list[Tool]":
        """The tools it lists.

        Raises:
            ToolUnavailable: It cannot be reached, does not answer in time, or lists too many.
        """
        return self._asked(self._list)

    def call(self, tool: str, arguments: dict[str, Any]) -> "CallToolResult":
        """Call a tool; a connection that broke since the last call is made again, once.

        Raises:
            ToolUnavailable: It cannot be reached, or its result is too large.
            ToolTimeout: It does not answer in time.
        """
        return self._asked(lambda client: self._call(client, tool, arguments))

    def close(self) -> None:
        """End the session."""
        with contextlib.suppress(TimeoutError):
            _LOOP.run(self._close(), 5)

    def _asked(self, ask: "Callable[[Client], Coroutine[Any, Any, T]]") -> T:
        seconds = self.server.timeout_seconds
        try:
            return _LOOP.run(self._tried(ask), 2 * seconds + 5)
        except TimeoutError:
            raise ToolTimeout(f"The server {self.name} did not answer within {seconds:g} s.") from None

    async def _tried(self, ask: "Callable[[Client], Coroutine[Any, Any, T]]") -> T:
        from mcp import MCPError

        seconds = self.server.timeout_seconds
        for again in (True, False):
            fresh = self._client is None
            try:
                client = await asyncio.wait_for(self._session(), seconds)
                return await asyncio.wait_for(ask(client), seconds)
            except TimeoutError:
                await self._close()
                raise
            except ToolUnavailable:
                raise
            except Exception as error:  # any library below may fail in its own way; the server is at fault or away
                await self._close()
                if fresh or not again or (isinstance(error, MCPError) and error.code != -32000):
                    raise ToolUnavailable(f"The server {self.name} {_why(error)}.") from None
        raise ToolUnavailable(f"The server {self.name} cannot be reached.")

    async def _session(self) -> "Client":
        """The open session; the task that opens it also closes it, as the SDK's scopes demand."""
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._client is not None:
                return self._client
            ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
            closing = asyncio.Event()

            async def hold() -> None:
                try:
                    async with self._open() as client:
                        if not ready.done():
                            ready.set_result(client)
                        await closing.wait()
                except BaseException as error:
                    if not ready.done():
                        ready.set_exception(_first(error))
                finally:
                    if self._closing is closing:
                        self._client = None

            holding = asyncio.create_task(hold())
            try:
                self._client = await ready
            except BaseException:
                holding.cancel()
                raise
            self._closing = closing
            self._holding = holding
            return self._client

    @contextlib.asynccontextmanager
    async def _open(self) -> "AsyncIterator[Client]":
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client

        server = self.server
        async with contextlib.AsyncExitStack() as stack:
            transport: Any
            if server.command is not None:
                # What a server writes to stderr may quote what it was sent.
                sink = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # the stack closes it
                given = StdioServerParameters(
                    command=server.command, args=list(server.args), env=dict(server.env), cwd=server.cwd
                )
                transport = stdio_client(given, errlog=sink)
            else:
                import httpx2
                from mcp.client.streamable_http import streamable_http_client

                assert server.url is not None
                http = await stack.enter_async_context(
                    httpx2.AsyncClient(
                        headers=dict(server.headers), timeout=server.timeout_seconds, follow_redirects=False
                    )
                )
                transport = streamable_http_client(server.url, http_client=http)
            yield await stack.enter_async_context(Client(transport, read_timeout_seconds=server.timeout_seconds))

    async def _close(self) -> None:
        if self._closing is not None:
            self._closing.set()
        self._client = None
        self._closing = None

    async def _list(self, client: "Client") -> "list[Tool]":
        found: list[Tool] = []
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            if len(found) > MOST_TOOLS:
                raise ToolUnavailable(f"The server {self.name} lists more than {MOST_TOOLS} tools.")
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def _call(self, client: "Client", tool: str, arguments: dict[str, Any]) -> "CallToolResult":
        result = await client.call_tool(tool, arguments)
        if len(result.model_dump_json()) > RESULT_BYTES:
            raise ToolUnavailable(f"The server {self.name} gave a result of more than {RESULT_BYTES >> 20} MiB.")
        return result


def _why(error: Exception) -> str:
    """What is wrong with a server, without its own words."""
    if isinstance(error, FileNotFoundError | PermissionError):
        return "cannot be started: its command is not there or may not be run"
    if type(error).__name__ in ("ConnectError", "ConnectTimeout", "ConnectionRefusedError"):
        return "cannot be connected"
    return f"failed: {type(error).__name__}"


def _first(error: BaseException) -> BaseException:
    """The first of a group of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
