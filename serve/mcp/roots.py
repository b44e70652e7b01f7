"""Folders that a client names as its roots, allowed on its request where client and server share a disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp_types import ListRootsResult

from secondread.schema.record import Record
from secondread.serve.mcp.images import AllowedImages

MOST_ROOTS = 32
"""Roots of a client that are looked at."""


class Allowed(Record):
    """What became of the client's roots."""

    roots: int
    """Roots that are folders of this machine and may be read from here on."""
    images: int
    """What list_images lists."""


def folders_of(addresses: list[str]) -> list[Path]:
    """The folders among `file://` addresses of this machine."""
    found = []
    for address in addresses[:MOST_ROOTS]:
        parts = urlsplit(address)
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            path = Path(unquote(parts.path))
            if path.is_absolute() and "\0" not in str(path) and path.is_dir():
                found.append(path)
    return found


def allow_client_roots(images: AllowedImages) -> Callable[..., Any]:
    """The tool `use_client_roots` for a set of allowed images."""

    async def roots() -> ListRoots:
        return ListRoots()

    async def use_client_roots(found: Annotated[ListRootsResult, Resolve(roots)]) -> Allowed:
        """Allow the folders that this client names as its roots to be read, besides those of the operator."""
        folders = folders_of([str(root.uri) for root in found.roots])
        images.allow(folders)
        return Allowed(roots=len(folders), images=images.page(count=1).total)

    return use_client_roots
