import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp_types import ImageContent

from tests.serve.conftest import Factory, StandIn, draw


def held_back(hold: threading.Event) -> Callable[[StandIn], None]:
    """Answers wait until `hold` is set."""

    def prepare(agent: StandIn) -> None:
        def wait(image: Any, question: str) -> None:
            hold.wait(20)

        agent.before_answer = wait

    return prepare


async def until_done(client: Any, job: str) -> dict[str, Any]:
    state: dict[str, Any] = {"state": "working", "step": 0}
    while state["state"] == "working":
        result = await client.call_tool("ask_poll", {"job": job, "since": state["step"], "wait": 5})
        state = result.structured_content
    return state


def test_a_started_question_is_looked_after_by_id(talk: Any, film: Path) -> None:
    async def conversation(client: Any) -> None:
        started = await client.call_tool("ask_start", {"question": "Is it bright?", "image": film.name})
        assert started.structured_content["state"] == "working"
        state = await until_done(client, started.structured_content["job"])
        assert state["state"] == "done"
        assert state["answer"]["verdict"] == "yes"
        again = (await client.call_tool("ask_poll", {"job": state["job"]})).structured_content
        assert again["steps"] == ["act: measuring"]
        drawn = await client.call_tool("get_overlay", {"run": again["answer"]["trace"], "evidence": "E2"})
        assert isinstance(drawn.content[0], ImageContent)

    talk(conversation)


def test_a_started_question_can_be_cancelled_and_an_unreadable_image_fails_it(
    talk: Any, film: Path, factory: Factory
) -> None:
    broken = film.with_name("JohnRoe.png")
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnope")
    hold = threading.Event()

    factory.prepare = held_back(hold)

    async def conversation(client: Any) -> None:
        started = (
            await client.call_tool("ask_start", {"question": "Is it bright?", "image": film.name})
        ).structured_content
        stopped = (await client.call_tool("ask_cancel", {"job": started["job"]})).structured_content
        assert stopped["state"] == "cancelled"
        hold.set()
        failed = (
            await client.call_tool("ask_start", {"question": "Is it bright?", "image": broken.name})
        ).structured_content
        state = await until_done(client, failed["job"])
        assert state["state"] == "failed"
        assert state["error"].startswith("unreadable_image")
        assert "JohnRoe" not in json.dumps(state)
        for tool in ("ask_poll", "ask_cancel"):
            assert (await client.call_tool(tool, {"job": "job-0123456789abcdef"})).is_error

    talk(conversation)


def test_a_client_may_start_only_so_many_questions(talk: Any, film: Path, factory: Factory) -> None:
    from secondread.serve.mcp.limits import Limits

    hold = threading.Event()

    factory.prepare = held_back(hold)

    async def conversation(client: Any) -> None:
        asked = {"question": "Is it bright?", "image": film.name}
        results = [await client.call_tool("ask_start", asked) for _ in range(3)]
        assert [r.is_error for r in results] == [False, False, True]
        hold.set()
        for one in results[:2]:
            assert (await until_done(client, one.structured_content["job"]))["state"] == "done"

    talk(conversation, limits=Limits(jobs=2))


def test_cancelling_a_call_stops_the_run(serve: Any, film: Path, factory: Factory) -> None:
    import anyio
    from mcp import Client

    seen = {"cancelled": False}

    async def whole() -> None:
        served = serve()
        agent = factory.last
        assert agent is not None

        async def forever(image: Any, question: str, *, progress: Any = None, **given: Any) -> Any:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen["cancelled"] = True
                raise

        agent.aask = forever  # type: ignore[method-assign]
        async with Client(served.server) as client:
            with anyio.move_on_after(1.0):
                await client.call_tool("ask", {"question": "Is it bright?", "image": film.name})
            for _ in range(50):
                if seen["cancelled"]:
                    break
                await asyncio.sleep(0.05)
            assert (await client.call_tool("list_images", {})).structured_content["total"] == 1

    anyio.run(whole)
    assert seen["cancelled"]


def test_images_of_results_are_named_by_id_and_an_unknown_id_is_refused(talk: Any, film: Path) -> None:
    async def conversation(client: Any) -> None:
        first = (await client.call_tool("bright_share", {"image": film.name})).structured_content
        again = (await client.call_tool("bright_share", {"image": first["image"], "digits": 1})).structured_content
        assert again["image"] == first["image"]
        asked = await client.call_tool(
            "ask", {"question": "Is it bright?", "image": f"secondread://image/{first['image']}"}
        )
        assert asked.structured_content["verdict"] == "yes"
        assert (await client.call_tool("bright_share", {"image": "img-0000000000000000"})).is_error

    talk(conversation)


def test_kept_images_leave_the_store_so_that_memory_is_bounded(
    talk: Any, film: Path, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secondread.serve.mcp import held

    monkeypatch.setattr(held, "KEPT_IMAGES", 3)
    monkeypatch.setattr(held, "KEPT_PER_CLIENT", 3)
    for seed in range(8):
        draw(film.with_name(f"p{seed}.png"), 0.5, seed=seed + 1)

    async def conversation(client: Any) -> None:
        runs = []
        for seed in range(8):
            result = await client.call_tool("bright_share", {"image": f"p{seed}.png"})
            runs.append(result.structured_content["run"])
        agent = factory.last
        assert agent is not None
        assert len(agent.runtime.store._entries) <= 4
        assert (await client.call_tool("get_overlay", {"run": runs[0], "evidence": "E2"})).is_error
        assert not (await client.call_tool("get_overlay", {"run": runs[-1], "evidence": "E2"})).is_error

    talk(conversation)
