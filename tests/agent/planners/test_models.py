"""From a planner specification to a planner, and the planners around it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from secondread.agent.config import Settings
from secondread.agent.planners.base import Move, PlannerView
from secondread.agent.planners.chat import ChatPlanner
from secondread.agent.planners.lc_model import PlannerChatModel
from secondread.agent.planners.models import is_loopback, planner_from
from secondread.agent.planners.scripted import ScriptedPlanner
from secondread.schema.errors import PlannerError, ToolUnavailable, UsageError

ONLINE, OFFLINE = Settings(), Settings(offline=True)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://127.0.0.1@example.org/v1", False),
        ("https://example.org/127.0.0.1", False),
        ("http://10.0.0.1/v1", False),
        ("http:///v1", False),
    ],
)
def test_loopback_is_told_from_the_host_alone(url: str, local: bool) -> None:
    assert is_loopback(url) is local


@pytest.mark.parametrize("spec", ["https://example.org/v1#m", "openai:gpt-x", "http://10.0.0.1/v1"])
def test_offline_refuses_whatever_may_leave_the_machine(spec: str) -> None:
    with pytest.raises(UsageError, match="Offline"):
        planner_from(spec, OFFLINE)


@pytest.mark.parametrize("spec", ["", "nothing", "/no/such/folder", "ftp://x/y", "open ai:x"])
def test_an_unknown_specification_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError, match="no planner"):
        planner_from(spec, ONLINE)


def test_an_unknown_provider_is_told() -> None:
    pytest.importorskip("langchain")
    with pytest.raises((UsageError, ToolUnavailable)):
        planner_from("nosuchprovider:model", ONLINE)


@pytest.mark.slow
def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(ToolUnavailable, match="no usable language model"):
        planner_from(str(tmp_path), OFFLINE)


class _Server(BaseHTTPRequestHandler):
    def _send(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._send({"data": [{"id": "tiny"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = {"role": "assistant", "content": json.dumps({"action": "answer", "why": asked["model"]})}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        choice = {"index": 0, "message": reply, "finish_reason": "stop"}
        self._send(
            {"id": "x", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice], "usage": usage}
        )

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    httpd = HTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1"
    httpd.shutdown()


@pytest.mark.parametrize(("suffix", "model"), [("", "tiny"), ("#mine", "mine")])
def test_a_local_server_works_offline_and_past_a_proxy(
    server: str, suffix: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    planner = planner_from(server + suffix, OFFLINE)
    assert isinstance(planner, ChatPlanner)
    assert asyncio.run(planner.propose(PlannerView(question="q", kind="presence"))) == [
        Move(action="answer", why=model)
    ]
    assert planner.usage == 7


def test_a_server_that_is_not_there_is_told() -> None:
    pytest.importorskip("langchain_openai")
    with pytest.raises(UsageError, match="list of models"):
        planner_from("http://127.0.0.1:9/v1", OFFLINE)


def test_a_scripted_planner_replays_and_then_answers() -> None:
    first = Move(action="call", tool="x")
    planner = ScriptedPlanner([[first], PlannerError("gone")])
    view = PlannerView(question="q", kind="presence")
    assert asyncio.run(planner.propose(view)) == [first]
    with pytest.raises(PlannerError):
        asyncio.run(planner.propose(view))
    assert [m.action for m in asyncio.run(planner.propose(view))] == ["answer"]


def test_a_planner_stands_behind_langchain() -> None:
    model = PlannerChatModel(ScriptedPlanner([[Move(action="call", tool="x", args={"image": "i"})]]))
    view = HumanMessage(PlannerView(question="q", kind="presence").model_dump_json())
    assert [(c["name"], c["args"]) for c in model.invoke([view]).tool_calls] == [("x", {"image": "i"})]
    assert str(model.invoke([view]).text).startswith("answer")
    with pytest.raises(UsageError):
        model.invoke("hello")


@pytest.mark.slow
def test_a_local_folder_is_loaded_strictly_and_replies(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<unk>", "<eos>", *"abcdefghijklmnopqrstuvwxyz{}:,"]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", eos_token="<eos>")
    fast.save_pretrained(tmp_path)
    config = transformers.GPT2Config(vocab_size=len(words), n_positions=2048, n_embd=8, n_layer=1, n_head=1)
    model = transformers.GPT2LMHeadModel(config)
    model.save_pretrained(tmp_path, safe_serialization=True)

    from secondread.agent.planners.local_model import local_chat_model

    chat = local_chat_model(tmp_path, device="cpu", max_new_tokens=4)
    reply = chat.invoke([HumanMessage("hello")])
    assert reply.usage_metadata is not None
    assert 0 < reply.usage_metadata["output_tokens"] <= 4

    from safetensors.torch import load_file, save_file

    weights = load_file(tmp_path / "model.safetensors")
    weights.pop(next(k for k in weights if "mlp.c_fc.weight" in k))
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ToolUnavailable, match="do not fit"):
        local_chat_model(tmp_path, device="cpu")
