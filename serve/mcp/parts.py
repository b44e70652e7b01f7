"""What a server serves: the tools that ask, look and know, every expert, resources and prompts."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool as ServedTool
from mcp_types import ToolAnnotations

from secondread.serve.mcp import prompts, resources
from secondread.serve.mcp.asking import Desk
from secondread.serve.mcp.expert import run_expert, serve_tool, trim
from secondread.serve.mcp.images import AllowedImages
from secondread.serve.mcp.jobs import Jobs
from secondread.serve.mcp.knowledge import Knowledge
from secondread.serve.mcp.limits import Limits
from secondread.serve.mcp.looking import Looking
from secondread.serve.mcp.opened import Opened
from secondread.serve.mcp.questions import Questions

if TYPE_CHECKING:
    from secondread.tools.catalogue import Catalogue

READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
ASKS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
STARTS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
STOPS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


class Parts:
    """What the tools of a server share.

    Args:
        opened: The agent.
        images: What clients may name.
        limits: Bounds per client.
    """

    def __init__(self, opened: Opened, images: AllowedImages, limits: Limits) -> None:
        self.desk = Desk(opened, images, limits)
        self.jobs = Jobs(limits.jobs)

    def fill(self, server: MCPServer[Any], find: "Callable[[], Catalogue]", *, client_roots: bool) -> None:
        """Add everything to a server.

        Args:
            server: Takes it.
            find: Finds the installed tools.
            client_roots: Offer the tool by which a client allows its own roots.
        """
        catalogue = find()
        own = self._own(client_roots=client_roots)
        taken = {served.name for served in own}

        async def call(name: str, given: dict[str, Any], client: str) -> Any:
            return await run_expert(self.desk, name, given, client)

        for served in own:
            add(server, served)
        for name in catalogue.names():
            if name not in taken:
                remote = catalogue.origin(name).startswith("server ")
                add(server, serve_tool(catalogue.get(name), call, remote=remote))
        resources.register(server, self.desk)
        prompts.register(server)

    def _own(self, *, client_roots: bool) -> Sequence[ServedTool]:
        """The tools besides the experts."""
        from secondread.serve.mcp.roots import allow_client_roots

        questions, looking, knowledge = Questions(self.desk, self.jobs), Looking(self.desk), Knowledge(self.desk)
        made = [
            ServedTool.from_function(questions.ask, annotations=ASKS),
            ServedTool.from_function(questions.ask_start, annotations=STARTS),
            ServedTool.from_function(questions.ask_poll, annotations=READS),
            ServedTool.from_function(questions.ask_cancel, annotations=STOPS),
            ServedTool.from_function(looking.list_images, annotations=READS),
            ServedTool.from_function(looking.get_overlay, annotations=READS),
            ServedTool.from_function(looking.get_evidence, annotations=READS),
            ServedTool.from_function(looking.list_tools_cards, annotations=READS),
            ServedTool.from_function(knowledge.kg_concept, annotations=READS),
            ServedTool.from_function(knowledge.kg_paths, annotations=READS),
            ServedTool.from_function(knowledge.kg_facts, annotations=READS),
        ]
        if client_roots:
            made.append(ServedTool.from_function(allow_client_roots(self.desk.images), annotations=STARTS))
        for served in made:
            trim(served)
        return made


def add(server: MCPServer[Any], served: ServedTool) -> None:
    """Add a tool with its trimmed schemas; `MCPServer.add_tool` takes functions only and would make them anew."""
    server._tool_manager._tools[served.name] = served
