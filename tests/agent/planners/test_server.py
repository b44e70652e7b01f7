"""A planner on a real server of the OpenAI protocol: whatever the server does, the run ends with the same answer."""

import json
import re
import time
from collections.abc import Callable, Collection
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
from openai_server import Body, Fault, Reply, Say, Server, serving
from sensible_model import sensible

from secondread.agent.agent import Agent
from secondread.agent.planners.asking import RETRIES
from secondread.agent.planners.chat import ChatPlanner
from secondread.agent.trace import of_type, read_trace
from secondread.evals.phantom import Film
from secondread.schema.answer import Answer

pytest.importorskip("langchain_openai")
Films = Callable[..., Film]
Make = Callable[..., Agent]
ADULT_PA: dict[str, Any] = {"view": "PA", "age": 60}
QUESTION = "Is the heart enlarged?"


def good(body: Body) -> Say:
    """A model that takes tools, JSON schemas and plain prompts, and uses what it is offered."""
    text = "\n".join(_plain(m["content"]) for m in body["messages"])
    if not body.get("tools"):
        return Say(json.dumps(sensible(text)))
    names = " ".join(json.dumps(t["function"]["name"]) for t in body["tools"])
    move = sensible(f"{names}\n{text}")["moves"][0]
    name, args = (move["tool"], move["args"]) if move["action"] == "call" else (move["action"], {"why": move["why"]})
    return Say(calls=((name, args),))


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(p.get("text", "") for p in content)


def facts(answer: Answer) -> tuple[Any, ...]:
    return (
        answer.verdict, answer.value, answer.choice, answer.confidence, answer.abstained, answer.abstain_reason,
        tuple((c.concept, c.polarity, re.sub(r"E\d+", "E", c.text)) for c in answer.claims),
    )  # fmt: skip


@pytest.fixture
def grey(film: Films) -> Any:
    return film(4, 0.40).grey


@pytest.fixture
def expected(agent: Agent, grey: Any) -> Answer:
    return agent.ask(grey, QUESTION, **ADULT_PA)


def asked(make: Make, server: Server, grey: Any, *, tokens: bool = False, **settings: Any) -> Answer:
    made = make(f"{server.url}#m", **{"planner_timeout_s": 5.0, **settings})
    if not tokens:
        return made.ask(grey, QUESTION, **ADULT_PA)
    *_, last = made.stream(grey, QUESTION, tokens=True, **ADULT_PA)
    answer: Answer = last["answer"]
    return answer


def helped(answer: Answer) -> list[str]:
    """What the answer says of its planner."""
    return [w for w in answer.warnings if w.startswith("Planner ")]


def moves_by(answer: Answer, traces: Path) -> list[str]:
    return [e["by"] for e in of_type(read_trace(traces / f"{answer.trace}.jsonl"), "moves")]


@pytest.mark.parametrize("tokens", [False, True])
def test_a_good_model_plans_and_words(
    make_agent: Make, grey: Any, expected: Answer, traces: Path, tokens: bool
) -> None:
    with serving(good) as server:
        answer = asked(make_agent, server, grey, tokens=tokens)
    assert facts(answer) == facts(expected)
    assert moves_by(answer, traces) == [f"{server.url.removesuffix('/v1')}#m"] * 2
    assert len(server.asked) == 3
    assert [b.get("stream", False) for b in server.asked] == [tokens, tokens, False]
    assert not helped(answer)
    told = [e["asked"] for e in of_type(read_trace(traces / f"{answer.trace}.jsonl"), "model")]
    assert [t["mode"] for t in told] == ["tools", "tools", "schema"]
    assert all(t["read"] == 1 and t["failed"] == t["unread"] == 0 for t in told)


STREAMED = ("streams cut in the middle", "half a call", "slow tokens", "endless", "nothing", "no words")


def both(faults: Collection[str], *, slow: Collection[str] = ()) -> list[Any]:
    """Each fault with whole replies or streamed ones; the other way, and faults much like others, are slow tests."""
    return [
        pytest.param(f, tokens, marks=pytest.mark.slow if f in slow or tokens != (f in STREAMED) else ())
        for f in faults
        for tokens in (False, True)
    ]


