import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from secondread.schema.errors import UsageError
from secondread.serve.mcp.http import BODY_LIMIT, Listening, check
from secondread.serve.mcp.server import Served
from secondread.serve.mcp.tokens import Tokens
from tests.serve.conftest import Factory
from tests.serve.mcp.conftest import over_http

ALICE, BOB = "a" * 32, "b" * 32
TOKENS = Tokens({"alice": ALICE, "bob": BOB})
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPT = {"accept": "application/json, text/event-stream"}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def connected(url: str, work: Callable[[Any], Any], *, token: str | None = None, mode: str = "auto") -> Any:
    # Loading the certificates of this machine would take most of the time of a plain connection.
    async with (
        httpx2.AsyncClient(headers=bearer(token) if token else {}, timeout=60, verify=False) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        return await work(client)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("stateless", [False, True])
def test_clients_of_both_revisions_ask_and_hear_the_progress(
    serve: Callable[..., Served], film: Path, mode: str, stateless: bool
) -> None:
    async def work(client: Any) -> None:
        steps: list[str | None] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            steps.append(message)

        asked = {"question": "Is it bright?", "image": film.name}
        answer = (await client.call_tool("ask", asked, progress_callback=progress)).structured_content
        assert answer["verdict"] == "yes"
        assert steps == ["act: measuring"]
        drawn = await client.call_tool("get_overlay", {"run": answer["trace"], "evidence": "E2"})
        assert drawn.content[0].mime_type == "image/png"

    with over_http(serve(), Tokens({}), stateless=stateless) as (url, _):
        anyio.run(lambda: connected(url, work, mode=mode))


def test_results_of_one_client_are_not_shown_to_another(serve: Callable[..., Served], film: Path) -> None:
    async def work(url: str) -> None:
        asked = {"question": "Is it bright?", "image": film.name}
        answer = await connected(url, lambda c: c.call_tool("ask", asked), token=ALICE)
        job = await connected(url, lambda c: c.call_tool("ask_start", asked), token=ALICE)
        run, image = answer.structured_content["trace"], answer.structured_content["evidence"][0]["image"]
        for tool, given in (
            ("get_overlay", {"run": run, "evidence": "E2"}),
            ("get_evidence", {"run": run, "evidence": "E2"}),
            ("bright_part", {"image": image}),
            ("ask_poll", {"job": job.structured_content["job"]}),
        ):
            mine = await connected(url, lambda c, t=tool, g=given: c.call_tool(t, g), token=ALICE)  # type: ignore[misc]
            other = await connected(url, lambda c, t=tool, g=given: c.call_tool(t, g), token=BOB)  # type: ignore[misc]
            assert (mine.is_error, other.is_error) == (False, True), tool

    with over_http(serve(), TOKENS) as (url, _):
        anyio.run(work, url)


def test_who_may_not_come_in_is_refused_before_anything_is_read(serve: Callable[..., Served]) -> None:
    with over_http(serve(), TOKENS) as (url, _), httpx2.Client(headers=ACCEPT, verify=False) as http:
        assert http.post(url, json=PING).status_code == 401
        assert http.post(url, json=PING, headers=bearer("c" * 32)).status_code == 401
        good = bearer(ALICE)
        assert http.post(url, json=PING, headers={**good, "host": "evil.example.org"}).status_code == 421
        assert http.post(url, json=PING, headers={**good, "origin": "http://evil.example.org"}).status_code == 403
        assert http.post(url, content=b"x" * (BODY_LIMIT + 1), headers=good).status_code in (400, 413)
        huge = {**good, "content-type": "application/json"}
        assert http.post(url, content=b"x" * (BODY_LIMIT + 1), headers=huge).status_code == 413
        for garbage in (b"", b"{", b"[]", b"\xff\xfe", b"[" * 50_000, b'{"jsonrpc": "2.0", "id": 1, "method": 5}'):
            response = http.post(url, content=garbage, headers=huge)
            assert 400 <= response.status_code < 500, garbage[:20]
        unknown = {**huge, "mcp-session-id": "0" * 32}
        assert http.post(url, json=PING, headers=unknown).status_code == 404
        assert http.get(url.replace("/mcp", "/etc/passwd"), headers=good).status_code == 404
        assert http.get(url.replace("/mcp", "/health")).json() == {"status": "ok", "working": 0}


def test_a_session_belongs_to_the_client_that_opened_it(serve: Callable[..., Served]) -> None:
    start = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}},
    }
    with over_http(serve(), TOKENS) as (url, _), httpx2.Client(headers=ACCEPT, verify=False) as http:
        session = http.post(url, json=start, headers=bearer(ALICE)).headers["mcp-session-id"]
        assert http.post(url, json=PING, headers={**bearer(BOB), "mcp-session-id": session}).status_code == 404
        assert http.post(url, json=PING, headers={**bearer(ALICE), "mcp-session-id": session}).status_code == 200


def test_after_the_signal_no_question_is_taken_and_health_says_so(
    serve: Callable[..., Served], film: Path, factory: Factory
) -> None:
    hold = threading.Event()
    factory.prepare = lambda agent: setattr(agent, "before_answer", lambda image, question: hold.wait(20))
    served = serve()

    async def work(client: Any) -> None:
        asked = {"question": "Is it bright?", "image": film.name}
        job = (await client.call_tool("ask_start", asked)).structured_content["job"]
        assert served.working == 1
        served.stop_taking()
        assert "shutting down" in (await client.call_tool("ask", asked)).content[0].text
        hold.set()
        assert (await client.call_tool("ask_poll", {"job": job, "since": 1})).structured_content["state"] == "done"
        assert served.working == 0

    with over_http(served, Tokens({})) as (url, door):
        anyio.run(lambda: connected(url, work))
        door.closing = True
        with httpx2.Client(headers=ACCEPT, verify=False) as http:
            health = http.get(url.replace("/mcp", "/health"))
            assert (health.status_code, json.loads(health.text)["status"]) == (503, "closing")


@pytest.mark.slow
def test_sixty_four_clients_at_the_same_time_meet_no_error(serve: Callable[..., Served], film: Path) -> None:
    async def work(client: Any) -> list[Any]:
        results = [await client.call_tool("bright_share", {"image": film.name, "digits": 2})]
        results.append(await client.call_tool("list_images", {}))
        return results

    async def all_of_them(url: str) -> None:
        found: list[Any] = []

        async def one(mode: str) -> None:
            found.extend(await connected(url, work, mode=mode))

        async with anyio.create_task_group() as group:
            for number in range(64):
                group.start_soon(one, "auto" if number % 2 else "legacy")
        assert len(found) == 128
        assert not any(result.is_error for result in found)

    with over_http(serve(), Tokens({})) as (url, _):
        anyio.run(all_of_them, url)


@pytest.mark.parametrize(
    ("given", "tokens", "wrong"),
    [
        ({"host": "0.0.0.0"}, Tokens({}), "needs a bearer token"),
        ({"host": "reader.example.org"}, Tokens({}), "needs a bearer token"),
        ({"certificate": Path("a.pem")}, TOKENS, "both --tls-cert and --tls-key"),
        ({"certificate": Path("/no/a.pem"), "key": Path("/no/b.pem")}, TOKENS, "/no/a.pem is no file"),
    ],
)
def test_listening_where_anybody_could_connect_is_refused(given: dict[str, Any], tokens: Tokens, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        check(Listening(**given), tokens)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.7"])
def test_loopback_needs_no_token(host: str) -> None:
    check(Listening(host=host), Tokens({}))
