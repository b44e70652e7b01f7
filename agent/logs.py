"""Structured logs: one record of the standard `logging` module per event of a run, with fields and no texts.

The logger is `secondread.run`, its level INFO; nothing is built while nobody listens. A record's `fields` name run,
event, tools, evidence ids, times, outcomes and codes. Questions, answers, summaries, notes, paths and arguments stay
out, since they can hold what names a person.
"""

import datetime
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from secondread.schema.errors import UsageError

LOGGER = logging.getLogger("secondread.run")
Event = Mapping[str, Any]


def log_event(run: str, event: Event) -> None:
    """Log one event of a trace."""
    if LOGGER.isEnabledFor(logging.INFO):
        kind = str(event["type"])
        more = _FIELDS[kind](event) if kind in _FIELDS else {}
        LOGGER.info("%s", kind, extra={"fields": {"run": run, "event": kind, "t": event.get("t"), **more}})


def _run(e: Event) -> dict[str, Any]:
    return {"images": [i["ref"]["id"] for i in e["images"]], "kind": e["question"]["kind"], "planner": e["planner"]}


def _result(e: Event) -> dict[str, Any]:
    item = e["evidence"]
    made = {"id": item["id"], "tool": item["tool"], "version": item["tool_version"], "image": item["image"],
            "kind": item["kind"], "seconds": round(e["seconds"], 4)}  # fmt: skip
    return made | ({"code": item["result"]["code"]} if item["kind"] == "tool_failure" else {})


def _rethink(e: Event) -> dict[str, Any]:
    return {
        "outcomes": {k: b["outcome"] for k, b in e["beliefs"].items()},
        "revised": len(e.get("revised", ())),
        "closed": len(e.get("closed", ())),
        "critiques": [c["kind"] for c in e.get("critiques", ())],
    }


def _answer(e: Event) -> dict[str, Any]:
    a = e["answer"]
    return {"verdict": a["verdict"], "abstained": a["abstained"], "confidence": a["confidence"],
            "claims": len(a["claims"]), "warnings": len(a["warnings"]), "budget": a["budget"]}  # fmt: skip


_FIELDS: dict[str, Callable[[Event], dict[str, Any]]] = {
    "run": _run,
    "intake": lambda e: {"concepts": [p["concept"] for p in e["propositions"]], "stopped": e.get("stop") is not None},
    "model": lambda e: {"purpose": e["purpose"], "number": e["number"], "tokens": e["tokens"]},
    "moves": lambda e: {"step": e["step"], "tools": [m.get("tool") for m in e["moves"]]},
    "refused": lambda e: {"tool": e["move"].get("tool")},
    "cut": lambda e: {"step": e["step"], "kept": e["kept"], "exhausted": e["exhausted"]},
    "budget": lambda e: {"exhausted": e["exhausted"]},
    "approval": lambda e: {"step": e["step"], "tools": e["tools"], "approved": e["approved"]},
    "result": _result,
    "rethink": _rethink,
    "rules": lambda e: {"rules": [b["rule"] for b in e["broken"]], "then": e["then"]},
    "gate": lambda e: {"accepted": len(e["accepted"]), "rejected": len(e["rejected"])},
    "sentences_refused": lambda e: {"sentences": len(e["problems"])},
    "answer": _answer,
}


class JsonLines(logging.Formatter):
    """A record as one JSON object: time (UTC), level, logger, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", {})
        return json.dumps({"time": when, "level": record.levelname, "logger": record.name, **fields}, default=str)


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Append the events of all runs to a JSON Lines file, readable by its owner alone, while the block runs.

    Args:
        path: The file; None logs nothing.

    Raises:
        UsageError: It cannot be written.
    """
    if path is None:
        yield
        return
    try:
        stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The log {path} cannot be written: {error.strerror}.") from None
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        stream.close()
