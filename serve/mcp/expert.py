"""Every expert tool as an MCP tool of its own, with the typed arguments of its Request and a typed result."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool as ServedTool
from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent, ToolAnnotations
from pydantic import Field, create_model

from secondread.schema.errors import SecondReadError
from secondread.schema.evidence import Evidence, Result, ToolFailure
from secondread.schema.record import Record
from secondread.serve.export import PICTURED
from secondread.serve.mcp.asking import IMAGE_HELP, Desk
from secondread.serve.mcp.clients import client_of
from secondread.serve.mcp.wire import page_of, plain, refusal
from secondread.tools.base import Tool

if TYPE_CHECKING:
    from secondread.tools.runtime.runtime import Runtime

OPEN_WORLD = "remote"
"""Origin of tools of mounted servers, which reach out of this process."""
Call = Callable[[str, dict[str, Any], str], Awaitable[CallToolResult]]


class Shown(Record):
    """One tool result, as evidence."""

    run: str
    """Id for get_overlay, get_evidence and the addresses of resources."""
    id: str
    """Evidence id within `run`."""
    kind: str
    tool: str
    tool_version: str
    weights: str | None = None
    """SHA-256 over the weights used, or None."""
    image: str | None = None
    """Image or volume id; other tools take it as `image`."""
    place: str = ""
    """Which study, series and slice that is, in words."""
    calibrated: bool = False
    """Whether how often this tool is right was measured; list_tools_cards tells the figures."""
    caveats: tuple[str, ...] = ()
    summary: str
    next: int | None = None
    """First entry of the next page of a long list, for get_evidence; None: the lists are whole."""


@cache
def shown_type(result: type[Record]) -> type[Shown]:
    """The type of a tool's result on the wire, for one Result type."""
    return create_model(
        f"{result.__name__}Shown", __base__=Shown, __doc__=Shown.__doc__, result=(result, Field(description="Result."))
    )


AnyShown = create_model(
    "AnyShown", __base__=Shown, __doc__=Shown.__doc__, result=(Result, Field(description="Result."))
)
"""The type of any tool's result on the wire."""


def show(run: str, item: Evidence, *, first: int = 0, count: int | None = None) -> Shown:
    """A piece of evidence on the wire, with its long lists in pages."""
    part = page_of(item, first) if count is None else page_of(item, first, count)
    kept = part.evidence
    return shown_type(type(kept.result))(
        run=run,
        id=kept.id,
        kind=kept.kind,
        tool=kept.tool,
        tool_version=kept.tool_version,
        weights=kept.weights,
        image=kept.image,
        place=kept.place,
        calibrated=kept.reliability is not None,
        caveats=kept.caveats,
        summary=kept.summary,
        next=part.next,
        result=kept.result,  # type: ignore[call-arg]  # the field that `shown_type` adds
    )


def links(run: str, evidence: Sequence[Evidence]) -> list[ContentBlock]:
    """Links to the pictures of evidence."""
    return [
        ResourceLink(uri=f"secondread://overlay/{run}/{e.id}", name=f"overlay of {e.id}", mime_type="image/png")
        for e in evidence
        if e.kind in PICTURED and e.image is not None
    ]


async def run_tool(runtime: "Runtime", name: str, args: dict[str, Any], *, offline: bool = False) -> list[Evidence]:
    """Run one tool and what it needs; all the evidence, that of the tool asked for last.

    Args:
        runtime: Runs it.
        name: Of the tool.
        args: Of its request.
        offline: Refuse every connection while it runs.

    Raises:
        UsageError: An argument is wrong.
        ToolUnavailable: There is no such tool.
    """
    import asyncio

    from secondread.tools.runtime.calls import Call as Wanted
    from secondread.tools.runtime.offline import guarded

    async def work() -> dict[str, Evidence]:
        with guarded("none" if offline else "open"):
            return await runtime.run([Wanted(tool=name, args=args)])

    done = await asyncio.wrap_future(runtime.submit(work()))
    return list(done.values())


