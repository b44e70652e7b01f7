"""No connections while an offline run is at work: a hook of the interpreter refuses what Python code tries.

The hook sees every connection, name look-up and datagram that goes through Python's socket module, whoever makes it:
asyncio, httpx, requests, urllib, torch.hub, a plug-in. It does not see native code with sockets of its own (gRPC),
other programs that are started, and connections that were open before. It is a guard against accidents and careless
plug-ins, no sandbox.
"""

import contextlib
import ipaddress
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal

from secondread.schema.errors import NetworkRefused

Level = Literal["open", "loopback", "none"]
"""What may be reached: anything, this machine alone, nothing at all."""
_STRICTER: dict[Level, int] = {"open": 0, "loopback": 1, "none": 2}
_SHOWN = re.compile(r"[^A-Za-z0-9.:_-]+")

_active: list[Level] = []
"""Levels of the runs at work; the strictest holds for threads that belong to no run."""
_own: ContextVar[Level | None] = ContextVar("secondread_offline", default=None)
_lock = threading.Lock()
_installed = False


def level() -> Level:
    """What the calling thread or task may reach."""
    own = _own.get()
    if own is not None:
        return own
    with _lock:
        return _strictest(_active)


@contextlib.contextmanager
def guarded(wanted: Level) -> Iterator[None]:
    """Hold to a level until the block ends: this task, what it starts, and threads that belong to no run.

    A guard inside another one never loosens it. A run that may reach anything keeps that beside an offline run, as
    long as it connects from its own tasks.
    """
    outer = _own.get()
    held = wanted if outer is None else _strictest((outer, wanted))
    if held != "open":
        _install()
    with _lock:
        _active.append(held)
    token = _own.set(held)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # closed from another context: nothing to go back to
            _own.reset(token)
        with _lock:
            _active.remove(held)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Hold this thread to what it may reach now, also when the run ends while the block still works."""
    token = _own.set(level())
    try:
        yield
    finally:
        _own.reset(token)


def _strictest(levels: "list[Level] | tuple[Level, ...]") -> Level:
    return max(levels, key=_STRICTER.__getitem__, default="open")


def _install() -> None:
    """Add the hook once; the interpreter has no way to take one away."""
    global _installed
    with _lock:
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True


def _hook(event: str, args: tuple[Any, ...]) -> None:
    """Refuse what the level forbids.

    Raises:
        NetworkRefused: A connection, datagram, name look-up or a socket that listens to other machines.
    """
    if not event.startswith("socket."):
        return
    now = level()
    if now == "open":
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        where = args[1]
        if where is not None and not _reached(args[0], where, now):
            raise _refused(where)
    elif event == "socket.bind":
        if not _listens_here(args[0], args[1]):
            raise _refused(args[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        if not _is_here(args[0]):  # a name is looked up by asking other machines
            raise _refused(args[0])
    elif event == "socket.getnameinfo" and not _is_here(args[0][0] if isinstance(args[0], tuple) else args[0]):
        raise _refused(args[0])


def _reached(sock: Any, where: Any, now: Level) -> bool:
    """Whether an address may be connected to."""
    if now == "none":
        return False
    family = getattr(sock, "family", None)
    if family == getattr(socket, "AF_UNIX", None):
        return True
    return family in (socket.AF_INET, socket.AF_INET6) and isinstance(where, tuple) and _is_here(where[0])


def _listens_here(sock: Any, where: Any) -> bool:
    """Whether a socket is bound to where only this machine can reach it."""
    if getattr(sock, "family", None) in (socket.AF_INET, socket.AF_INET6):
        return isinstance(where, tuple) and where[0] != "" and _is_here(where[0])
    return getattr(sock, "family", None) in (getattr(socket, "AF_UNIX", None), getattr(socket, "AF_NETLINK", None))


def _is_here(host: Any) -> bool:
    """Whether a host name or address is this machine, told from its text alone."""
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode("ascii", "replace")
    if host is None or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refused(where: Any) -> NetworkRefused:
    host = where[0] if isinstance(where, tuple) and where else where
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode("ascii", "replace")
    told = _SHOWN.sub("?", str(host))[:80]
    return NetworkRefused(f"Offline: a connection to {told} was refused.", hint="Run without --offline to allow it.")
