"""The audit file read back: one record per call of a model, its outcome joined to it."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from secondread.schema.errors import ReplayError
from secondread.schema.record import Record

AUDIT_SCHEMA = 1
FILE_NAME = "audit/calls.jsonl"
"""Below the folder of the traces."""


class Tokens(Record):
    """Tokens by the model's own count."""

    input: int
    output: int


class Sent(Record):
    """One call of a model."""

    call: str
    time: str
    """UTC, ISO 8601."""
    run: str
    planner: str
    where: Literal["machine", "remote", "unknown"]
    """`machine`: a loopback address or weights in this process."""
    host: str | None
    port: int | None
    provider: str | None
    model: str
    bytes: int
    """Of the prompt's text, UTF-8 in JSON, without pictures."""
    tool_bytes: int
    """Of the descriptions of tools that went with it, as JSON."""
    pixels: bool
    images: int
    image_bytes: int
    """Of the pictures as sent, in base64."""
    sha256: str
    """Of the prompt's text in that form; pictures stand in it by their own SHA-256."""
    outcome: Literal["replied", "failed", "unanswered", "cut_off"] = "cut_off"
    """`unanswered`: given up at a time limit; `cut_off`: the process ended before the call did."""
    seconds: float | None = None
    error: str | None = None
    """Kind of the error."""
    tokens: Tokens | None = None


def read_audit(folder: Path, run: str | None = None) -> list[Sent]:
    """Records of all runs or of one, oldest first; empty when no model was called.

    Args:
        folder: Of the traces.
        run: Id of a run.

    Raises:
        ReplayError: The file cannot be read or is damaged; a torn last line is passed over.
    """
    path = folder / FILE_NAME
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(f"{path} cannot be read: {type(error).__name__}.") from None
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines[:-1], 1):
        try:
            record = json.loads(line)
            kind, call = record.pop("record"), record["call"]
            if kind == "call":
                if record.pop("schema") != AUDIT_SCHEMA:
                    raise ReplayError(f"{path}, line {number}, has another schema than {AUDIT_SCHEMA}.")
                found[call] = record
            elif call in found:
                found[call] |= record
        except (ValueError, KeyError, AttributeError, TypeError):
            raise ReplayError(f"{path}, line {number}, is damaged.") from None
    try:
        return [Sent.model_validate(one) for one in found.values() if run in (None, one["run"])]
    except (ValidationError, KeyError):
        raise ReplayError(f"{path} holds a damaged record.") from None
