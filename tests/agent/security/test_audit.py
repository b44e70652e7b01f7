"""One record per call of a model, with where it went and how much, and without a word of it."""

import hashlib
import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.messages.content import create_image_block, create_text_block

from secondread.agent.agent import Agent
from secondread.agent.audit import prompt_bytes
from secondread.agent.audit_file import FILE_NAME, Sent, read_audit
from secondread.agent.config import Settings
from secondread.agent.destination import destination
from secondread.agent.planners.chat import ChatPlanner
from secondread.agent.planners.local_model import LocalChatModel
from secondread.agent.planners.protocol import ProtocolPlanner
from secondread.agent.planners.scripted import ScriptedChatModel
from secondread.schema.errors import ReplayError
from secondread.serve.cli.main import main
from secondread.tools.runtime.runtime import Runtime

QUESTION = "What causes an enlarged heart?"
KEY = "sk-canary-1234567890"
HOST = "models.example.org"


class Server(ThreadingHTTPServer):
    """Speaks the OpenAI protocol and keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[dict[str, Any]] = []
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        message = {"role": "assistant", "content": '{"action": "answer"}'}
        usage = {"prompt_tokens": 31, "completion_tokens": 7, "total_tokens": 38}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        reply = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        body = json.dumps(reply if self.server.status == 200 else {"error": {"message": KEY}}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that looks remote: its name is looked up as an address of this machine."""
    import socket

    server, real = Server(), socket.getaddrinfo
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lookup = lambda host, *rest, **more: real("127.0.0.1" if host in (HOST, HOST.encode()) else host, *rest, **more)  # noqa: E731  one line
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def plain_runtime() -> Iterator[Runtime]:
    made = Runtime()
    yield made
    made.close()


def agent_of(planner: Any, runtime: Runtime, folder: Path, **settings: Any) -> Agent:
    return Agent(planner, runtime=runtime, settings=Settings(trace_dir=folder, cache_dir=None, **settings))


def url(server: Server) -> str:
    return f"http://someone:{KEY}@{HOST}:{server.server_port}/v1?token={KEY}#m"


