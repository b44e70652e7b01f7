"""Resources by opaque id: images, overlays, evidence, traces, cards. No address holds a path or a name."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError

from secondread.schema.errors import SecondReadError
from secondread.serve.mcp.asking import Desk
from secondread.serve.mcp.clients import client_of
from secondread.serve.mcp.held import picture
from secondread.serve.mcp.wire import small_png

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

THUMBNAIL_SIDE = 512
"""Longest side of the picture of an image, in pixels."""
TRACE_PAGE = 150_000
"""Bytes of one page of a trace."""


class Resources:
    """What `resources/read` gives.

    Args:
        desk: Knows what the clients may see.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def image(self, image: str, ctx: Context) -> bytes:
        """A small picture of an image, or of the middle slice of a volume, as PNG."""
        try:
            name = await self._desk.entered(client_of(ctx), image, films=True)
            store = (await self._desk.opened.get()).runtime.store
            return await asyncio.to_thread(_thumbnail, store, name)
        except (SecondReadError, ToolError) as error:
            raise ResourceNotFoundError(str(error)) from None

    async def overlay(self, run: str, evidence: str, ctx: Context) -> bytes:
        """Picture of one piece of evidence: masks, landmarks and numbers drawn on the image, as PNG."""
        try:
            return await picture((await self._desk.held()).run(client_of(ctx), run), evidence)
        except SecondReadError as error:
            raise ResourceNotFoundError(str(error)) from None

    async def evidence(self, run: str, evidence: str, ctx: Context) -> str:
        """One piece of evidence as JSON; long lists are cut, get_evidence gives their pages."""
        from secondread.serve.mcp.expert import show

        try:
            kept = (await self._desk.held()).run(client_of(ctx), run)
            return show(run, kept.item(evidence)).model_dump_json()
        except SecondReadError as error:
            raise ResourceNotFoundError(str(error)) from None

    async def trace(self, run: str, page: str, ctx: Context) -> str:
        """A page of the trace of an answer, from 1, as JSON lines; the last line says whether there are more."""
        from secondread.agent.settled import trace_path

        try:
            kept = (await self._desk.held()).run(client_of(ctx), run)
        except SecondReadError as error:
            raise ResourceNotFoundError(str(error)) from None
        path = trace_path((await self._desk.opened.get()).settings, run)
        if kept.answer is None or path is None or not path.exists():
            raise ResourceNotFoundError("Traces are not kept.")
        if not page.isdecimal() or not 1 <= int(page) <= 10_000:
            raise ResourceNotFoundError("Pages are numbered from 1.")
        return await asyncio.to_thread(_trace_page, path, int(page))


def register(server: MCPServer[Any], desk: Desk) -> None:
    """Add the resources to a server."""
    made = Resources(desk)
    for address, mime, name, reader in (
        ("secondread://image/{image}", "image/png", "image", made.image),
        ("secondread://overlay/{run}/{evidence}", "image/png", "overlay", made.overlay),
        ("secondread://evidence/{run}/{evidence}", "application/json", "evidence", made.evidence),
        ("secondread://trace/{run}/{page}", "application/jsonl", "trace", made.trace),
    ):
        server.resource(address, mime_type=mime, name=name)(reader)


def _thumbnail(store: "ImageStore", image: str) -> bytes:
    import numpy as np
    from PIL import Image

    info = store.info(image)
    if info.dimension == 3:
        volume = store.volume(image)
        image = store.slice(image, "axial", volume.count("axial") // 2).ref.id
        info = store.info(image)
    if info.colour:
        picture = Image.fromarray(np.ascontiguousarray(store.colour(image)))
    else:
        picture = Image.fromarray(np.rint(store.pixels(image) * 255).astype(np.uint8))
    return small_png(picture, THUMBNAIL_SIDE)


def _trace_page(path: Path, number: int) -> str:
    """Lines of one page. A line that is larger than a page is told by its type and size."""
    lines: list[str] = []
    size, page = 0, 1
    with path.open(encoding="utf-8") as file:
        for raw in file:
            line = raw.rstrip("\n")
            if len(line.encode()) > TRACE_PAGE - 1000:
                line = json.dumps({"type": json.loads(line).get("type"), "cut_bytes": len(line.encode())})
            if size + len(line.encode()) > TRACE_PAGE:
                if page == number:
                    return "\n".join([*lines, json.dumps({"next_page": number + 1})])
                page, lines, size = page + 1, [], 0
            lines.append(line)
            size += len(line.encode()) + 1
    if page != number:
        raise ResourceNotFoundError(f"The trace has {page} pages.")
    return "\n".join([*lines, json.dumps({"next_page": None})])
