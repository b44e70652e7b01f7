"""The file that names the servers to mount: the form that assistants use, with what an expert needs besides.

{"mcpServers": {
    "echo": {
        "command": "echo-mcp", "args": ["--stdio"], "env": {"KEY": "value"},
        "tools": {
            "ejection_fraction": {
                "image": "image_base64",
                "measures": [{"concept": "ejection_fraction", "path": "ef.value", "unit": "1"}]
            }
        }
    },
    "atlas": {"url": "https://atlas.example.org/mcp", "headers": {"Authorization": "Bearer .."}}
}}
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, ValidationError, model_validator

from secondread.schema.errors import UsageError
from secondread.schema.record import Record

Unit = Literal["1", "count", "mm", "mm2", "mm3", "deg", "px", "HU", "units", "grey"]
"""Units of `schema.evidence.Measurement`; a number without one is no measurement."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Measure(Record):
    """A number in the structured result of a tool, and what it measures."""

    concept: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Concept id."""
    path: str = Field(min_length=1, max_length=200)
    """Names of fields on the way to the number, joined by dots; list places are numbers."""
    unit: Unit


class ToolUse(Record):
    """How one tool of a server is used."""

    image: str | None = None
    """Argument that takes the image as base64 PNG; None: the tool gets no pixels."""
    measures: tuple[Measure, ...] = ()
    """Numbers of the result that become evidence, with their units; everything else is text of a third party."""
    establishes: tuple[str, ...] = ()
    """Concept ids that the planner may call it for, besides those of `measures`."""
    modality: tuple[str, ...] = ()
    """DICOM modality codes it is valid for; empty: any."""


class Server(Record):
    """One server to mount: a command, or an address."""

    model_config = ConfigDict(extra="ignore")  # assistants keep fields of their own in the same file

    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    tools: dict[str, ToolUse] | None = None
    """Tools to mount and how they are used; None: all of them, without images and without measures."""
    licence: str = "unknown"
    """SPDX expression of what the server runs, for caveats."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Of one call, and of the connection."""
    disabled: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either a command or a url")
        if self.url is not None and urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError("the url is not http or https")
        return self

    @property
    def local(self) -> bool:
        """Whether what is sent to it stays on this machine, as far as can be told: a command, or a loopback address."""
        return self.url is None or urlsplit(self.url).hostname in LOOPBACK

    @property
    def sees_images(self) -> bool:
        """Whether one of its tools is given pixels."""
        return any(use.image is not None for use in (self.tools or {}).values())


def read_servers(files: Sequence[Path]) -> dict[str, Server]:
    """The servers of some files, by name.

    Raises:
        UsageError: A file cannot be read, is not JSON, or an entry is wrong; the message names file and entry.
    """
    found: dict[str, Server] = {}
    for file in files:
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The file of servers {file} cannot be read: {type(error).__name__}.") from None
        except json.JSONDecodeError as error:
            raise UsageError(f"The file of servers {file} is not JSON: line {error.lineno}: {error.msg}.") from None
        entries = data.get("mcpServers") if isinstance(data, dict) else None
        if not isinstance(entries, dict):
            raise UsageError(f"The file of servers {file} has no object mcpServers.")
        for name, entry in entries.items():
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
                raise UsageError(f"{file}: {name[:40]!r} is no name of a server.", hint="Use a-z, 0-9, _ and -.")
            if name in found:
                raise UsageError(f"{file}: there are two servers called {name}.")
            try:
                found[name] = Server.model_validate(entry)
            except ValidationError as error:
                first = error.errors(include_input=False)[0]
                where = ".".join(map(str, (name, *first["loc"])))
                raise UsageError(f"{file}: {where}: {first['msg']}.") from None
    return {name: server for name, server in found.items() if not server.disabled}
