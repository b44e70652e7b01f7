"""Every way to have a planner answers the same questions with the same gate."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai_server import Body, Say, serving
from sensible_model import sensible
from tiny_models import CHATML, END, WITHOUT_SYSTEM, tiny_model

from secondread.agent.agent import Agent
from secondread.agent.planners.scripted import ScriptedChatModel
from secondread.agent.replay import replay
from secondread.agent.trace import of_type, read_trace
from secondread.evals.phantom import Film
from secondread.schema.answer import Answer

Films = Callable[..., Film]
Make = Callable[..., Agent]
ADULT_PA: dict[str, Any] = {"view": "PA", "age": 60}
QUESTIONS = (
    "Is the heart enlarged?",
    "What is the cardiothoracic ratio?",
    "Is the film rotated?",
    "Is there a pneumothorax?",
    "Are the lungs symmetric?",
    "What can you measure here?",
    "Is the cardiothoracic ratio above 0.6?",
)
CALL = '{"name": "cardiothoracic_ratio", "arguments": {}}'
SCRIPT = [("<tool_call>", False), (CALL, False), ("</tool_call>", False), (END, True)]


def facts(answer: Answer) -> tuple[Any, ...]:
    """What an answer says; the number of an evidence item differs with what else was run.

    Why nothing can be said is told from the graph, where the planner asked it; that explanation is no verdict.
    """
    claims = {(c.concept, c.polarity, c.probability) for c in answer.claims} if not answer.abstained else set()
    return answer.verdict, answer.value, answer.choice, answer.confidence, answer.abstained, claims


class Reading(ScriptedChatModel):
    """A model without a server that reads its prompt and replies sensibly, in text."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        self.replies[:] = [json.dumps(sensible("\n".join(str(m.text) for m in messages)))]
        return super()._generate(messages, stop, run_manager, **kwargs)


@contextmanager
def protocol(folder: Path) -> Iterator[Any]:
    yield None


@contextmanager
def scripted(folder: Path) -> Iterator[Any]:
    yield Reading(replies=["x"], takes_tools=False)


@contextmanager
def server(folder: Path) -> Iterator[Any]:
    def reply(body: Body) -> Say:
        return Say(json.dumps(sensible("\n".join(m["content"] for m in body["messages"]))))

    with serving(reply) as made:
        yield f"{made.url}#m"


@contextmanager
def weights_that_call(folder: Path) -> Iterator[Any]:
    yield str(tiny_model(folder, SCRIPT))


@contextmanager
def random_weights(folder: Path) -> Iterator[Any]:
    yield str(tiny_model(folder, template=WITHOUT_SYSTEM))


@contextmanager
def transformers_serve(folder: Path) -> Iterator[Any]:
    """The real `transformers serve`, offline, on a port of its own."""
    pytest.importorskip("accelerate")
    pytest.importorskip("uvicorn")
    tiny_model(folder / "model", SCRIPT, template=CHATML)
    (folder / "hub" / "hub").mkdir(parents=True)  # its list of models fails without the folder of the hub's cache
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "OMP_NUM_THREADS": "1"}
    program = Path(sys.executable).with_name("transformers")
    command = [program, "serve", str(folder / "model"), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + 180
            while not _healthy(port):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < until, (folder / "log").read_text()[-2000:]
                time.sleep(0.3)
            yield f"http://127.0.0.1:{port}/v1#{folder / 'model'}"
        finally:
            process.terminate()
            process.wait(20)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


LARGE = {"planner_timeout_s": 60.0, "max_tokens": 10_000_000}
"""A tokenizer trained on a few prompts makes many tokens of one."""
PATHS: dict[str, tuple[Any, dict[str, Any]]] = {
    "protocol": (protocol, {}),
    "scripted": (scripted, {}),
    "server": (server, {}),
    "weights that call": (weights_that_call, LARGE),
    "random weights": (random_weights, LARGE),
    "transformers serve": (transformers_serve, LARGE),
}
SLOW = ("weights that call", "random weights", "transformers serve")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", [pytest.param(p, marks=pytest.mark.slow if p in SLOW else ()) for p in PATHS])
def test_every_model_path_answers_the_same_questions_with_the_same_gate(
    make_agent: Make, agent: Agent, film: Films, traces: Path, tmp_path: Path, path: str
) -> None:
    if path not in ("protocol", "scripted"):
        pytest.importorskip("langchain_openai")
    opened, settings = PATHS[path]
    grey = film(4, 0.40).grey
    modes: set[str] = set()
    with opened(tmp_path) as planner:
        made = make_agent(planner, offline=path != "scripted", **settings)
        for question in QUESTIONS:
            expected = agent.ask(grey, question, **ADULT_PA)
            answer = made.ask(grey, question, **ADULT_PA)
            assert facts(answer) == facts(expected), question
            recorded = traces / f"{answer.trace}.jsonl"
            assert replay(recorded).same, question
            modes |= {e["asked"]["mode"] for e in of_type(read_trace(recorded), "model") if e["asked"]}
    expected_modes = {"protocol": set(), "scripted": {"text"}, "server": {"tools", "schema"}}
    if path in expected_modes:
        assert modes == expected_modes[path]
    elif path != "random weights":
        assert "tools" in modes