async def run_expert(desk: Desk, name: str, given: dict[str, Any], client: str) -> CallToolResult:
    """Run one expert tool for a client; its `image` becomes an image id.

    Raises:
        ToolError: With code, message and hint.
    """
    args = {k: v for k, v in given.items() if v is not None}
    agent = await desk.opened.get()
    held = await desk.held()
    try:
        runtime = agent.runtime
        if args.get("image") is not None:
            card = runtime.catalogue.get(name).card
            args["image"] = await desk.entered(client, args["image"], films=card.dimension != 3)
        evidence = await run_tool(runtime, name, args, offline=agent.settings.offline)
    except SecondReadError as error:
        raise refusal(error) from None
    found = evidence[-1]
    if isinstance(found.result, ToolFailure):
        raise ToolError(f"{found.result.code}: {found.result.message} {found.result.hint}".strip())
    run = held.keep_call(client, evidence)
    caveats = "".join(f"\n{caveat}" for caveat in found.caveats)
    return CallToolResult(
        content=[TextContent(text=f"{found.summary}{caveats}"), *links(run, [found])],
        structured_content=plain(show(run, found)),
    )


def serve_tool(tool: Tool, call: Call, *, remote: bool = False) -> ServedTool:
    """An MCP tool whose arguments are the fields of the tool's Request, less the prerequisites the runtime fills.

    Args:
        tool: The expert.
        call: Runs it by name, arguments and client.
        remote: It reaches out of this process, to a mounted server.
    """
    card = tool.card
    parameters: list[inspect.Parameter] = []
    for name, field in tool.Request.model_fields.items():
        if name in card.needs or (name == "image" and card.image == "none"):
            continue
        if name == "image":
            kind: Any = str if card.image == "required" else str | None
            annotation: Any = Annotated[kind, Field(description=IMAGE_HELP)]
            default = inspect.Parameter.empty if card.image == "required" else None
        else:
            annotation = Annotated[field.annotation, *field.metadata, Field(description=field.description)]
            default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    parameters.append(inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=Context))

    async def run(*, ctx: Any, **given: Any) -> CallToolResult:
        return await call(card.name, given, client_of(ctx))

    # The SDK reads the argument schema from the signature, and where the context goes from the annotations.
    run.__signature__ = inspect.Signature(parameters, return_annotation=CallToolResult)  # type: ignore[attr-defined]  # functions take it
    run.__annotations__ = {"ctx": Context}
    limits = f" Limits: {' '.join(card.limits)}" if card.limits else ""
    served = ServedTool.from_function(
        run,
        name=card.name,
        title=card.name.replace("_", " ").capitalize(),
        description=f"{card.summary} {card.intended_use}{limits}",
        structured_output=False,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=not remote, open_world_hint=remote
        ),
    )
    # Many tools share a result type; its schema is made once.
    served.fn_metadata.output_schema = output_schema(shown_type(tool.Result))
    served.fn_metadata.output_model = shown_type(tool.Result)
    trim(served)
    return served


@cache
def output_schema(shown: type[Record]) -> dict[str, Any]:
    """The JSON schema of a result, small: the list of all tools must stay below the size of one result."""
    return cast(dict[str, Any], slim(shown.model_json_schema(mode="serialization")))


def trim(served: ServedTool) -> None:
    """Keep argument values out of validation errors and refuse unknown arguments; make the schemas small.

    A path or a name must not come back in a message.
    """
    model = served.fn_metadata.arg_model
    model.model_config["hide_input_in_errors"] = True
    model.model_config["extra"] = "forbid"
    model.model_rebuild(force=True)
    served.parameters = cast(dict[str, Any], untitled(served.parameters)) | {"additionalProperties": False}
    output = served.fn_metadata.output_schema
    if output is not None:
        served.fn_metadata.output_schema = cast(dict[str, Any], slim(output))


def untitled(schema: Any, *, names: bool = False) -> Any:
    """A JSON schema without titles; keys of `properties` and `$defs` are names and stay."""
    return _less(schema, ("title",), names=names)


def slim(schema: Any) -> Any:
    """The schema of a result without what its reader can do without: titles, defaults, descriptions of inner fields."""
    made = _less(schema, ("title", "default", "additionalProperties"))
    if "$defs" in made:
        made["$defs"] = _less(made["$defs"], ("description",), names=True)
    return made


def _less(schema: Any, keys: tuple[str, ...], *, names: bool = False) -> Any:
    if isinstance(schema, dict):
        return {
            key: _less(value, keys, names=key in ("properties", "$defs") and not names)
            for key, value in schema.items()
            # `additionalProperties` may hold the schema of the values of a mapping, which stays.
            if names or key not in keys or isinstance(value, dict)
        }
    if isinstance(schema, list):
        return [_less(value, keys) for value in schema]
    return schema
