"""Which tools the settings offer; known without opening an agent."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.agent.config import Settings
from secondread.agent.limits import SEARCHES
from secondread.tools.catalogue import Catalogue, catalogue

if TYPE_CHECKING:
    from secondread.tools.remote.servers import Server


def installed_tools(settings: Settings) -> Catalogue:
    """The installed tools under the allowed licences, less the searches when retrieval is off, with mounted ones.

    Raises:
        UsageError: A file of servers to mount is wrong.
    """
    found = catalogue(settings.allowed_licences)
    if not settings.retrieval:
        found = found.only(tuple(n for n in found.names() if n not in SEARCHES))
    if not settings.mcp_servers:
        return found
    return _mounted(found, settings, tuple(_stamp(file) for file in settings.mcp_servers))


@lru_cache(maxsize=4)
def _mounted(found: Catalogue, settings: Settings, stamps: tuple[int, ...]) -> Catalogue:
    """With mounted tools; connections are made once per process, and again when a file of servers has changed."""
    from secondread.tools.remote.mount import mounted

    return mounted(found, settings.mcp_servers, lambda server: _refused(server, settings))


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0  # reading it says what is wrong


def _refused(server: "Server", settings: Settings) -> str | None:
    """Why the settings do not let a server be mounted, or None."""
    if settings.offline and not server.local:
        return "offline: its address is not on this machine"
    if server.sees_images and not server.local and not settings.send_pixels:
        return "it is given images and is not on this machine, and the setting send_pixels is off"
    return None
