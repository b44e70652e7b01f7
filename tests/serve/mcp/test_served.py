import base64
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp_types import ListRootsResult, Root

from secondread.schema.answer import Answer, Claim
from secondread.schema.errors import UsageError
from secondread.schema.evidence import Counted, Evidence, Measurement, Measurements
from secondread.serve.mcp.images import AllowedImages
from secondread.serve.mcp.tool_listing import keep_listing, read_listing
from secondread.serve.mcp.wire import BODY_LIMIT, lean, page_of
from tests.serve.conftest import draw


def test_every_tool_says_what_it_gives_and_that_it_only_reads(talk: Any) -> None:
    async def conversation(client: Any) -> None:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        changing = {"ask_start", "ask_cancel"}
        for name, one in tools.items():
            assert one.annotations.read_only_hint is (name not in changing)
            assert one.input_schema["additionalProperties"] is False
            assert name == "get_overlay" or one.output_schema["type"] == "object"
        assert tools["bright_share"].annotations.idempotent_hint is True
        assert tools["ask"].annotations.idempotent_hint is False
        share = tools["bright_share"].output_schema
        assert share["properties"]["result"]["$ref"].endswith("Measurements")

    talk(conversation)


def test_the_listing_of_the_installed_tools_fits_into_one_message() -> None:
    import anyio

    from secondread.serve.mcp.server import Served
    from secondread.tools.catalogue import catalogue

    def never() -> Any:
        raise AssertionError("listing tools must not open the agent")

    served = Served(never, catalogue, AllowedImages([]))
    tools = anyio.run(served.server.list_tools)
    whole = json.dumps([t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in tools])
    assert len(tools) > 30
    assert len(whole) < 250_000


def test_resources_have_opaque_addresses_and_give_pictures_evidence_and_trace(talk: Any, film: Path) -> None:
    async def conversation(client: Any) -> None:
        templates = {t.uri_template for t in (await client.list_resource_templates()).resource_templates}
        assert templates == {
            "secondread://image/{image}",
            "secondread://overlay/{run}/{evidence}",
            "secondread://evidence/{run}/{evidence}",
            "secondread://trace/{run}/{page}",
        }
        answer = (await client.call_tool("ask", {"question": "Is it bright?", "image": film.name})).structured_content
        run = answer["trace"]
        for address in (f"secondread://overlay/{run}/E2", f"secondread://image/{answer['evidence'][0]['image']}"):
            read = await client.read_resource(address)
            assert base64.b64decode(read.contents[0].blob).startswith(b"\x89PNG")
        evidence = json.loads((await client.read_resource(f"secondread://evidence/{run}/E2")).contents[0].text)
        assert evidence["result"]["items"][0]["value"] == 0.5
        trace = (await client.read_resource(f"secondread://trace/{run}/1")).contents[0].text.splitlines()
        assert json.loads(trace[-1]) == {"next_page": None}
        for address in (
            "secondread://image/file-000000000000",
            "secondread://image/..%2Fout",
            f"secondread://trace/{run}/2",
            f"secondread://trace/{run}/x",
            "secondread://trace/none/1",
            f"secondread://evidence/{run}/E77",
            "file:///etc/passwd",
        ):
            with pytest.raises(MCPError):
                await client.read_resource(address)

    talk(conversation)


def test_prompts_name_the_image_and_want_their_arguments(talk: Any) -> None:
    async def conversation(client: Any) -> None:
        names = {p.name for p in (await client.list_prompts()).prompts}
        assert names == {"chest_film", "heart_size", "compare", "explain", "what_can_be_read"}
        told = (await client.get_prompt("heart_size", {"image": "file-1"})).messages[0].content.text
        assert "chest film file-1" in told
        for name, given in (("heart_size", {}), ("none", {})):
            with pytest.raises(MCPError):
                await client.get_prompt(name, given)

    talk(conversation)


def test_the_graph_is_asked_in_words_or_by_id(talk: Any) -> None:
    async def conversation(client: Any) -> None:
        concept = (await client.call_tool("kg_concept", {"term": "cardiomegaly"})).structured_content
        assert concept["concept"]["id"] == "enlarged_cardiac_silhouette"
        assert concept["edges"][0]["source"]
        given = {"start": "cardiomegaly", "end": "heart failure"}
        paths = (await client.call_tool("kg_paths", given)).structured_content
        assert paths["paths"]
        assert paths["start"] == "enlarged_cardiac_silhouette"
        assert (await client.call_tool("kg_concept", {"term": "no such thing at all"})).is_error

    talk(conversation)


def test_long_listings_come_in_pages_and_name_no_file(talk: Any, film: Path) -> None:
    for number in range(7):
        draw(film.parent / "Doe^Jane" / f"Jane{number}.png", 0.3, seed=number)

    async def conversation(client: Any) -> None:
        seen: list[str] = []
        given: dict[str, Any] = {"limit": 3}
        while True:
            page = (await client.call_tool("list_images", given)).structured_content
            assert "Jane" not in json.dumps(page)
            seen += [one["image"] for one in page["images"]]
            if page["next"] is None:
                break
            given["cursor"] = page["next"]
        assert len(seen) == len(set(seen)) == page["total"] == 8
        assert (await client.call_tool("list_images", {"cursor": "file-000000000000"})).is_error

    talk(conversation)


