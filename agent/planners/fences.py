"""Untrusted text made safe to stand in a prompt: marked as data, bounded, unable to close its own fence."""

import json
import unicodedata
from typing import Any

MAX_ITEM = 600
MAX_BLOCK = 24_000


def tame(text: str, limit: int = MAX_ITEM) -> str:
    """Text without control characters and angle brackets, cut to `limit` characters with a mark where it was cut."""
    kept = "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else " " for c in text[: limit * 2])
    kept = kept.replace("<", "\u2039").replace(">", "\u203a").strip()
    return kept if len(kept) <= limit and len(text) <= limit * 2 else kept[:limit] + " [cut]"


def _tamed(value: Any) -> Any:
    if isinstance(value, str):
        return tame(value)
    if isinstance(value, dict):
        return {str(k): _tamed(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_tamed(v) for v in value]
    return value


def fence(value: Any) -> str:
    """A value as JSON (a string as it is) between `<data>` and `</data>`; nothing inside can end the block early."""
    tamed = (
        tame(value, MAX_BLOCK) if isinstance(value, str) else json.dumps(_tamed(value), ensure_ascii=False, indent=0)
    )
    if len(tamed) > MAX_BLOCK:
        tamed = tamed[:MAX_BLOCK] + " [cut]"
    return f"<data>\n{tamed}\n</data>"
