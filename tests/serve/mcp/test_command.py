import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from secondread.serve.cli.main import main
from secondread.serve.mcp import http
from secondread.serve.mcp.server import Served
from secondread.serve.mcp.tokens import Tokens
from tests.serve.mcp.conftest import over_http


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--port", "9"], "--port goes with --http"),
        (["--token-file", "t"], "--token-file goes with --http"),
        (["--http", "--client-roots"], "--client-roots is for stdio"),
        (["--http", "--host", "0.0.0.0"], "needs a bearer token"),
        (["--http", "--token-file", "/no/such/file"], "/no/such/file cannot be read"),
        (["--http", "--tls-cert", "c.pem"], "both --tls-cert and --tls-key"),
        (["--http", "--port", "70000"], "port from 0 to 65535"),
        (["--root", "/no/such/folder"], "/no/such/folder is not a folder"),
    ],
)
def test_words_that_make_no_sense_are_one_line_and_code_2(
    words: list[str], wrong: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECONDREAD_MCP_TOKEN", raising=False)
    assert main(["mcp", *words]) == 2
    told = capsys.readouterr()
    assert wrong in told.err
    assert told.out == ""


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["mcp", "--http", "--port", str(taken.getsockname()[1]), "--root", str(tmp_path)]) == 2
    assert "cannot be listened on" in capsys.readouterr().err


def test_a_request_that_never_ends_is_dropped(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.2)
    with over_http(serve(), Tokens({})) as (url, _):
        host, port = url.removeprefix("http://").removesuffix("/mcp").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            head = f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            head += "Accept: application/json, text/event-stream\r\nContent-Length: 1000\r\n\r\n{"
            slow.sendall(head.encode())
            started = time.monotonic()
            answer = slow.recv(1000)
            assert time.monotonic() - started < 15
            assert not answer or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5")
