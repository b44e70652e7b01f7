"""A server whose tools are made when something other than their list is asked for.

Most sessions of an assistant begin with the list of tools and many end there; making the tools imports all experts.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

from mcp import MCPError
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import INVALID_PARAMS, CallToolResult, GetPromptResult, InputRequiredResult
from mcp_types import Prompt as ListedPrompt
from mcp_types import ResourceTemplate as ListedTemplate
from mcp_types import Tool as ListedTool
from pydantic import AnyUrl


class LateServer(MCPServer[Any]):
    """An `MCPServer` that is filled when it has to be.

    Args:
        fill: Adds tools, resources and prompts to the server it is given; called once.
        listing: The list of tools as `fill` would make it; None fills at once when the list is asked for.
        options: Arguments of `MCPServer`.
    """

    def __init__(
        self, *, fill: "Callable[[LateServer], None]", listing: list[ListedTool] | None, **options: Any
    ) -> None:
        super().__init__(**options)
        self._fill = fill
        self._listing = listing
        self._filling = threading.Lock()
        self._filled = False

    def fill(self) -> None:
        """Make everything that is served. Thread-safe; takes about a second the first time."""
        with self._filling:
            if not self._filled:
                self._fill(self)
                self._filled = True

    async def _ready(self) -> None:
        if not self._filled:
            await asyncio.to_thread(self.fill)

    async def list_tools(self) -> list[ListedTool]:
        """The tools, from the kept listing where there is one."""
        if self._listing is None:
            await self._ready()
            self._listing = await super().list_tools()
        return self._listing

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context | None = None
    ) -> CallToolResult | InputRequiredResult:
        """As `MCPServer.call_tool`."""
        await self._ready()
        return await super().call_tool(name, arguments, context)

    async def list_resource_templates(self) -> list[ListedTemplate]:
        """As `MCPServer.list_resource_templates`."""
        await self._ready()
        return await super().list_resource_templates()

    async def read_resource(
        self, uri: AnyUrl | str, context: Context | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """As `MCPServer.read_resource`."""
        await self._ready()
        return await super().read_resource(uri, context)

    async def list_prompts(self) -> list[ListedPrompt]:
        """As `MCPServer.list_prompts`."""
        await self._ready()
        return await super().list_prompts()

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """As `MCPServer.get_prompt`, with the error code of wrong arguments where they are wrong."""
        await self._ready()
        try:
            return await super().get_prompt(name, arguments, context)
        except ValueError as error:
            raise MCPError(INVALID_PARAMS, str(error)) from None