PASSING: dict[str, list[Reply]] = {
    "429": [Fault(429, headers=(("Retry-After", "0.05"),))],
    "500": [Fault(500)],
    "503 twice": [Fault(503), Fault(503)],
    "closed at once": [Fault(drop=True)],
    "body cut short": [Say("a reply that will never be read", cut=1)],
    "malformed JSON": [Fault(200, body='{"choices": [{"message": ')],
    "no words": [Say("")],
    "prose": [Say("The heart is huge.")],
    "arguments that are no JSON": [Say(calls=(("cardiothoracic_ratio", '{"image": '),))],
    "no choices": [Fault(200, body='{"id": "x", "object": "chat.completion", "created": 0, "model": "m"}')],
}


@pytest.mark.parametrize(("fault", "tokens"), both(PASSING))
def test_a_fault_that_passes_is_tried_again(
    make_agent: Make, grey: Any, expected: Answer, traces: Path, fault: str, tokens: bool
) -> None:
    with serving(*PASSING[fault], good) as server:
        answer = asked(make_agent, server, grey, tokens=tokens)
    assert facts(answer) == facts(expected)
    assert len(server.asked) <= 3 + len(PASSING[fault])
    if fault != "no choices":
        assert all("protocol" not in by for by in moves_by(answer, traces)), moves_by(answer, traces)
        mended = tokens and "arguments" in fault  # langchain closes a torn object of a streamed call
        assert len(server.asked) == 3 + (0 if mended else len(PASSING[fault]))


LASTING: dict[str, list[Reply]] = {
    "429": [Fault(429, headers=(("Retry-After", "0.01"),))],
    "429 for an hour": [Fault(429, headers=(("Retry-After", "3600"),))],
    "500": [Fault(500)],
    "401": [Fault(401)],
    "404": [Fault(404)],
    "400 to everything": [Fault(400)],
    "HTML": [Fault(200, body="<html>It works!</html>")],
    "closed at once": [Fault(drop=True)],
    "streams cut in the middle": [Say("I would call the tool that", cut=3)],
    "half a call": [Say(calls=(("cardiothoracic_ratio", '{"image": "img-'),), cut=2)],
    "prose": [Say("The heart is huge, CTR 0.91, and there is a pneumothorax.")],
    "unknown tool": [Say(calls=(("xray_oracle", {"image": "img-0"}),))],
    "nothing": [Fault(200, body="")],
    "null": [Fault(200, body="null")],
    "hangs": [Fault(hang=30.0)],
    "slow tokens": [Say("word " * 400, pause=0.05)],
    "endless": [Say("word " * 20_000)],
}


@pytest.mark.parametrize(
    ("fault", "tokens"), both(LASTING, slow=("429", "401", "404", "null", "closed at once", "unknown tool"))
)
def test_a_fault_that_lasts_leaves_the_run_to_the_built_in_planner(
    make_agent: Make, grey: Any, expected: Answer, traces: Path, fault: str, tokens: bool
) -> None:
    started = time.monotonic()
    with serving(*LASTING[fault]) as server:
        answer = asked(make_agent, server, grey, tokens=tokens, planner_timeout_s=0.3)
    assert facts(answer) == facts(expected)
    assert "0.91" not in answer.text
    assert "pneumothorax" not in answer.text
    assert all(by.startswith("protocol (") for by in moves_by(answer, traces))
    assert any("the built-in planner chose the calls" in w for w in helped(answer)), answer.warnings
    assert len(server.asked) <= 5 * (RETRIES + 3), "tries are bounded"
    assert time.monotonic() - started < 60, "nothing hangs"


