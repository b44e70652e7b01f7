"""Every expert tool as an MCP tool of its own, with the typed arguments of its Request."""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver.tools import Tool as ServedTool
from mcp_types import ToolAnnotations
from pydantic import Field

from secondread.tools.base import Tool

if TYPE_CHECKING:
    from secondread.tools.runtime.runtime import Runtime

IMAGE_HELP = "Handle from list_images, path below an allowed folder, or base64: followed by the bytes."


async def run_tool(runtime: "Runtime", name: str, args: dict[str, Any]) -> Any:
    """Run one tool and what it needs; the evidence of the tool asked for.

    Raises:
        UsageError: An argument is wrong.
        ToolUnavailable: There is no such tool.
    """
    import asyncio

    from secondread.tools.runtime.calls import Call

    done = await asyncio.wrap_future(runtime.submit(runtime.run([Call(tool=name, args=args)])))
    return list(done.values())[-1]


def serve_tool(tool: Tool, call: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]) -> ServedTool:
    """An MCP tool whose arguments are the fields of the tool's Request, less the prerequisites the runtime fills.

    Args:
        tool: The expert.
        call: Runs it by name and arguments and gives its evidence as JSON.
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

    async def run(**given: Any) -> dict[str, Any]:
        return await call(card.name, given)

    # The SDK reads the argument schema from the signature.
    run.__signature__ = inspect.Signature(parameters, return_annotation=dict[str, Any])  # type: ignore[attr-defined]  # functions take it
    limits = f" Limits: {' '.join(card.limits)}" if card.limits else ""
    served = ServedTool.from_function(
        run,
        name=card.name,
        description=f"{card.summary} {card.intended_use}{limits}",
        annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False),
    )
    hide_input(served)
    return served


def hide_input(served: ServedTool) -> None:
    """Keep argument values out of validation errors: a path or a name must not come back in a message."""
    model = served.fn_metadata.arg_model
    model.model_config["hide_input_in_errors"] = True
    model.model_rebuild(force=True)
