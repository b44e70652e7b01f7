"""The real command as a process: real clients, bad ones, and the signals that end it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.serve.mcp.stdio import BoundedLines

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[3] / "examples"
COMMAND = [sys.executable, "-m", "secondread.serve.cli.main", "mcp", "--root", str(EXAMPLES)]
QUESTION = "Is the heart enlarged?"


@pytest.fixture
def own(tmp_path: Path) -> dict[str, str]:
    """An environment whose traces and kept results are the test's own."""
    return {
        **os.environ,
        "SECONDREAD_TRACE_DIR": str(tmp_path / "traces"),
        "SECONDREAD_CACHE_DIR": str(tmp_path / "cache"),
    }


class Raw:
    """A client that writes what it likes."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        )
        self.rpc(
            0, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "0"}
        )
        assert self.read()["result"]["serverInfo"]["name"] == "secondread"
        self.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode())

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def rpc(self, number: int, method: str, **params: Any) -> None:
        self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


def test_garbage_huge_lines_and_calls_cancelled_at_once_leave_the_server_working(own: dict[str, str]) -> None:
    client = Raw(own)
    for line in (b"garbage {{{", b"\xff\xfe\x00", b"[1, 2]", b"{}", b"[" * 100_000, b"", b"x" * (20 << 20)):
        client.send(line)
    client.rpc(1, "no/such/method")
    client.rpc(2, "tools/call", name="no_such_tool", arguments={})
    client.rpc(3, "tools/call", name="ask", arguments={"question": QUESTION, "image": "/etc/passwd"})
    client.rpc(4, "tools/call", name="ask", arguments={"question": QUESTION, "image": "chest.png"})
    client.send(b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}}')
    client.rpc(5, "tools/call", name="list_images", arguments={})
    found = {}
    while not {1, 2, 3, 5} <= set(found):
        answer = client.read()
        found[answer.get("id")] = answer
    assert found[1]["error"]["code"] == -32601
    assert found[2]["result"]["isError"]
    assert "allowed folder" in found[3]["result"]["content"][0]["text"]
    assert found[5]["result"]["structuredContent"]["total"] > 5
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert client.process.wait(30) == 0


def test_a_client_that_is_killed_takes_the_server_with_it_and_its_run_goes_on_from_where_it_stood(
    own: dict[str, str], tmp_path: Path
) -> None:
    script = (
        "import json, subprocess, sys\n"
        f"p = subprocess.Popen({COMMAND!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "def rpc(n, m, **k):\n"
        "    p.stdin.write(json.dumps({'jsonrpc': '2.0', 'id': n, 'method': m, 'params': k}).encode() + b'\\n')\n"
        "    p.stdin.flush()\n"
        "who = {'name': 'x', 'version': '0'}\n"
        "rpc(0, 'initialize', protocolVersion='2025-06-18', capabilities={}, clientInfo=who)\n"
        "p.stdout.readline()\n"
        f"rpc(1, 'tools/call', name='ask', arguments={{'question': {QUESTION!r}, 'image': 'chest.dcm'}},"
        " _meta={'progressToken': 1})\n"
        "print(p.pid, flush=True)\n"
        "for line in p.stdout:\n"
        "    print(line.decode().strip(), flush=True)\n"
    )
    client = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=own, text=True)
    assert client.stdout is not None
    server = int(client.stdout.readline())
    for line in client.stdout:
        if "cardiothoracic_ratio" in line:
            break
    client.send_signal(signal.SIGKILL)
    client.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{server}").exists() and "Z" not in Path(f"/proc/{server}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "the server outlives its client"
        time.sleep(0.1)
    settings = Settings(trace_dir=tmp_path / "traces", cache_dir=None)
    with Agent(settings=settings) as agent:
        [run] = agent.unfinished()
        answer = agent.resume(run)
        assert answer.verdict is not None
        assert not agent.unfinished()
    events = [json.loads(line) for line in (tmp_path / "traces" / f"{run}.jsonl").read_text().splitlines()]
    keys = [e["evidence"]["call_key"] for e in events if e["type"] == "result"]
    assert len(keys) == len(set(keys)) >= 4


@pytest.fixture
def token() -> str | None:
    """What the HTTP server asks for; the Inspector for Node 20 cannot send headers."""
    return "t" * 32


@pytest.fixture
def drain() -> int:
    """Seconds that work has to end after the signal."""
    return 300


@pytest.fixture
def http_server(own: dict[str, str], token: str | None, drain: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [*COMMAND, "--http", "--port", "0", "--drain-seconds", str(drain)],
        env={**own, "SECONDREAD_MCP_TOKEN": token or ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    url = re.search(r"http://\S+", process.stderr.readline())
    assert url is not None
    yield process, url[0]
    process.kill()
    process.wait()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_client_asks_over_stdio(own: dict[str, str], mode: str) -> None:
    async def conversation() -> None:
        server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=own)
        async with Client(server, mode=mode) as client:
            assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
            asked = {"question": QUESTION, "image": "chest.dcm"}
            result = await client.call_tool("ask", asked, read_timeout_seconds=300)
            assert result.structured_content["verdict"] == "no"
            assert len(result.model_dump_json()) < 200_000

    anyio.run(conversation)


def test_a_signal_lets_the_run_end_and_then_the_server(
    http_server: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, url = http_server

    async def conversation() -> None:
        headers = {"authorization": f"Bearer {'t' * 32}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=300, verify=False) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            told = anyio.Event()

            async def progress(done: float, total: float | None, message: str | None) -> None:
                told.set()

            async def stop() -> None:
                await told.wait()
                process.send_signal(signal.SIGTERM)

            async with anyio.create_task_group() as group:
                group.start_soon(stop)
                asked = {"question": QUESTION, "image": "chest.dcm"}
                result = await client.call_tool("ask", asked, progress_callback=progress)
            assert result.structured_content["verdict"] == "no"

    anyio.run(conversation)
    assert process.wait(60) == 0
    with Agent(settings=Settings(trace_dir=tmp_path / "traces", cache_dir=None)) as agent:
        assert not agent.unfinished()


@pytest.mark.parametrize("drain", [1])
def test_work_that_does_not_end_in_time_is_checkpointed(
    http_server: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, url = http_server

    async def conversation() -> None:
        async with (
            httpx2.AsyncClient(headers={"authorization": f"Bearer {'t' * 32}"}, timeout=300, verify=False) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            asked = {"question": QUESTION, "image": "chest.dcm"}
            state = (await client.call_tool("ask_start", asked)).structured_content
            while not any("film_quality" in step for step in state["steps"]):
                given = {"job": state["job"], "since": 0, "wait": 1}
                state = (await client.call_tool("ask_poll", given)).structured_content
            assert state["state"] == "working"
            process.send_signal(signal.SIGTERM)

    anyio.run(conversation)
    assert process.wait(60) == 0
    with Agent(settings=Settings(trace_dir=tmp_path / "traces", cache_dir=None)) as agent:
        [run] = agent.unfinished()
        assert agent.resume(run).verdict == "no"


def inspector(*words: str, env: dict[str, str], folder: Path) -> Any:
    """What the command line of the MCP Inspector prints."""
    if shutil.which("npx") is None:
        pytest.skip("npx is not installed")
    ready = subprocess.run(
        ["npx", "--yes", "@modelcontextprotocol/inspector", "--help"],
        cwd=folder, capture_output=True, text=True, timeout=400, check=False, env=env,
    )  # fmt: skip
    if ready.returncode != 0:
        pytest.skip(f"the Inspector cannot be installed: {ready.stderr[-200:]}")
    done = subprocess.run(
        ["npx", "--yes", "@modelcontextprotocol/inspector", "--cli", *words],
        cwd=folder, capture_output=True, text=True, timeout=400, check=False, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(1200)
def test_the_inspector_lists_calls_and_reads(own: dict[str, str], tmp_path: Path) -> None:
    listed = inspector(*COMMAND, "--method", "tools/list", env=own, folder=tmp_path)
    assert {"ask", "cardiothoracic_ratio", "kg_concept"} <= {t["name"] for t in listed["tools"]}
    called = inspector(
        *COMMAND, "--method", "tools/call", "--tool-name", "film_quality", "--tool-arg", "image=chest.dcm",
        env=own, folder=tmp_path,
    )  # fmt: skip
    assert called["structuredContent"]["result"]["overall"] == "ok"
    prompts = inspector(*COMMAND, "--method", "prompts/list", env=own, folder=tmp_path)
    assert len(prompts["prompts"]) == 5


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("token", [None])
def test_the_inspector_calls_over_http(
    http_server: tuple[subprocess.Popen[str], str], own: dict[str, str], tmp_path: Path
) -> None:
    _, url = http_server
    called = inspector(
        url, "--transport", "http", "--method", "tools/call", "--tool-name", "list_images", "--tool-arg", "limit=1",
        env=own, folder=tmp_path,
    )  # fmt: skip
    assert called["structuredContent"]["total"] > 5


def test_lines_are_bounded_and_the_next_one_is_whole() -> None:
    import io

    async def read(data: bytes) -> list[str]:
        return [line async for line in BoundedLines(io.BytesIO(data), limit=8)]

    assert anyio.run(read, b"short\n" + b"x" * 30 + b"\nnext\n\nlast") == [
        "short\n", '{"too long": true}\n', "next\n", "last",
    ]  # fmt: skip
