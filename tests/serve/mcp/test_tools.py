import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ImageContent, ResourceLink

from secondread.schema.errors import InputError, UsageError
from secondread.serve.mcp.images import INLINE_LIMIT, AllowedImages
from tests.serve.conftest import draw


def test_ask_gives_a_structured_answer_with_pictures_and_progress(talk: Any, film: Path) -> None:
    async def conversation(client: Any) -> None:
        steps: list[str | None] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            steps.append(message)

        given = {"question": "Is it bright?", "image": film.name, "view": "PA", "age": 50}
        result = await client.call_tool("ask", given, progress_callback=progress)
        assert not result.is_error
        answer = result.structured_content
        assert answer["verdict"] == "yes"
        assert answer["claims"][0]["evidence"] == ["E2"]
        assert steps == ["act: measuring"]
        text = result.model_dump_json()
        assert "JaneDoe" not in text
        assert str(film.parent) not in text
        [link] = [c for c in result.content if isinstance(c, ResourceLink)]
        read = await client.read_resource(link.uri)
        assert base64.b64decode(read.contents[0].blob).startswith(b"\x89PNG")
        drawn = await client.call_tool("get_overlay", {"run": answer["trace"], "evidence": "E2"})
        assert isinstance(drawn.content[0], ImageContent)
        for wrong in ({"run": "other", "evidence": "E2"}, {"run": answer["trace"], "evidence": "E77"}):
            assert (await client.call_tool("get_overlay", wrong)).is_error

    talk(conversation)


def test_images_by_handle_by_path_and_inline_are_the_same_image(talk: Any, film: Path) -> None:
    async def conversation(client: Any) -> None:
        listed = (await client.call_tool("list_images", {})).structured_content
        assert "JaneDoe" not in json.dumps(listed)
        [entry] = listed["images"]
        ids = set()
        inline = base64.b64encode(film.read_bytes()).decode()
        for named in (entry["image"], film.name, str(film), f"base64:{inline}", f"data:image/png;base64,{inline}"):
            result = await client.call_tool("bright_share", {"image": named})
            assert not result.is_error, result.content
            assert result.structured_content["result"]["items"][0]["value"] == 0.5
            ids.add(result.structured_content["image"])
        assert len(ids) == 1

    talk(conversation)


def test_every_tool_is_served_with_its_own_arguments_and_without_prerequisites(talk: Any) -> None:
    async def conversation(client: Any) -> None:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        own = {"ask", "ask_start", "ask_poll", "ask_cancel", "list_images", "get_overlay", "get_evidence"}
        own |= {"list_tools_cards", "kg_concept", "kg_paths", "kg_facts"}
        assert set(tools) == own | {"bright_part", "bright_share"}
        schema = tools["bright_share"].input_schema
        assert set(schema["properties"]) == {"image", "digits"}
        assert schema["required"] == ["image"]
        assert schema["properties"]["digits"] == {
            "default": 3,
            "description": "Decimals of the result.",
            "type": "integer",
        }
        cards = (await client.call_tool("list_tools_cards", {})).structured_content["cards"]
        assert [c["name"] for c in cards] == ["bright_part", "bright_share"]

    talk(conversation)


def test_errors_are_typed_and_never_hold_a_path(talk: Any, film: Path) -> None:
    broken = film.with_name("JohnRoe.png")
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnope")
    dark = draw(film.with_name("dark.png"), 0.0)

    async def conversation(client: Any) -> None:
        async def error(name: str, args: dict[str, Any]) -> str:
            result = await client.call_tool(name, args)
            assert result.is_error
            text = result.model_dump_json()
            assert "JohnRoe" not in text
            assert str(film.parent) not in text
            return text

        assert "unreadable_image" in await error("ask", {"question": "Is it bright?", "image": broken.name})
        assert "unreadable_image" in await error("bright_share", {"image": str(broken)})
        assert "prerequisite_failed" not in await error("bright_share", {"image": dark.name, "digits": 2})
        assert "not_measurable" in await error("bright_share", {"image": dark.name})
        assert "allowed folder" in await error("bright_share", {"image": "/etc/passwd"})
        await error("bright_share", {"image": str(broken), "digits": "JohnRoe"})
        await error("bright_share", {"imag": "JohnRoe"})
        await error("no_such_tool", {})

    talk(conversation)


def test_links_and_dots_do_not_lead_outside(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    draw(inside / "ok.png", 0.5)
    secret = draw(outside / "secret.png", 0.5)
    os.symlink(secret, inside / "link.png")
    os.symlink(outside, inside / "folder")
    images = AllowedImages([inside])
    for named in ("link.png", "folder/secret.png", "../out/secret.png", str(secret), "", "a\0b", "file-000000000000"):
        with pytest.raises(UsageError):
            images.source(named)
    assert images.source("ok.png").value == (inside / "ok.png").resolve()
    assert [one.path for _, one in images.page().entries] == [(inside / "ok.png").resolve()]


@pytest.mark.parametrize("named", ["base64:", "base64:%%%", "data:image/png,abc", "data:image/png;base64,", "base64:é"])
def test_damaged_inline_bytes_are_refused(named: str) -> None:
    with pytest.raises(InputError):
        AllowedImages([]).source(named)


def test_inline_bytes_have_a_limit() -> None:
    assert AllowedImages([]).source("base64:" + base64.b64encode(b"x" * INLINE_LIMIT).decode()).said
    with pytest.raises(InputError, match="larger than 8 MiB"):
        AllowedImages([]).source("base64:" + base64.b64encode(b"x" * (INLINE_LIMIT + 3)).decode())


@pytest.mark.slow
def test_the_real_server_speaks_over_stdio(tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "secondread.serve.cli.main", "mcp", "--root", str(tmp_path)],
        env={**os.environ, "SECONDREAD_TRACE_DIR": "none"},
    )

    async def conversation() -> None:
        async with Client(server) as client:
            names = {t.name for t in (await client.list_tools()).tools}
            assert {"ask", "cardiothoracic_ratio", "list_images"} <= names
            result = await client.call_tool(
                "ask", {"question": "What does a cardiothoracic ratio above 0.5 suggest?"}, read_timeout_seconds=120
            )
            assert not result.is_error
            assert result.structured_content["evidence"]
            assert len(json.dumps(result.structured_content)) < 200_000

    anyio.run(conversation)
