"""A server on loopback that speaks the OpenAI chat protocol, with scripted replies and scripted faults.

It is written on sockets, so that faults which no framework lets through (a body cut short, a stream that ends in the
middle, bytes that trickle) are real ones on the wire.
"""

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Say:
    """A good reply: text, native tool calls, or both."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any] | str], ...] = ()
    """Name and arguments; a string stands as it is, to be no JSON."""
    pause: float = 0.0
    """Seconds before each piece of a streamed reply, or before a whole one."""
    cut: int | None = None
    """A streamed reply ends without its end mark after so many pieces; a whole one after half its bytes."""


@dataclass(frozen=True)
class Fault:
    """An HTTP error, or what is no answer at all."""

    status: int = 500
    body: str = '{"error": {"message": "scripted", "type": "scripted"}}'
    headers: tuple[tuple[str, str], ...] = ()
    hang: float = 0.0
    """Seconds before anything is sent."""
    drop: bool = False
    """Close the connection without a byte."""


Reply = Say | Fault | Callable[[Body], "Say | Fault"]


@dataclass
class Server:
    """A running server and what it was asked."""

    url: str
    replies: list[Reply]
    asked: list[Body] = field(default_factory=list)
    """Bodies of the requests for chat completions, in order."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Their headers, names in lower case."""
    dropped: int = 0
    """Replies that the client no longer wanted."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def next_reply(self, body: Body, headers: dict[str, str]) -> Say | Fault:
        """The reply to this request; the last one is given for ever."""
        self.asked.append(body)
        self.headers.append(headers)
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        return reply(body) if callable(reply) else reply

    def text_of(self, number: int) -> str:
        """All text of a request."""
        return "\n".join(_text(m["content"]) for m in self.asked[number]["messages"])

    def pictures(self) -> list[int]:
        """Characters of every picture that came in, as it was encoded."""
        return [
            len(part["image_url"]["url"].partition(",")[2])
            for body in self.asked
            for message in body["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "image_url"
        ]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(p.get("text", "") for p in content)
    return content or ""


@contextmanager
def serving(*replies: Reply) -> Iterator[Server]:
    """A server that gives these replies in order."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                _handle(self, state)
            except (BrokenPipeError, ConnectionResetError):
                state.dropped += 1

    class Threads(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Threads(("127.0.0.1", 0), Handler) as tcp:
        state = Server(f"http://127.0.0.1:{tcp.server_address[1]}/v1", list(replies))
        thread = threading.Thread(target=tcp.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.stopping.set()
            tcp.shutdown()
            thread.join()


def _handle(connection: socketserver.StreamRequestHandler, state: Server) -> None:
    first = connection.rfile.readline().decode()
    if not first.strip():
        return
    method, path, _ = first.split(" ", 2)
    headers = {}
    while line := connection.rfile.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    raw = connection.rfile.read(int(headers.get("content-length", 0)))
    if method == "GET" and path.endswith("/models"):
        _send(connection, 200, json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}))
        return
    body = json.loads(raw)
    reply = state.next_reply(body, headers)
    if isinstance(reply, Fault):
        state.stopping.wait(reply.hang)
        if not reply.drop:
            _send(connection, reply.status, reply.body, reply.headers)
    elif body.get("stream"):
        _stream(connection, body, reply, state)
    else:
        state.stopping.wait(reply.pause)
        whole = json.dumps(_completion(body, reply))
        _send(connection, 200, whole, cut=len(whole) // 2 if reply.cut is not None else None)


def _send(
    connection: socketserver.StreamRequestHandler,
    status: int,
    body: str,
    headers: Sequence[tuple[str, str]] = (),
    cut: int | None = None,
) -> None:
    data = body.encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    connection.wfile.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + data[:cut])


def _calls(reply: Say) -> list[dict[str, Any]]:
    return [
        {"index": n, "id": f"call_{n}", "type": "function"}
        | {"function": {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)}}
        for n, (name, args) in enumerate(reply.calls)
    ]


def _completion(body: Body, reply: Say) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [{k: v for k, v in c.items() if k != "index"} for c in _calls(reply)]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if reply.calls else "stop"}
    asked = sum(len(_text(m["content"])) for m in body["messages"]) // 4
    usage = {"prompt_tokens": asked, "completion_tokens": 7, "total_tokens": asked + 7}
    return {
        "id": "c", "object": "chat.completion", "created": int(time.time()), "model": body["model"],
        "choices": [choice], "usage": usage,
    }  # fmt: skip


def _stream(connection: socketserver.StreamRequestHandler, body: Body, reply: Say, state: Server) -> None:
    """Server-sent events, one per word of the text and one per tool call, chunked."""
    head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", "Connection: close"]
    connection.wfile.write("\r\n".join([*head, "", ""]).encode())
    words = reply.text.split(" ")
    pieces: list[dict[str, Any]] = [{"content": w + (" " if n < len(words) - 1 else "")} for n, w in enumerate(words)]
    pieces += [{"tool_calls": [call]} for call in _calls(reply)]
    shared = {"id": "c", "object": "chat.completion.chunk", "created": int(time.time()), "model": body["model"]}

    def event(data: str) -> None:
        raw = f"data: {data}\n\n".encode()
        connection.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        connection.wfile.flush()

    for piece in pieces[: reply.cut]:
        state.stopping.wait(reply.pause)
        choice = {"index": 0, "delta": {"role": "assistant", **piece}, "finish_reason": None}
        event(json.dumps({**shared, "choices": [choice]}))
    if reply.cut is not None:
        connection.wfile.write(b"0\r\n\r\n")  # the body is whole for HTTP, the reply is not
        return
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if reply.calls else "stop"}
    event(json.dumps({**shared, "choices": [end]}))
    event("[DONE]")
    connection.wfile.write(b"0\r\n\r\n")