@pytest.mark.parametrize(
    ("refuses", "modes"),
    [
        (("tools",), ["schema", "schema", "schema"]),
        (("response_format",), ["tools", "tools", "text"]),
        (("tools", "response_format"), ["text", "text", "text"]),
    ],
)
def test_what_a_server_refuses_is_asked_for_once(
    make_agent: Make, grey: Any, expected: Answer, traces: Path, refuses: tuple[str, ...], modes: list[str]
) -> None:
    def picky(body: Body) -> Say | Fault:
        return Fault(400) if any(body.get(name) for name in refuses) else good(body)

    with serving(picky) as server:
        made = make_agent(f"{server.url}#m")
        answers = [made.ask(grey, QUESTION, **ADULT_PA) for _ in range(2)]
    for answer in answers:
        assert facts(answer) == facts(expected)
        told = [e["asked"] for e in of_type(read_trace(traces / f"{answer.trace}.jsonl"), "model")]
        assert [t["mode"] for t in told] == modes
    assert len(server.asked) == 6 + len(refuses)
    assert isinstance(made.planner, ChatPlanner)
    assert set(made.planner.tally.refused) == {"schema" if r == "response_format" else r for r in refuses}


def test_no_key_and_no_proxy_reach_a_server_on_this_machine(
    make_agent: Make, grey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "sk-secret")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(good) as server:
        answer = asked(make_agent, server, grey, offline=True)
    assert not helped(answer)
    assert len(server.headers) == 3
    assert all("secret" not in value for headers in server.headers for value in headers.values())
    assert all("authorization" not in headers for headers in server.headers)


def test_a_redirect_is_not_followed(make_agent: Make, grey: Any, expected: Answer) -> None:
    with serving(good) as other:
        there = (("Location", f"{other.url}/chat/completions"),)
        with serving(Fault(307, headers=there)) as server:
            answer = asked(make_agent, server, grey)
    assert facts(answer) == facts(expected)
    assert other.asked == []


def test_no_pixels_are_sent_by_default(make_agent: Make, grey: Any) -> None:
    with serving(good) as server:
        asked(make_agent, server, grey)
    assert server.asked
    assert server.pictures() == []


@pytest.mark.parametrize(
    ("first", "tokens"), [(good, True), (Fault(500), False), (Fault(400), False), (Say("It is a film."), False)]
)
def test_with_pixels_one_thumbnail_is_sent_in_all(
    make_agent: Make, grey: Any, expected: Answer, first: Reply, tokens: bool
) -> None:
    with serving(first, good) as server:
        answer = asked(make_agent, server, grey, send_pixels=True, tokens=tokens)
    assert facts(answer) == facts(expected)
    assert len(server.pictures()) == 1
    assert 0 < server.pictures()[0] <= 200_000
    assert len(server.asked) >= 3


def test_tokens_are_told_as_they_come_and_leaving_closes_the_connection(make_agent: Make, grey: Any) -> None:
    with serving(Say("one two three " * 2000, pause=0.02)) as server:
        made = make_agent(f"{server.url}#m", planner_timeout_s=30.0)
        events = made.stream(grey, QUESTION, tokens=True, **ADULT_PA)
        said = []
        for event in events:
            if event.get("node") == "token":
                said.append(event["message"])
            if len(said) == 3:
                break
        events.close()  # type: ignore[attr-defined]  # a generator
        assert said == ["one ", "two ", "three "]
        until = time.monotonic() + 10
        while not server.dropped and time.monotonic() < until:
            time.sleep(0.02)
        assert server.dropped == 1


def test_the_deadline_of_the_run_holds_for_a_model_that_hangs(make_agent: Make, grey: Any) -> None:
    with serving(Fault(hang=60.0)) as server:
        made = make_agent(f"{server.url}#m", planner_timeout_s=60.0, max_seconds=1.0)
        started = time.monotonic()
        answer = made.ask(grey, QUESTION, **ADULT_PA)
    assert time.monotonic() - started < 30
    assert answer.budget.exhausted == "seconds" or answer.verdict == "yes"


def test_cancelling_gives_the_connection_back(make_agent: Make, grey: Any) -> None:
    with serving(Fault(hang=60.0)) as server:
        made = make_agent(f"{server.url}#m")
        future = made.runtime.submit(made.aask(grey, QUESTION, **ADULT_PA))
        until = time.monotonic() + 20
        while not server.asked and time.monotonic() < until:
            time.sleep(0.02)
        future.cancel()
        with pytest.raises(CancelledError):
            future.result(10)
        assert len(server.asked) == 1
