"""What is kept of a run: a JSON Lines file of typed events, written as they happen, that can be replayed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from secondread.schema.errors import ReplayError

TRACE_SCHEMA = 1


class TraceWriter:
    """Appends events of one run; keeps them in memory too. `path` None keeps them in memory only.

    Each result of a tool call is on disk before the loop goes on, so a run that is cut off loses no completed call.
    """

    def __init__(self, run: str, path: Path | None) -> None:
        self.run = run
        self.path = path
        self.events: list[dict[str, Any]] = []
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8")

    def add(self, kind: str, **fields: Any) -> None:
        """Record one event. Values must be JSON."""
        event = {"type": kind, **fields}
        self.events.append(event)
        if self._file is not None:
            self._file.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file; the events stay in memory."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_trace(path: Path) -> list[dict[str, Any]]:
    """Events of a trace file, in order; a torn last line is dropped.

    Raises:
        ReplayError: The file is missing, is not a trace, or has another schema version.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path} cannot be read as a trace: {type(error).__name__}.") from None
    events: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            if number == len(lines):
                break
            raise ReplayError(f"{path}, line {number}, is not JSON.") from None
    if not events or events[0].get("type") != "run":
        raise ReplayError(f"{path} is not a trace: its first line does not start a run.")
    if events[0].get("schema") != TRACE_SCHEMA:
        raise ReplayError(f"{path} has trace schema {events[0].get('schema')}, this program reads {TRACE_SCHEMA}.")
    return events


def of_type(events: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    """Events of one type, in order."""
    return (e for e in events if e["type"] == kind)
