"""What is kept of a run: a JSON Lines file of typed events, written as they happen, that can be replayed."""

import json
import os
import time
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

from secondread.agent.logs import log_event
from secondread.schema.answer import Answer
from secondread.schema.errors import ReplayError
from secondread.schema.record import canonical_json

TRACE_SCHEMA = 1
_KEYED = {"moves": "step", "words": "repair", "gate": "repair", "approval": "step", "cut": "step"}
"""Events of which a run has one per step, or per round of wording."""


class TraceWriter:
    """Appends events of one run; keeps them in memory too. `path` None keeps them in memory only.

    Each result of a tool call is on disk before the loop goes on, so a run that is cut off loses no completed call.

    Args:
        run: Id of the run.
        path: The file, appended to; made readable by its owner alone.
        recorded: Events that the file holds already, for a run that is taken up again.
        settled: How many of them belong to nodes that ended. The node that was cut off runs again; what it recorded
            the first time is not written twice.
        seconds: Time that the run had used when it was cut off.
    """

    def __init__(
        self,
        run: str,
        path: Path | None,
        *,
        recorded: Sequence[dict[str, Any]] = (),
        settled: int = 0,
        seconds: float = 0.0,
    ) -> None:
        self.run = run
        self.path = path
        self.events: list[dict[str, Any]] = list(recorded[:settled])
        self._ahead: dict[Hashable, list[dict[str, Any]]] = {}
        for event in recorded[settled:]:
            self._ahead.setdefault(_identity(event), []).append(event)
        self._began = time.monotonic() - seconds
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8")

    def add(self, kind: str, **fields: Any) -> None:
        """Record one event. Values must be JSON. `t` is the time since the run began, in seconds."""
        event = {"type": kind, "t": round(time.monotonic() - self._began, 3), **fields}
        if self._ahead:
            known = self._ahead.get(_identity(event))
            if known:
                self.events.append(known.pop(0))
                return
        self.events.append(event)
        log_event(self.run, event)
        if self._file is not None:
            self._file.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
            self._file.flush()

    def ahead(self, kind: str, **fields: Any) -> dict[str, Any] | None:
        """An event that the node which was cut off had recorded already, by type and fields."""
        for events in self._ahead.values():
            for event in events:
                if event["type"] == kind and all(event.get(k) == v for k, v in fields.items()):
                    return event
        return None

    def close(self) -> None:
        """Close the file; the events stay in memory."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _identity(event: dict[str, Any]) -> Hashable:
    """What makes two events the same: a call's key, a step's number, or else everything but the time."""
    kind = event["type"]
    if kind == "result":
        return kind, event["call"]["key"]
    if kind in _KEYED and _KEYED[kind] in event:
        return kind, event[_KEYED[kind]]
    return kind, canonical_json({k: v for k, v in event.items() if k not in ("t", "seconds")})


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


def mend(path: Path) -> None:
    """Cut a torn last line off a trace, so that it can be appended to."""
    with path.open("rb+") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            file.truncate(whole)


def of_type(events: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    """Events of one type, in order."""
    return (e for e in events if e["type"] == kind)


def answer_of(events: list[dict[str, Any]]) -> Answer | None:
    """The answer of a recorded run with all that was noted on it; None when the run was cut off before."""
    found = next((e["answer"] for e in of_type(events, "answer")), None)
    if found is None:
        return None
    noted = next((e["warnings"] for e in of_type(events, "notes")), found["warnings"])
    return Answer.model_validate({**found, "warnings": noted})