def test_clients_may_bring_their_roots_where_the_operator_lets_them(talk: Any, film: Path, tmp_path: Path) -> None:
    own = draw(tmp_path / "own" / "mine.png", 0.2).parent

    async def roots(context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=own.as_uri()), Root(uri="file:///no/such/folder")])

    async def conversation(client: Any) -> None:
        assert (await client.call_tool("bright_part", {"image": str(own / "mine.png")})).is_error
        allowed = await client.call_tool("use_client_roots", {})
        assert allowed.structured_content == {"roots": 1, "images": 2}
        assert not (await client.call_tool("bright_part", {"image": str(own / "mine.png")})).is_error

    for mode in ("auto", "legacy"):
        talk(conversation, mode=mode, client={"list_roots_callback": roots}, client_roots=True)

    async def without(client: Any) -> None:
        assert "use_client_roots" not in {t.name for t in (await client.list_tools()).tools}

    talk(without)


def test_folders_are_studies_and_links_in_them_do_not_lead_outside(tmp_path: Path) -> None:
    inside = tmp_path / "in" / "study"
    draw(inside / "a.png", 0.5)
    draw(inside / "b.png", 0.6)
    secret = draw(tmp_path / "out" / "secret.png", 0.5)
    os.symlink(secret, inside / "c.png")
    os.symlink(inside / "a.png", inside / "d.png")
    images = AllowedImages([tmp_path / "in"])
    source = images.source("study")
    assert isinstance(source.value, tuple)
    assert [p.name for p in source.value] == ["a.png", "b.png", "d.png"]
    assert source.clean(f"{inside / 'b.png'} is broken, b.png") == "the image is broken, the image"
    with pytest.raises(UsageError):
        images.source("study/c.png")


def test_an_archive_that_unpacks_outside_is_refused_and_its_names_are_not_told(talk: Any, film: Path) -> None:
    with zipfile.ZipFile(film.with_name("JaneRoe.zip"), "w") as archive:
        archive.writestr("../JaneRoe-outside.png", film.read_bytes())
    with zipfile.ZipFile(film.with_name("broken.zip"), "w") as archive:
        archive.writestr("JaneRoe/scan.dcm", b"\0" * 128 + b"DICM" + b"nothing")

    async def conversation(client: Any) -> None:
        listed = (await client.call_tool("list_images", {})).structured_content["images"]
        assert [one["kind"] for one in listed].count("archive") == 2
        for one in listed:
            result = await client.call_tool("bright_part", {"image": one["image"]})
            assert "JaneRoe" not in result.model_dump_json()
            assert result.is_error is (one["kind"] == "archive")

    talk(conversation)


def many(count: int) -> Evidence:
    points = tuple((float(i), float(i)) for i in range(count))
    counted = Counted(concept="c", measurement="n", grid="g", points=points, scores=tuple(0.5 for _ in points))
    result = Measurements(items=(Measurement(name="n", value=float(count), unit="count"),), counted=(counted,))
    return Evidence(
        id="E1", call_key="k", kind="measurement", tool="t", tool_version="1", result=result, summary="many"
    )


def test_long_lists_of_evidence_come_in_pages_that_add_up() -> None:
    item, seen, first = many(50_000), [], 0
    while True:
        part = page_of(item, first, 5000)
        assert len(part.evidence.model_dump_json()) <= BODY_LIMIT
        assert isinstance(part.evidence.result, Measurements)
        seen += part.evidence.result.counted[0].points
        if part.next is None:
            break
        assert part.next == len(seen)
        first = part.next
    assert isinstance(item.result, Measurements)
    assert tuple(seen) == item.result.counted[0].points


def test_an_answer_that_is_too_large_keeps_what_its_claims_cite() -> None:
    evidence = tuple(many(150).model_copy(update={"id": f"E{i}", "caveats": (f"{i}" * 6000,)}) for i in range(1, 41))
    claim = Claim(id="C1", concept="n", polarity="present", text="t", evidence=("E40",))
    small = lean(Answer(question="q", text="t", claims=(claim,), evidence=evidence))
    assert len(small.model_dump_json()) <= BODY_LIMIT
    assert "E40" in {e.id for e in small.evidence}
    assert 0 < len(small.evidence) < 40
    assert small.warnings


def test_a_kept_listing_is_read_again_and_a_damaged_one_is_not(tmp_path: Path, talk: Any) -> None:
    async def conversation(client: Any) -> None:
        tools = (await client.list_tools()).tools
        keep_listing(tmp_path, "a" * 8, tools)
        read = read_listing(tmp_path, "a" * 8)
        assert read is not None
        assert [t.model_dump() for t in read] == [t.model_dump() for t in tools]
        assert read_listing(tmp_path, "b" * 8) is None
        (tmp_path / "mcp-tools-cccccccc.json").write_text("[{]")
        assert read_listing(tmp_path, "c" * 8) is None
        keep_listing(tmp_path / "file" / "x", "a" * 8, tools)

    talk(conversation)
