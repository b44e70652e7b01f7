"""What left this process for a model: one record per call, without a word of what was said.

A call is recorded before it is made and completed when it ends; one that cannot be recorded is not made. The file holds
JSON lines: `call` lines say where a prompt went and how large it was, `outcome` lines how the call ended.
"""

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.tracers.context import register_configure_hook

from secondread.agent.audit_file import AUDIT_SCHEMA, FILE_NAME
from secondread.agent.destination import Destination

_IMAGE_KEYS = ("base64", "data", "url", "image_url")
_INLINE = re.compile(r"^data:[^,]*;base64,")


class Auditor(BaseCallbackHandler):
    """Records every call of a langchain model that is made while it is `watching`.

    Args:
        folder: Of the traces; the file in it is readable by its owner alone.
        run: Id of the run.
        planner: How traces call the planner.
        where: Where its prompts go.
    """

    raise_error = True
    run_inline = True

    def __init__(self, folder: Path, run: str, planner: str, where: Destination) -> None:
        self._path = folder / FILE_NAME
        self._run, self._planner, self._where = run, planner, where
        self._open: dict[UUID, tuple[str, float]] = {}

    def on_chat_model_start(
        self, serialized: dict[str, Any] | None, messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat model is about to be called.

        Raises:
            OSError: The record cannot be written, so the call is not made.
        """
        tools = (kwargs.get("invocation_params") or {}).get("tools") or ()
        for one in messages:
            text, pictures = prompt_bytes(one)
            self._sent(run_id, text, pictures, tools, kwargs)

    def on_llm_start(
        self, serialized: dict[str, Any] | None, prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A text model is about to be called; errors as for chat models."""
        for prompt in prompts:
            self._sent(run_id, prompt.encode(), [], (), kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """It has replied."""
        self._ended(run_id, "replied", tokens=_tokens(response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed. Only the kind of error is kept: its text may hold keys."""
        self._ended(run_id, "failed", error=type(error).__name__)

    def close(self) -> None:
        """Complete the records of calls that were given up."""
        for run_id in list(self._open):
            self._ended(run_id, "unanswered")

    def _sent(
        self, run_id: UUID, text: bytes, pictures: Sequence[bytes], tools: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        call = secrets.token_hex(8)
        metadata = kwargs.get("metadata") or {}
        self._write(
            {
                "record": "call",
                "schema": AUDIT_SCHEMA,
                "call": call,
                "time": _now(),
                "run": self._run,
                "planner": self._planner,
                "where": self._where.where,
                "host": self._where.host,
                "port": self._where.port,
                "provider": metadata.get("ls_provider"),
                "model": metadata.get("ls_model_name") or self._where.model or self._planner,
                "bytes": len(text),
                "tool_bytes": len(json.dumps(tools, default=str).encode()) if tools else 0,
                "pixels": bool(pictures),
                "images": len(pictures),
                "image_bytes": sum(map(len, pictures)),
                "sha256": hashlib.sha256(text).hexdigest(),
            }
        )
        self._open[run_id] = call, time.monotonic()

    def _ended(self, run_id: UUID, outcome: str, **told: Any) -> None:
        call, began = self._open.pop(run_id, (None, 0.0))
        if call is not None:
            seconds = round(time.monotonic() - began, 3)
            self._write({"record": "outcome", "call": call, "outcome": outcome, "seconds": seconds, **told})

    def _write(self, record: dict[str, Any]) -> None:
        """Append one line in one write, so that lines of processes that share the file do not mix."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = (json.dumps(record, ensure_ascii=False) + "\n").encode()
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)


_watching: ContextVar[Auditor | None] = ContextVar("secondread_auditor", default=None)
register_configure_hook(_watching, inheritable=True)


@contextmanager
def watching(auditor: Auditor) -> Iterator[None]:
    """Record every call of a langchain model that this task, and what it starts, makes."""
    token = _watching.set(auditor)
    try:
        yield
    finally:
        _watching.reset(token)
        auditor.close()


def prompt_bytes(messages: Sequence[BaseMessage]) -> tuple[bytes, list[bytes]]:
    """A prompt as it is counted and hashed, and the pictures in it.

    Returns:
        UTF-8 of a JSON list of `[role, content]`, keys sorted, without the random ids of content blocks; pictures stand
        in it as `{"image": sha256}`. And each picture as it is sent, in base64 or as its address.
    """
    pictures: list[bytes] = []
    told = [[message.type, _plain(message.content, pictures)] for message in messages]
    return json.dumps(told, ensure_ascii=False, sort_keys=True, default=str).encode(), pictures


def _plain(content: Any, pictures: list[bytes]) -> Any:
    if isinstance(content, list):
        return [_plain(part, pictures) for part in content]
    if not isinstance(content, dict):
        return content
    if str(content.get("type", "")).startswith("image") or "image_url" in content:
        held = next((content[key] for key in _IMAGE_KEYS if content.get(key)), "")
        held = held.get("url", "") if isinstance(held, dict) else held
        picture = held if isinstance(held, bytes) else _INLINE.sub("", str(held)).encode()
        pictures.append(picture)
        return {"image": hashlib.sha256(picture).hexdigest()}
    return {key: _plain(value, pictures) for key, value in content.items() if key != "id"}


def _tokens(response: LLMResult) -> dict[str, int] | None:
    """Tokens by the model's own count; None when it tells none."""
    for generations in response.generations:
        for one in generations:
            usage = getattr(getattr(one, "message", None), "usage_metadata", None)
            if usage:
                return {"input": int(usage["input_tokens"]), "output": int(usage["output_tokens"])}
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
