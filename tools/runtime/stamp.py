"""Which code made a result: changes with every edit or update, so that no kept result outlives its code."""

import os
import sys
from functools import cache
from pathlib import Path

from secondread.schema.record import short_hash
from secondread.tools.base import Tool

OWN = ("secondread.schema", "secondread.imaging", "secondread.kg", "secondread.tools")
"""What a tool of this project can depend on."""


def code_stamp(tool: Tool) -> str:
    """Hash over names, sizes and times of the source files behind a tool: those of this project and of its package."""
    top = type(tool).__module__.partition(".")[0]
    return _stamp((*OWN, top) if top != "secondread" else OWN)


@cache
def _stamp(modules: tuple[str, ...]) -> str:
    found: list[tuple[str, int, int]] = []
    for name in modules:
        module = sys.modules.get(name)
        folders = list(getattr(module, "__path__", ()))
        file = getattr(module, "__file__", None)
        for folder in folders:
            found += _sources(Path(folder))
        if not folders and file:
            found.append(_one(Path(file), Path(file).parent))
    return short_hash(sorted(found))


def _sources(folder: Path) -> list[tuple[str, int, int]]:
    return [
        _one(Path(where, file), folder)
        for where, _, files in os.walk(folder)
        for file in files
        if file.endswith((".py", ".json", ".yaml"))
    ]


def _one(path: Path, folder: Path) -> tuple[str, int, int]:
    try:
        known = path.stat()
    except OSError:
        return str(path.relative_to(folder)), 0, 0
    return f"{folder.name}/{path.relative_to(folder)}", known.st_size, known.st_mtime_ns
