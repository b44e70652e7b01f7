"""Rows on disk: appended one by one, each forced to the disk, a torn last line repaired on opening."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from secondread.schema.errors import UsageError


class Journal:
    """A JSON Lines file that one process appends to. Use as a context manager.

    Raises:
        UsageError: Another process writes to it, or a line other than the last is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "ab+")  # noqa: SIM115 - closed by __exit__
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"Another batch writes to {path}.", hint="Wait for it, or use another --out.") from None
        try:
            self.rows = self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> list[dict[str, Any]]:
        self._file.seek(0)
        data = self._file.read()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            self._file.truncate(end)
        rows = []
        for number, line in enumerate(data[:end].splitlines(), 1):
            try:
                rows.append(json.loads(line))
            except ValueError:
                raise UsageError(f"{self.path}, line {number}, is damaged.", hint="Use another --out.") from None
        return rows

    def append(self, row: dict[str, Any]) -> None:
        """Write one row and force it to the disk before returning."""
        self._file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows.append(row)

    def done(self) -> set[tuple[str, str]]:
        """Key and question id of every row."""
        return {(row["key"], row["question_id"]) for row in self.rows}

    def failed(self) -> Iterator[dict[str, Any]]:
        """Rows that hold an error."""
        return (row for row in self.rows if row.get("error"))

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
