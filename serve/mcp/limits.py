"""What one client may ask of the server: calls at a time, waiting calls, calls per minute, seconds per call."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio
from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from pydantic import Field

from secondread.schema.record import Record
from secondread.serve.mcp.clients import client_of

WORK = frozenset({"tools/call", "resources/read"})
"""Requests that take a place; the others cost next to nothing and are counted only."""
TOO_MANY = -32029
"""Error code of a client that asks too often or has too many calls waiting."""
TOO_LONG = -32030
"""Error code of a call that ran past its time."""

Count = Annotated[int, Field(ge=1, le=100_000)]


class Limits(Record):
    """Bounds per client; a client is a bearer token, or everybody who needs none."""

    at_once: Count = 16
    """Calls of one client that are carried out at the same time; further ones wait."""
    waiting: Count = 256
    """Calls of one client that may wait; further ones are refused."""
    per_minute: Count = 6000
    """Requests of one client, as a bucket that holds ten seconds' worth and at least 100."""
    seconds: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Longest time of one call, waiting included."""
    runs: Count = 2
    """Questions that are worked on at the same time, of all clients together."""
    jobs: Count = 8
    """Questions of one client that are started with `ask_start` and not yet done."""


class _Client:
    """What is known of one client."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.places = asyncio.Semaphore(limits.at_once)
        self.inside = 0
        self.tokens = self.most = max(100.0, limits.per_minute / 6)
        self.rate = limits.per_minute / 60
        self.at = now

    def take(self, now: float) -> float:
        """Take a token; the seconds to wait for one, 0 when there was one."""
        self.tokens = min(self.most, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return 0.0


class Gate:
    """Middleware of the SDK that holds every request to the limits.

    Args:
        limits: The bounds.
        clock: Seconds; for tests.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self._clients: dict[str, _Client] = {}
        self.calls = 0
        """Calls under way."""

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Let a request through, make it wait, or refuse it.

        Raises:
            MCPError: Too many requests, too many waiting, or it ran past its time.
        """
        if ctx.request_id is None:  # a notification, among them the one that cancels a call
            return await call_next(ctx)
        client = self._client(client_of(ctx))
        wait = client.take(self._clock())
        if wait > 0:
            raise MCPError(TOO_MANY, f"Too many requests; the next one is taken in {wait:.1f} s.")
        if ctx.method not in WORK:
            return await call_next(ctx)
        try:
            with anyio.fail_after(self.limits.seconds):
                async with self._place(client):
                    return await call_next(ctx)
        except TimeoutError:
            raise MCPError(
                TOO_LONG, f"The call took longer than {self.limits.seconds:g} s. ask_start has no such limit."
            ) from None

    @asynccontextmanager
    async def _place(self, client: _Client) -> AsyncIterator[None]:
        if client.inside >= self.limits.at_once + self.limits.waiting:
            raise MCPError(TOO_MANY, f"{self.limits.waiting} calls of this client wait already.")
        client.inside += 1
        self.calls += 1
        try:
            async with client.places:
                yield
        finally:
            client.inside -= 1
            self.calls -= 1

    def _client(self, name: str) -> _Client:
        found = self._clients.get(name)
        if found is None:
            found = self._clients[name] = _Client(self.limits, self._clock())
        return found
