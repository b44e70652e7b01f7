"""Predictions on disk as they come: one JSON line each, forced to the disk, damaged lines counted and asked again."""

import json
import os
import threading
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from secondread.evals.bench.item import Prediction


class Journal:
    """An append-only file of predictions. Safe to append to from several threads; use as a context manager.

    Attributes:
        kept: Predictions of this configuration by (subject, item).
        damaged: Lines that could not be read; their items are asked again.
        stale: Predictions made under another configuration; they are left in the file and not used.
    """

    def __init__(self, path: Path, config: str) -> None:
        self.config = config
        self.kept: dict[tuple[str, str], Prediction] = {}
        self.damaged = 0
        self.stale = 0
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes() if path.is_file() else b""
        for line in data.splitlines():
            self._take(line)
        self._file = path.open("ab")
        if data and not data.endswith(b"\n"):
            self._file.write(b"\n")

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            config, made = row["config"], Prediction.model_validate(row["prediction"])
        except (ValueError, TypeError, KeyError, ValidationError):
            self.damaged += 1
            return
        if config != self.config:
            self.stale += 1
        elif made.error is None:  # what failed is asked again
            self.kept[made.subject, made.item] = made

    def add(self, made: Prediction) -> None:
        """Write one prediction and force it to the disk before returning."""
        line = json.dumps({"config": self.config, "prediction": made.model_dump(mode="json")}, ensure_ascii=False)
        with self._lock:
            self._file.write(line.encode("utf-8", "replace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self.kept[made.subject, made.item] = made

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
