"""Serving many clients over streamable HTTP: who may connect, how much they may send, health, an orderly end."""

import asyncio
import ipaddress
import json
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from secondread.schema.errors import UsageError
from secondread.schema.record import Record
from secondread.serve.mcp.clients import LOCAL, SCOPE_KEY
from secondread.serve.mcp.server import Served
from secondread.serve.mcp.tokens import Tokens

PATH = "/mcp"
BODY_LIMIT = 12 << 20
"""Bytes of one request; an inline image of 8 MiB takes 11."""
BODY_SECONDS = 30.0
"""A request has to be there whole within this time."""
LINGER_SECONDS = 0.5
"""A client reads its answer and may look up one more thing before the server goes."""
SESSIONS = 1024
"""Open sessions of clients of the legacy protocol revisions."""
SESSION_IDLE_SECONDS = 900.0
CONNECTIONS = 1024


class Listening(Record):
    """Where and how a server listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65535)
    """0: any free port; the server prints which."""
    allowed_hosts: tuple[str, ...] = ()
    """Further values of the Host header that are taken, `name` or `name:port`, for servers behind a proxy."""
    stateless: bool = False
    """Keep no session between requests, for several servers behind one balancer."""
    certificate: Path | None = None
    key: Path | None = None
    drain_seconds: float = Field(default=30.0, ge=0)
    """How long calls and started questions may go on after the signal to stop."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def check(listening: Listening, tokens: Tokens) -> None:
    """Refuse to listen where anybody could connect.

    Raises:
        UsageError: Wider than loopback without a token, or half of a TLS pair.
    """
    if not listening.loopback and not tokens:
        raise UsageError(
            f"Listening on {listening.host} needs a bearer token.",
            hint="Give --token-file FILE or SECONDREAD_MCP_TOKEN, or listen on 127.0.0.1.",
        )
    if (listening.certificate is None) != (listening.key is None):
        raise UsageError("TLS needs both --tls-cert and --tls-key.")
    for file in (listening.certificate, listening.key):
        if file is not None and not file.is_file():
            raise UsageError(f"{file} is no file.")


class Door:
    """ASGI middleware in front of the SDK: health, token, time limit of a request's body.

    Args:
        app: The SDK's application.
        served: Knows what is at work.
        tokens: Who may come in; none lets everybody in, which is only allowed on loopback.
    """

    def __init__(self, app: ASGIApp, served: Served, tokens: Tokens) -> None:
        self._app, self._served, self._tokens = app, served, tokens
        self.closing = False
        """Set when the signal to stop has come: health says so, for balancers; clients at work may still finish."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, refuse it, or hand it on with the client's name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == "/health":
            state = "closing" if self.closing else "ok"
            body = {"status": state, "working": self._served.working}
            await respond(send, 503 if self.closing else 200, body)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        client: str | None = LOCAL
        if self._tokens:
            client = self._tokens.name(headers.get(b"authorization", b"").decode("latin-1"))
        if client is None:
            await respond(send, 401, {"error": "invalid_token"}, ((b"www-authenticate", b"Bearer"),))
            return
        scope[SCOPE_KEY] = client
        scope["user"] = _user(client)
        await self._app(scope, _timed(receive), send)


def _user(client: str) -> Any:
    """The SDK ties a session to the user who opened it, so that nobody can go on with another client's session."""
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken

    return AuthenticatedUser(AccessToken(token="", client_id=client, scopes=[]))


def _timed(receive: Receive) -> Receive:
    """Receive a request's body within a time; afterwards wait without limit, for the client to leave."""
    whole = False

    async def timed() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), BODY_SECONDS)
        except TimeoutError:
            return {"type": "http.disconnect"}
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return timed


async def respond(send: Send, status: int, body: dict[str, Any], headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send a small JSON response."""
    data = json.dumps(body).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": data})


def application(served: Served, listening: Listening, tokens: Tokens, port: int) -> Door:
    """The whole ASGI application.

    Args:
        served: The server.
        listening: Where it listens.
        tokens: Who may come in.
        port: The port it really listens on.
    """
    from mcp.server.transport_security import TransportSecuritySettings

    names = ["127.0.0.1", "localhost", "[::1]"] if listening.loopback else [listening.host]
    hosts = [f"{name}:{port}" for name in names]
    hosts += [one for host in listening.allowed_hosts for one in ((host,) if ":" in host else (host, f"{host}:*"))]
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    app = served.server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=listening.stateless,
        max_request_body_size=BODY_LIMIT,
        session_idle_timeout=SESSION_IDLE_SECONDS,
        max_sessions=SESSIONS,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins),
        host=listening.host,
    )
    return Door(app, served, tokens)


def serve_http(served: Served, listening: Listening, tokens: Tokens, announce: Callable[[str], None]) -> None:
    """Serve until a signal; then take no new questions, let those at work end within the time, and stop.

    Args:
        served: The server.
        listening: Where it listens.
        tokens: Who may come in.
        announce: Is given the address once connections are taken.

    Raises:
        UsageError: The address is not free or not of this machine, or `check` refuses it.
    """
    import uvicorn

    check(listening, tokens)
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((listening.host, listening.port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        raise UsageError(f"{listening.host}:{listening.port} cannot be listened on: {error.strerror}.") from None
    port = bound.getsockname()[1]
    served.drain_seconds = 0.0  # they had their time before the server stops
    door = application(served, listening, tokens, port)
    server = uvicorn.Server(
        uvicorn.Config(
            door,
            log_level="critical",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=2,
            ssl_certfile=str(listening.certificate) if listening.certificate else None,
            ssl_keyfile=str(listening.key) if listening.key else None,
        )
    )
    scheme = "https" if listening.certificate else "http"
    host = f"[{listening.host}]" if family == socket.AF_INET6 else listening.host
    announce(f"{scheme}://{host}:{port}{PATH}")
    asyncio.run(_run(server, door, served, listening, bound))


async def _run(server: Any, door: Door, served: Served, listening: Listening, bound: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # uvicorn installs handlers of its own that stop at once, without waiting for what is at work.
    serving = asyncio.create_task(server._serve([bound]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    door.closing = True
    served.stop_taking()
    deadline = loop.time() + listening.drain_seconds
    stop.clear()
    idle_since = loop.time()
    while loop.time() < deadline and not stop.is_set():  # a second signal ends it at once
        if served.working:
            idle_since = loop.time()
        elif loop.time() - idle_since >= LINGER_SECONDS:
            break
        await asyncio.sleep(0.05)
    server.should_exit = True
    stopping.cancel()
    await serving
