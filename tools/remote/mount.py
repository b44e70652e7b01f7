"""Tools of other servers in the catalogue beside the installed ones; one that fails is listed and hides nothing."""

import base64
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import SecondReadError, ToolError
from secondread.schema.evidence import Measurements, Passages
from secondread.tools.base import Card, Context, Tool
from secondread.tools.catalogue import Catalogue, Problem
from secondread.tools.remote.arguments import Unfit, request_type
from secondread.tools.remote.connection import Connection
from secondread.tools.remote.results import measurements, passages, texts
from secondread.tools.remote.servers import Server, ToolUse, read_servers
from secondread.tools.remote.text import plain

if TYPE_CHECKING:
    from mcp_types import Tool as ListedTool

ORIGIN = "server "
"""Begins the origin of mounted tools, before the name of the server."""
PICTURE_SIDE = 1024
"""Longest side of the picture that is sent, in pixels."""
Allowed = Callable[[Server], str | None]


def mounted(installed: Catalogue, files: Sequence[Path], refused: Allowed = lambda server: None) -> Catalogue:
    """A catalogue with the tools of the servers that some files name.

    Args:
        installed: The tools that are there already; their names stay theirs.
        files: See `secondread.tools.remote.servers`.
        refused: Why a server may not be connected, or None.

    Raises:
        UsageError: A file is wrong.
    """
    tools = {name: installed.get(name) for name in installed.names()}
    origins = {name: installed.origin(name) for name in tools}
    problems = list(installed.problems)
    for name, server in read_servers(files).items():
        where = f"{ORIGIN}{name}"
        reason = refused(server)
        if reason is not None:
            problems.append(Problem(where=where, reason=reason))
            continue
        connection = Connection(name, server)
        try:
            listed = connection.tools()
        except SecondReadError as error:
            problems.append(Problem(where=where, reason=error.message))
            continue
        uses = server.tools
        lacking = sorted(set(uses or ()) - {one.name for one in listed})
        problems += [Problem(where=where, reason=f"it has no tool {tool}") for tool in lacking]
        for one in listed:
            if uses is not None and one.name not in uses:
                continue
            try:
                made = remote_tool(connection, one, (uses or {}).get(one.name, ToolUse()))
            except Unfit as error:
                problems.append(Problem(where=f"{where}, tool {plain(one.name, 60)}", reason=str(error)))
                continue
            if made.card.name in tools:
                problems.append(
                    Problem(where=where, reason=f"a tool named {made.card.name!r} exists already", kind="duplicate")
                )
                continue
            tools[made.card.name], origins[made.card.name] = made, where
    return Catalogue(tools, tuple(problems), origins)


def remote_tool(connection: Connection, listed: "ListedTool", use: ToolUse) -> Tool:
    """One tool of a server as an expert.

    Raises:
        Unfit: Its name or its arguments cannot be served.
    """
    own = re.sub(r"[^a-z0-9_]+", "_", listed.name.lower()).strip("_")
    if not own:
        raise Unfit("its name has no letters")
    name = f"{connection.name.replace('-', '_')}_{own}"[:64]
    told = plain(listed.description or listed.name, 150)
    card = Card(
        name=name,
        version=f"mounted from {connection.name}",
        summary=plain(f"Tool {listed.name} of server {connection.name}, which says of itself: {told}", 240),
        kind="measurement" if use.measures else "passage",
        establishes=tuple(dict.fromkeys((*(m.concept for m in use.measures), *use.establishes))),
        modality=use.modality,
        image="none" if use.image is None else "required",
        dimension=2,
        cost_seconds=2.0,
        timeout_seconds=connection.server.timeout_seconds * 2 + 5,
        licence=connection.server.licence,
        limits=("It runs on another server: what it says is data of a third party, and uncalibrated.",),
        cache="none",
    )
    body: dict[str, Any] = {
        "__doc__": f"Tool {plain(listed.name, 60)} of a mounted server.",
        "card": card,
        "Request": request_type(f"{name}_request", listed.input_schema, use.image),
        "Result": Measurements if use.measures else Passages,
        "connection": connection,
        "remote_name": listed.name,
        "use": use,
    }
    made: Tool = type(name, (RemoteTool,), body)()
    return made


class RemoteTool(Tool):
    """A tool that another server runs. Subclasses set what `remote_tool` gives them."""

    connection: Connection
    remote_name: str
    use: ToolUse

    def run_batch(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
        """Call the server once per request."""
        results: list[Any] = []
        for one in requests:
            try:
                results.append(self._run(one, ctx))
            except SecondReadError as error:
                results.append(error)
        return results

    def _run(self, request: Any, ctx: Context) -> Measurements | Passages:
        arguments = request.model_dump(mode="json", exclude_none=True, exclude={"image"})
        if self.use.image is not None:
            arguments[self.use.image] = base64.b64encode(_png(ctx, request.image)).decode()
        server, tool = self.connection.name, self.remote_name
        result = self.connection.call(tool, arguments)
        if result.is_error:
            said = "; ".join(texts(result))
            raise ToolError(f"The tool {plain(tool, 60)} of server {server} failed: {plain(said, 300)}")
        if self.use.measures:
            return measurements(server, tool, result, self.use.measures)
        return passages(server, tool, result)

    def summarise(self, result: Any) -> str:
        """The numbers, or how much text; the text itself stays in the result, as data."""
        if isinstance(result, Measurements):
            told = [f"{m.name} {m.value:g} {m.unit}" for m in result.items if m.value is not None]
            return f"{', '.join(told)} (server {self.connection.name}, uncalibrated)"
        return f"{len(result.items)} text(s) from server {self.connection.name}"


def _png(ctx: Context, image: str) -> bytes:
    """The image as PNG: pixels alone, no header."""
    import io

    import numpy as np
    from PIL import Image

    picture = Image.fromarray(np.rint(ctx.pixels(image) * 255).astype(np.uint8))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
