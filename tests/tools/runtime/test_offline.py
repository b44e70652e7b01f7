"""The guard of offline runs: what it refuses, whom it holds, and that it lets go."""

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from secondread.schema.errors import NetworkRefused, SecondReadError
from secondread.tools.runtime.offline import Level, guarded, kept, level

REFUSED = "198.51.100.7"
"""TEST-NET-2: never anybody's address, so that a hole in the guard reaches no one."""


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    """A port of this machine that takes connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield server.getsockname()


def datagram(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", address)


def message(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"x"], [], 0, address)


def connected(address: tuple[str, int]) -> None:
    with socket.socket() as sock:
        sock.settimeout(1)
        sock.connect(address)


def quietly(address: tuple[str, int]) -> None:
    with socket.socket() as sock:
        sock.settimeout(1)
        sock.connect_ex(address)


def bound(address: tuple[str, int]) -> None:
    with socket.socket() as sock:
        sock.bind(address)


def with_asyncio(host: str) -> None:
    asyncio.run(asyncio.wait_for(asyncio.open_connection(host, 80), 1))


def from_a_thread(address: tuple[str, int]) -> None:
    """A thread that knows of no run, as plug-ins start them."""
    caught: list[BaseException] = []

    def work() -> None:
        try:
            connected(address)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


TRIES: dict[str, Callable[[], Any]] = {
    "connect": lambda: connected((REFUSED, 80)),
    "connect_ex": lambda: quietly((REFUSED, 80)),
    "create_connection": lambda: socket.create_connection((REFUSED, 80), 1),
    "another thread": lambda: from_a_thread((REFUSED, 80)),
    "datagram": lambda: datagram((REFUSED, 53)),
    "message": lambda: message((REFUSED, 53)),
    "name": lambda: socket.getaddrinfo("secondread.invalid", 80),
    "old name": lambda: socket.gethostbyname("secondread.invalid"),
    "reverse name": lambda: socket.gethostbyaddr(REFUSED),
    "number to name": lambda: socket.getnameinfo((REFUSED, 80), 0),
    "name as bytes": lambda: socket.getaddrinfo(b"secondread.invalid", 80),
    "asyncio": lambda: with_asyncio(REFUSED),
    "asyncio by name": lambda: with_asyncio("secondread.invalid"),
    "listen to all": lambda: bound(("0.0.0.0", 0)),
    "listen to all, short": lambda: bound(("", 0)),
    "looks local": lambda: socket.getaddrinfo("127.0.0.1.secondread.invalid", 80),
}


@pytest.mark.parametrize("name", TRIES)
@pytest.mark.parametrize("held", ["none", "loopback"])
def test_what_leaves_the_machine_is_refused(name: str, held: Level) -> None:
    with guarded(held), pytest.raises(NetworkRefused, match="Offline: a connection to"):
        TRIES[name]()


def test_urllib_and_httpx_are_refused() -> None:
    httpx = pytest.importorskip("httpx")
    with guarded("none"):
        with pytest.raises(urllib.error.URLError, match="Offline"):
            urllib.request.urlopen("http://secondread.invalid", timeout=1)
        with pytest.raises(httpx.ConnectError, match="Offline"):
            httpx.get("http://secondread.invalid", trust_env=False, timeout=1)
        with pytest.raises(httpx.ConnectError):
            asyncio.run(_asked(httpx))


async def _asked(httpx: Any) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=1) as client:
        await client.get(f"http://{REFUSED}")


@pytest.mark.slow
def test_torch_hub_is_refused(tmp_path: Any) -> None:
    import torch

    with guarded("none"), pytest.raises(urllib.error.URLError, match="Offline"):
        torch.hub.load_state_dict_from_url("http://secondread.invalid/w.pt", model_dir=str(tmp_path))


def test_requests_is_refused() -> None:
    requests = pytest.importorskip("requests")
    with guarded("none"), pytest.raises(requests.ConnectionError, match="Offline"):
        requests.get("http://secondread.invalid", timeout=1)


def test_this_machine_may_be_reached_where_the_level_says_so(listening: tuple[str, int], tmp_path: Any) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, guarded("loopback"):
        server.bind(path)
        server.listen()
        connected(listening)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        socket.getaddrinfo("localhost", 80)
    with guarded("none"):
        with pytest.raises(NetworkRefused):
            connected(listening)
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(NetworkRefused):
            client.connect(path)


def test_it_lets_go_also_after_an_error(listening: tuple[str, int]) -> None:
    with pytest.raises(ZeroDivisionError), guarded("none"):
        raise ZeroDivisionError
    assert level() == "open"
    connected(listening)


def test_a_guard_inside_another_one_never_loosens_it(listening: tuple[str, int]) -> None:
    with guarded("none"):
        with guarded("open"), pytest.raises(NetworkRefused):
            connected(listening)
        with guarded("loopback"), pytest.raises(NetworkRefused):
            connected(listening)
        assert level() == "none"
    with guarded("loopback"):
        with guarded("none"):
            assert level() == "none"
        connected(listening)


def test_runs_side_by_side_keep_their_own_levels_and_foreign_threads_the_strictest(listening: tuple[str, int]) -> None:
    async def run(held: Level, started: asyncio.Event, go: asyncio.Event) -> str:
        with guarded(held):
            started.set()
            await go.wait()
            try:
                _, writer = await asyncio.open_connection(*listening)
            except NetworkRefused:
                return "refused"
            writer.close()
            return "connected"

    async def both() -> tuple[list[str], Level]:
        starts, go = [asyncio.Event() for _ in range(3)], asyncio.Event()
        held: tuple[Level, ...] = ("open", "loopback", "none")
        tasks = [asyncio.create_task(run(one, start, go)) for one, start in zip(held, starts, strict=True)]
        for start in starts:
            await start.wait()
        seen: list[Level] = []
        thread = threading.Thread(target=lambda: seen.append(level()))
        thread.start()
        thread.join()
        go.set()
        return list(await asyncio.gather(*tasks)), seen[0]

    assert asyncio.run(both()) == (["connected", "connected", "refused"], "none")
    assert level() == "open"


def test_work_that_outlives_its_run_stays_held(listening: tuple[str, int]) -> None:
    began, ended = threading.Event(), threading.Event()
    caught: list[type[BaseException]] = []

    def hung_tool() -> None:
        with kept():
            began.set()
            ended.wait(10)
            try:
                connected(listening)
            except SecondReadError as error:
                caught.append(type(error))

    thread = threading.Thread(target=hung_tool)
    with guarded("none"):
        thread.start()
        began.wait(10)
    ended.set()
    thread.join()
    assert caught == [NetworkRefused]
    connected(listening)
