"""Offline runs open nothing: with the built-in planner no socket at all, whatever tools and planners try."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from small_tools import make_tool

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.agent.planners.base import Move, PlannerView, Sentence
from secondread.agent.planners.scripted import ScriptedChatModel
from secondread.evals.phantom import Film
from secondread.schema.errors import NetworkRefused, PlannerError, UsageError
from secondread.schema.evidence import ToolFailure
from secondread.tools.catalogue import catalogue
from secondread.tools.runtime.offline import level
from secondread.tools.runtime.runtime import Runtime

QUESTION = "What causes an enlarged heart?"
NAME = "graph_facts"
watched: list[str] | None = None


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if watched is not None and event.startswith("socket."):
        watched.append(event)


@pytest.fixture
def sockets() -> Iterator[list[str]]:
    """Everything that happens to sockets from here on, seen by a second hook of the interpreter."""
    global watched
    if not getattr(_watch, "installed", False):
        sys.addaudithook(_watch)
        _watch.installed = True  # type: ignore[attr-defined]  # a hook cannot be taken away
    watched = []
    yield watched
    watched = None


class Listener:
    """A port of this machine that counts who connects."""

    def __init__(self) -> None:
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(16)
        self.address: tuple[str, int] = self.sock.getsockname()
        self.came = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self.sock.accept()
            except OSError:
                return
            self.came += 1
            one.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.sock.close()


@pytest.fixture(scope="module")
def plain_runtime() -> Iterator[Runtime]:
    made = Runtime(cache_entries=0)
    yield made
    made.close()


def agent_of(planner: Any, runtime: Runtime, *, offline: bool = True, tool: Any = None) -> Agent:
    installed = catalogue()
    runtime.catalogue = installed if tool is None else type(installed)(
        {**{n: installed.get(n) for n in installed.names()}, tool.card.name: tool}
    )  # fmt: skip
    return Agent(planner, runtime=runtime, settings=Settings(trace_dir=None, cache_dir=None, offline=offline))


def replaced(run: Callable[[Any, Any], list[Any]]) -> Any:
    """A tool in the place of the one that answers the question."""
    real = catalogue().get(NAME)
    fields = real.card.model_dump(exclude={"name", "version", "summary", "cache"})
    return make_tool(NAME, run, request=real.Request, result=real.Result, cache="none", **fields)


def connects(address: tuple[str, int]) -> Callable[[Any, Any], list[Any]]:
    def run(requests: Any, ctx: Any) -> list[Any]:
        socket.create_connection(address, 2).close()
        return [catalogue().get(NAME).run_batch([r], ctx)[0] for r in requests]

    return run


def test_an_image_is_measured_without_a_socket(plain_runtime: Runtime, sockets: list[str]) -> None:
    agent = agent_of(None, plain_runtime)
    agent.ask(None, QUESTION)  # starts the runtime's loop, which talks to itself over a pair of sockets
    sockets.clear()
    answer = agent.ask(np.random.default_rng(0).random((64, 64)), "What is the mean intensity of this image?")
    assert answer.value is not None
    assert sockets == []


@pytest.mark.slow
def test_a_film_is_read_without_a_socket(
    make_agent: Callable[..., Agent], film: Callable[..., Film], sockets: list[str]
) -> None:
    grey = film(3, 0.62).grey
    agent = make_agent(offline=True)
    agent.ask(None, QUESTION)  # starts the runtime's loop, which talks to itself over a pair of sockets
    sockets.clear()
    answer = agent.ask(grey, "Is the heart enlarged?", view="PA", age=60)
    assert answer.verdict == "yes"
    assert sockets == []


def test_a_tool_that_connects_fails_with_a_reason(plain_runtime: Runtime, listener: Listener) -> None:
    answer = agent_of(None, plain_runtime, tool=replaced(connects(listener.address))).ask(None, QUESTION)
    failures = [e.result for e in answer.evidence if isinstance(e.result, ToolFailure)]
    assert {f.code for f in failures} == {"offline"}
    assert "127.0.0.1" in failures[0].message
    assert answer.abstained
    assert listener.came == 0
    assert level() == "open"
    online = agent_of(None, plain_runtime, offline=False, tool=replaced(connects(listener.address)))
    assert online.ask(None, QUESTION).claims
    assert listener.came > 0


def test_a_tool_that_hides_its_failure_and_its_threads_still_reach_nothing(
    plain_runtime: Runtime, listener: Listener
) -> None:
    refused: list[bool] = []

    def run(requests: Any, ctx: Any) -> list[Any]:
        def work() -> None:
            try:
                socket.create_connection(listener.address, 2).close()
            except OSError as error:
                refused.append(isinstance(error, NetworkRefused))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        work()
        return list(catalogue().get(NAME).run_batch(requests, ctx))

    assert agent_of(None, plain_runtime, tool=replaced(run)).ask(None, QUESTION).claims
    assert refused
    assert all(refused)
    assert listener.came == 0


def test_a_tool_in_a_process_of_its_own_is_held_too(
    plain_runtime: Runtime, listener: Listener, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "connecting_facts.py").write_text(
        '"""Facts that are fetched."""\n'
        "import socket\n"
        "from secondread.tools.catalogue import catalogue\n\n"
        f"real = catalogue().get({NAME!r})\n\n"
        "class Connecting(type(real)):\n"
        '    """Connects."""\n'
        '    card = real.card.model_copy(update={"isolate": True, "cache": "none"})\n\n'
        "    def run_batch(self, requests, ctx):\n"
        f"        socket.create_connection({listener.address!r}, 2).close()\n"
        "        return real.run_batch(requests, ctx)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from importlib import import_module

    answer = agent_of(None, plain_runtime, tool=import_module("connecting_facts").Connecting()).ask(None, QUESTION)
    assert {e.result.code for e in answer.evidence if isinstance(e.result, ToolFailure)} == {"offline"}
    assert listener.came == 0


class Phoning:
    """A planner that connects from its own code."""

    name, usage = "phoning", 0

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    async def propose(self, view: PlannerView) -> list[Move]:
        import asyncio

        try:
            _, writer = await asyncio.open_connection(*self.address)
        except OSError as error:
            raise PlannerError(f"no connection: {type(error).__name__}") from None
        writer.close()
        return [Move(action="answer")]

    async def word(self, claims: Any, view: PlannerView) -> list[Sentence]:
        return []


class Fetching(ScriptedChatModel):
    """A chat model in this process that asks a server all the same."""

    address: Any = None

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        import httpx

        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get("http://{}:{}".format(*self.address))
        return ChatResult(generations=[ChatGeneration(message=AIMessage("answer()"))])


@pytest.mark.parametrize("kind", ["own code", "chat model"])
def test_a_planner_that_connects_loses_its_turn(kind: str, plain_runtime: Runtime, listener: Listener) -> None:
    planner = Phoning(listener.address) if kind == "own code" else Fetching(replies=["x"], address=listener.address)
    expected = agent_of(None, plain_runtime).ask(None, QUESTION)
    answer = agent_of(planner, plain_runtime).ask(None, QUESTION)
    assert [c.text for c in answer.claims] == [c.text for c in expected.claims]
    assert listener.came == 0
    agent_of(planner, plain_runtime, offline=False).ask(None, QUESTION)
    assert listener.came > 0


def test_a_chat_model_of_another_machine_is_refused_when_the_agent_is_made(plain_runtime: Runtime) -> None:
    openai = pytest.importorskip("langchain_openai").ChatOpenAI
    with pytest.raises(UsageError, match="not on this machine"):
        agent_of(openai(model="m", api_key="none"), plain_runtime)


def test_with_a_server_on_this_machine_its_address_is_reached_and_others_are_not(
    plain_runtime: Runtime, listener: Listener
) -> None:
    openai = pytest.importorskip("langchain_openai").ChatOpenAI
    import httpx

    refused: list[bool] = []

    def run(requests: Any, ctx: Any) -> list[Any]:
        try:
            socket.create_connection(("198.51.100.7", 80), 2)
        except OSError as error:
            refused.append(isinstance(error, NetworkRefused))
        return list(catalogue().get(NAME).run_batch(requests, ctx))

    url = "http://{}:{}/v1".format(*listener.address)
    client = httpx.AsyncClient(trust_env=False)
    model = openai(model="m", api_key="none", base_url=url, max_retries=0, http_async_client=client)
    answer = agent_of(model, plain_runtime, tool=replaced(run)).ask(None, QUESTION)
    assert answer.claims
    assert listener.came > 0
    assert refused
    assert all(refused)


def test_a_single_tool_that_a_client_calls_reaches_nothing(plain_runtime: Runtime, listener: Listener) -> None:
    import asyncio

    from secondread.serve.mcp.expert import run_tool

    agent_of(None, plain_runtime, tool=replaced(connects(listener.address)))
    args = {"concepts": ["enlarged_cardiac_silhouette"], "topic": "causes"}
    [found] = asyncio.run(run_tool(plain_runtime, NAME, args, offline=True))
    assert isinstance(found.result, ToolFailure)
    assert found.result.code == "offline"
    assert listener.came == 0
    [online] = asyncio.run(run_tool(plain_runtime, NAME, args))
    assert online.kind == "graph_path"
    assert listener.came == 1


def test_a_batch_from_a_service_on_another_machine_is_refused(tmp_path: Any, capsys: Any) -> None:
    from secondread.serve.cli.main import main

    (tmp_path / "q.yaml").write_text("- Is the heart enlarged?\n")
    words = ["--questions", str(tmp_path / "q.yaml"), "--out", str(tmp_path / "out"), "--offline"]
    assert main(["batch", "https://pacs.secondread.invalid/dicom-web", *words]) == 2
    assert "Offline" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
