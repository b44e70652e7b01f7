"""The list of tools kept on disk between starts, under a key of everything it follows from."""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mcp_types import Tool as ListedTool
from pydantic import ValidationError

PARTS = ("schema", "imaging", "kg", "tools", "agent", "serve")
"""Folders of the package whose files decide what is listed."""
ENDINGS = (".py", ".json", ".yaml", ".md")
MOST_BYTES = 4 << 20


def listing_key(*chosen: Any) -> str:
    """A hash of what the list follows from: files of the program, installed packages, Python, the SDK, settings.

    Args:
        chosen: The settings and options that choose tools, as JSON values.
    """
    root = Path(__file__).resolve().parents[2]
    stamps: list[Any] = [sys.version, version("mcp"), version("secondread"), list(chosen)]
    for part in PARTS:
        folder = root / part
        stamps += _stamps(str(folder if folder.is_dir() else root / "secondread" / part))
    for entry in sys.path:  # installing or removing a package changes its folder
        with suppress(OSError):
            stamps.append((entry, os.stat(entry or ".").st_mtime_ns))
    return hashlib.sha256(json.dumps(stamps, default=str).encode()).hexdigest()[:32]


def _stamps(folder: str) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return found
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                found += _stamps(entry.path)
        elif entry.name.endswith(ENDINGS):
            status = entry.stat()
            found.append((entry.path, status.st_size, status.st_mtime_ns))
    return found


def read_listing(folder: Path | None, key: str) -> list[ListedTool] | None:
    """The kept list, or None when there is none of this key or it is damaged."""
    if folder is None:
        return None
    path = folder / f"mcp-tools-{key}.json"
    try:
        if path.stat().st_size > MOST_BYTES or path.stat().st_uid != os.getuid():
            return None
        return [ListedTool.model_validate(one) for one in json.loads(path.read_bytes())]
    except (OSError, ValueError, ValidationError):
        return None


def keep_listing(folder: Path | None, key: str, tools: Sequence[ListedTool]) -> None:
    """Keep a list, readable by the user alone, in place of older ones. A folder that cannot be written keeps none."""
    if folder is None:
        return
    text = json.dumps([one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in tools])
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".mcp-tools-", delete=False, encoding="utf-8") as file:
            file.write(text)
        target = folder / f"mcp-tools-{key}.json"
        os.replace(file.name, target)
        for old in folder.glob("mcp-tools-*.json"):
            if old != target:
                old.unlink(missing_ok=True)
