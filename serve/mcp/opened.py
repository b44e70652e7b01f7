"""The agent of a server, opened when it is first needed: listing tools must not wait for the libraries of the loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secondread.agent.agent import Agent


class Opened:
    """One agent, opened at most once. Thread-safe.

    Args:
        make: Opens it.
    """

    def __init__(self, make: "Callable[[], Agent]") -> None:
        self._make = make
        self._lock = threading.Lock()
        self._agent: Agent | None = None

    def now(self) -> "Agent":
        """The agent; opening it may take seconds."""
        with self._lock:
            if self._agent is None:
                self._agent = self._make()
            return self._agent

    async def get(self) -> "Agent":
        """The agent, opened in a worker thread."""
        known = self._agent
        return known if known is not None else await asyncio.to_thread(self.now)

    def close(self) -> None:
        """Close the agent if it was opened."""
        with self._lock:
            if self._agent is not None:
                self._agent.close()
                self._agent = None
