import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mcp import MCPError

from secondread.schema.errors import UsageError
from secondread.serve.mcp.clients import LOCAL, SCOPE_KEY, client_of
from secondread.serve.mcp.limits import TOO_LONG, TOO_MANY, Gate, Limits
from secondread.serve.mcp.tokens import load_tokens

TOKEN = "t" * 32


def request(client: str = "a", method: str = "tools/call", number: int | None = 1) -> Any:
    http = SimpleNamespace(scope={SCOPE_KEY: client})
    return SimpleNamespace(request_id=number, method=method, request=http)


async def at_once(ctx: Any) -> dict[str, Any]:
    return {}


def test_requests_beyond_the_rate_are_refused_until_time_has_passed() -> None:
    now = [0.0]
    gate = Gate(Limits(per_minute=60), lambda: now[0])

    async def run() -> None:
        for _ in range(100):
            await gate(request(), at_once)
        with pytest.raises(MCPError) as refused:
            await gate(request(), at_once)
        assert refused.value.error.code == TOO_MANY
        await gate(request("b"), at_once)
        await gate(request(number=None, method="notifications/cancelled"), at_once)
        now[0] = 2.0
        await gate(request(), at_once)

    asyncio.run(run())


def test_calls_wait_for_a_place_and_too_many_waiting_are_refused() -> None:
    gate = Gate(Limits(at_once=2, waiting=1))
    most, inside = 0, 0
    go = asyncio.Event()

    async def slow(ctx: Any) -> dict[str, Any]:
        nonlocal most, inside
        inside += 1
        most = max(most, inside)
        await go.wait()
        inside -= 1
        return {}

    async def run() -> None:
        calls = [asyncio.create_task(gate(request(), slow)) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert gate.calls == 3
        with pytest.raises(MCPError):
            await gate(request(), slow)
        await gate(request(method="tools/list"), at_once)
        go.set()
        await asyncio.gather(*calls)

    asyncio.run(run())
    assert most == 2
    assert gate.calls == 0


def test_a_call_ends_after_its_time_and_gives_its_place_back() -> None:
    gate = Gate(Limits(at_once=1, seconds=0.05))

    async def forever(ctx: Any) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    async def run() -> None:
        with pytest.raises(MCPError) as ended:
            await gate(request(), forever)
        assert ended.value.error.code == TOO_LONG
        await gate(request(), at_once)

    asyncio.run(run())


def test_a_client_is_the_name_of_its_token_or_local() -> None:
    assert client_of(request("alice")) == "alice"
    assert client_of(SimpleNamespace(request_context=request("bob"))) == "bob"
    assert client_of(SimpleNamespace(request=None)) == LOCAL


def test_tokens_come_from_a_private_file_and_are_compared_whole(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# who\nalice:{TOKEN}\n\n{'u' * 30}\n")
    file.chmod(0o600)
    tokens = load_tokens(file, "v" * 40)
    assert tokens.name(f"Bearer {TOKEN}") == "alice"
    assert tokens.name(f"bearer {'u' * 30}") == "line4"
    assert tokens.name(f"Bearer {'v' * 40}") == "environment"
    for wrong in (None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN):
        assert tokens.name(wrong) is None
    assert not load_tokens(None)


@pytest.mark.parametrize(
    ("text", "mode", "wrong"),
    [
        (f"alice:{TOKEN}", 0o644, "Others may read"),
        ("alice:short", 0o600, "line 1: a token has at least 24"),
        (f"alice:{TOKEN}\nalice:{'x' * 32}", 0o600, "line 2: the name or the token is there twice"),
        (f"al ice:{TOKEN}", 0o600, "line 1: the name of a client"),
        (f"alice:{TOKEN} {TOKEN}", 0o600, "fit for a header"),
        ("# none", 0o600, "holds no token"),
    ],
)
def test_a_wrong_token_file_is_one_error_without_the_token(tmp_path: Path, text: str, mode: int, wrong: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(UsageError, match=wrong) as error:
        load_tokens(file)
    assert TOKEN not in str(error.value)