def sent_as(body: dict[str, Any]) -> tuple[bytes, list[bytes]]:
    """What the server got, counted as the audit counts."""
    kinds = {"system": SystemMessage, "developer": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return prompt_bytes([kinds[m["role"]](m["content"]) for m in body["messages"]])


def test_every_call_to_a_remote_server_is_recorded_and_nothing_that_was_said(
    remote: Server, plain_runtime: Runtime, tmp_path: Path
) -> None:
    pytest.importorskip("langchain_openai")
    answer = agent_of(url(remote), plain_runtime, tmp_path).ask(None, QUESTION)
    found = read_audit(tmp_path, answer.trace)
    assert found
    assert len(found) == len(remote.bodies)
    for record, body in zip(found, remote.bodies, strict=True):
        text, pictures = sent_as(body)
        assert (record.host, record.port, record.where, record.model) == (HOST, remote.server_port, "remote", "m")
        assert record.sha256 == hashlib.sha256(text).hexdigest()
        assert (record.bytes, record.images, record.pixels) == (len(text), len(pictures), False)
        assert (record.tool_bytes > 0) == ("tools" in body)
        assert record.tokens is not None
        assert (record.tokens.input, record.tokens.output, record.outcome) == (31, 7, "replied")
    file = tmp_path / FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.read_text().lower()
    for said in (KEY, "someone", "token=", "causes", "propositions", "<data>", "/v1"):
        assert said not in written
    everything = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert KEY.encode() not in everything


def test_only_text_goes_out_unless_pixels_are_allowed(remote: Server, plain_runtime: Runtime, tmp_path: Path) -> None:
    pytest.importorskip("langchain_openai")
    import numpy as np

    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    question = "What is the mean intensity of this image?"
    agent_of(url(remote), plain_runtime, tmp_path / "text").ask(image, question)
    assert remote.bodies
    assert "image_url" not in json.dumps(remote.bodies)
    assert not any(one.pixels or one.images for one in read_audit(tmp_path / "text"))
    remote.bodies.clear()
    agent_of(url(remote), plain_runtime, tmp_path / "pixels", send_pixels=True).ask(image, question)
    found = read_audit(tmp_path / "pixels")
    for record, body in zip(found, remote.bodies, strict=True):
        text, pictures = sent_as(body)
        assert (record.bytes, record.sha256) == (len(text), hashlib.sha256(text).hexdigest())
        assert record.image_bytes == sum(map(len, pictures))
        parts = [p for m in body["messages"] for p in m["content"] if isinstance(p, dict)]
        urls = [p["image_url"]["url"] for p in parts if "image_url" in p]
        assert record.images == len(urls)
        assert record.pixels == bool(urls)
        assert record.image_bytes == sum(len(u.partition("base64,")[2]) for u in urls)
    assert any(one.pixels for one in found)


def test_a_failing_server_is_recorded_by_the_kind_of_error(
    remote: Server, plain_runtime: Runtime, tmp_path: Path
) -> None:
    pytest.importorskip("langchain_openai")
    remote.status = 401
    answer = agent_of(url(remote), plain_runtime, tmp_path).ask(None, QUESTION)
    found = read_audit(tmp_path, answer.trace)
    assert found
    assert {one.outcome for one in found} == {"failed"}
    assert all(one.error and one.error.isidentifier() for one in found)
    assert KEY not in (tmp_path / FILE_NAME).read_text()


class Slow(ScriptedChatModel):
    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        import asyncio

        await asyncio.sleep(30)


def test_a_call_that_is_given_up_is_recorded(plain_runtime: Runtime, tmp_path: Path) -> None:
    answer = agent_of(ChatPlanner(Slow(replies=["x"]), timeout=0.05), plain_runtime, tmp_path).ask(None, QUESTION)
    assert answer.claims
    assert {one.outcome for one in read_audit(tmp_path)} == {"unanswered"}


def test_a_call_that_cannot_be_recorded_is_not_made(plain_runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir(parents=True)
    model = ScriptedChatModel(replies=['{"action": "answer"}'])
    answer = agent_of(model, plain_runtime, tmp_path).ask(None, QUESTION)
    assert model.asked == []
    assert answer.claims


@pytest.mark.parametrize("planner", ["protocol", "off"])
def test_without_calls_or_with_the_setting_off_there_is_no_file(
    planner: str, plain_runtime: Runtime, tmp_path: Path
) -> None:
    model = ScriptedChatModel(replies=['{"action": "answer"}'])
    agent_of("protocol" if planner == "protocol" else model, plain_runtime, tmp_path, audit=planner != "off").ask(
        None, QUESTION
    )
    assert not (tmp_path / FILE_NAME).exists()
    assert read_audit(tmp_path) == []


def test_runs_at_the_same_time_are_told_apart(plain_runtime: Runtime, tmp_path: Path) -> None:
    agents = [agent_of(ScriptedChatModel(replies=['{"action": "answer"}']), plain_runtime, tmp_path) for _ in range(4)]
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda a=a: answers.append(a.ask(None, QUESTION))) for a in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_audit(tmp_path)
    models = sum(len(a.planner.model.asked) for a in agents)  # type: ignore[attr-defined]  # a chat planner each
    assert len(found) == models
    assert {one.run for one in found} == {a.trace for a in answers}


def test_a_damaged_file_is_told_and_a_torn_line_passed_over(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.parent.mkdir()
    file.write_text('{"record": "call", "torn')
    assert read_audit(tmp_path) == []
    for damage in ("[]\n", '{"record": "call"}\n', "no\n", '{"record": "call", "call": "a", "schema": 9}\n'):
        file.write_text(damage)
        with pytest.raises(ReplayError, match=r"calls\.jsonl"):
            read_audit(tmp_path)


def test_the_command_lists_the_calls(
    plain_runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECONDREAD_TRACE_DIR", str(tmp_path))
    assert main(["audit"]) == 0
    assert "no calls" in capsys.readouterr().out
    answer = agent_of(ScriptedChatModel(replies=['{"action": "answer"}']), plain_runtime, tmp_path).ask(None, QUESTION)
    assert main(["audit", answer.trace]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(read_audit(tmp_path))
    assert all(answer.trace in line and "replied" in line for line in lines[1:])
    assert main(["audit", "--json"]) == 0
    assert [Sent.model_validate(c) for c in json.loads(capsys.readouterr().out)["calls"]] == read_audit(tmp_path)
    assert main(["audit", "0" * 16]) == 0
    assert "no calls" in capsys.readouterr().out


def openai(**options: Any) -> Any:
    made = pytest.importorskip("langchain_openai").ChatOpenAI
    return made(model="m", api_key="none", **options)


@pytest.mark.parametrize(
    ("made", "where", "host"),
    [
        (lambda: openai(), "remote", "api.openai.com"),
        (lambda: openai(base_url="http://127.0.0.1:9/v1"), "machine", "127.0.0.1"),
        (lambda: openai(base_url="http://[::1]:9/v1"), "machine", "::1"),
        (lambda: openai(base_url="http://127.0.0.1.example.org/v1"), "remote", "127.0.0.1.example.org"),
        (lambda: ChatPlanner(openai(base_url="https://u:p@Example.org/x?k=1")), "remote", "example.org"),
        (lambda: LocalChatModel(None, None), "machine", None),
        (lambda: ScriptedChatModel(replies=["x"]), "unknown", None),
        (lambda: ProtocolPlanner(), "unknown", None),
    ],
)
def test_where_a_model_runs_is_told_from_its_address(made: Any, where: str, host: str | None) -> None:
    found = destination(made())
    assert (found.where, found.host) == (where, host)


def test_random_block_ids_do_not_change_the_hash_and_pictures_do() -> None:
    def prompt(picture: str) -> tuple[bytes, list[bytes]]:
        blocks: list[Any] = [create_text_block("q"), create_image_block(base64=picture, mime_type="image/png")]
        return prompt_bytes([SystemMessage("s"), HumanMessage(content_blocks=blocks)])

    assert prompt("AAAA") == prompt("AAAA")
    assert prompt("AAAA")[0] != prompt("BBBB")[0]
    assert prompt("AAAA")[1] == [b"AAAA"]
    assert b"AAAA" not in prompt("AAAA")[0]


def test_a_call_without_its_outcome_was_cut_off(plain_runtime: Runtime, tmp_path: Path) -> None:
    agent_of(ScriptedChatModel(replies=['{"action": "answer"}']), plain_runtime, tmp_path).ask(None, QUESTION)
    file = tmp_path / FILE_NAME
    calls = [line for line in file.read_text().splitlines(keepends=True) if json.loads(line)["record"] == "call"]
    file.write_text("".join(calls))
    assert {one.outcome for one in read_audit(tmp_path)} == {"cut_off"}
