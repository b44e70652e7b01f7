"""Servers on a stand-in agent, in process and over HTTP."""

import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from secondread.agent.config import Settings
from secondread.serve.mcp.http import Door, Listening, application
from secondread.serve.mcp.images import AllowedImages
from secondread.serve.mcp.server import Served
from secondread.serve.mcp.tokens import Tokens
from tests.serve.conftest import Factory

Talk = Callable[[Any], Coroutine[Any, Any, None]]


@pytest.fixture
def serve(factory: Factory, film: Path) -> Callable[..., Served]:
    """Makes a server that may read the folder of `film`."""

    def make(**options: Any) -> Served:
        agent = factory(Settings.load())
        roots = options.pop("roots", [film.parent])
        return Served(lambda: agent, lambda: agent.runtime.catalogue, AllowedImages(roots), **options)

    return make


@pytest.fixture
def talk(serve: Callable[..., Served]) -> Callable[..., None]:
    """Runs a conversation with such a server in process."""

    def start(conversation: Talk, *, mode: str = "auto", client: dict[str, Any] | None = None, **options: Any) -> None:
        async def whole() -> None:
            async with Client(serve(**options).server, mode=mode, **(client or {})) as connected:
                await conversation(connected)

        anyio.run(whole)

    return start


@contextmanager
def over_http(served: Served, tokens: Tokens, **options: Any) -> Iterator[tuple[str, Door]]:
    """A server on a free port of this machine, in a thread; its address and its door."""
    import uvicorn

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen(256)
    port = bound.getsockname()[1]
    door = application(served, Listening(port=port, **options), tokens, port)
    server = uvicorn.Server(uvicorn.Config(door, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/mcp", door
    finally:
        server.should_exit = True
        thread.join(10)
