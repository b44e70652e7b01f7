"""Records what came of a case: its files, then its rows, forced to the disk, then a note of where the rows lie.

A row is recorded once: the SQLite file refuses a second one for the same case and question. A kill between the three
steps loses no row that was forced to the disk and leaves none half: on opening, rows behind the last note are noted,
and a torn last line is cut off.
"""

import errno
import fcntl
import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from secondread.schema.errors import UsageError
from secondread.serve.batch.questions import OWN
from secondread.serve.batch.rows import as_line, kind_of
from secondread.serve.batch.state import OutputFailed, State

RESULTS, STATE, STUDIES = "results.jsonl", "batch.sqlite", "studies"
PRIVATE = 0o600


class Recorder:
    """The output folder of one running batch; rows of an earlier run are checked on opening. Thread-safe.

    Args:
        out: The folder; it exists.
        questions: Ids of the questions in their order.

    Raises:
        UsageError: Another batch writes there, a row is damaged, or the note of cases has gone.
    """

    def __init__(self, out: Path, questions: tuple[str, ...]) -> None:
        self.out = out
        self._places = {name: n for n, name in enumerate(questions)}
        self._lock = threading.Lock()
        with writing(out):
            self._file = open(out / RESULTS, "ab+", buffering=0)  # noqa: SIM115 - closed by __exit__
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"Another batch writes to {out}.", hint="Wait for it, or use another --out.") from None
            if os.fstat(self._file.fileno()).st_size and not (out / STATE).exists():
                raise UsageError(
                    f"{out / STATE} is missing: its rows cannot be gone on with.", hint="Use another --out."
                )
            with writing(out):
                self.state = State(out / STATE)
        except BaseException:
            self._file.close()
            raise
        try:
            with writing(out):
                self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        """Compare the rows with their notes, and note rows that a kill left without one."""
        size = os.fstat(self._file.fileno()).st_size
        if self.state.end() > size:
            self.state.forget_from(size)
        noted, end = 0, 0
        with open(self.out / RESULTS, "rb") as file:
            for noted, (_, _, at, length, crc) in enumerate(self.state.places(), 1):
                if at != end or zlib.crc32(file.read(length)) != crc:
                    raise self._damaged(noted)
                end = at + length
            file.seek(end)
            found: list[tuple[int, str, int, int, int, int, str]] = []
            for number, line in enumerate(file, noted + 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    found.append(self._note(int(row["key"].removeprefix("case-")), row, end, line))
                except (ValueError, KeyError, TypeError):
                    raise self._damaged(number) from None
                end += len(line)
        self._file.truncate(end)
        self.state.index(found)
        self._end = end

    def _damaged(self, line: int) -> UsageError:
        return UsageError(f"{self.out / RESULTS}, line {line}, is damaged.", hint="Use another --out.")

    def _note(self, n: int, row: Mapping[str, Any], at: int, line: bytes) -> tuple[int, str, int, int, int, int, str]:
        name = row["question_id"]
        place = self._places.get(name)
        if place is None:
            place = len(self._places) + int(name.removeprefix(OWN))
        kind = "internal" if row.get("internal") else kind_of(dict(row))
        return n, name, place, at, len(line), zlib.crc32(line), kind

    def record(self, n: int, rows: "tuple[dict[str, Any], ...]", files: Mapping[str, bytes], key: str) -> bool:
        """Record a case; returns False, and writes nothing, when its rows are there already.

        Raises:
            OutputFailed: The disk is full or has a fault; nothing of the case is recorded.
        """
        with self._lock, writing(self.out):
            have = {name for name, _, _ in self.state.rows_of(n)}
            rows = tuple(row for row in rows if row["question_id"] not in have)
            if not rows:
                return False
            for name, data in files.items():
                write_bytes(self.out / STUDIES / key / name, data)
            lines = [as_line(row) for row in rows]
            notes, at = [], self._end
            for row, line in zip(rows, lines, strict=True):
                notes.append(self._note(n, row, at, line))
                at += len(line)
            try:
                _append(self._file.fileno(), b"".join(lines))
                self.state.index(notes)
            except (OSError, sqlite3.Error):
                self._file.truncate(self._end)
                raise
            self._end = at
            return True

    def rows_of(self, n: int) -> list[dict[str, Any]]:
        """Rows of a case that are recorded, in the order of its questions."""
        return [json.loads(os.pread(self._file.fileno(), size, at)) for _, at, size in self.state.rows_of(n)]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row, by case and question."""
        for _, _, at, size, _ in self.state.places("n"):
            yield json.loads(os.pread(self._file.fileno(), size, at))

    def forget_failed(self) -> int:
        """Take out the rows that hold an error, so that they are asked again. Returns how many."""
        with self._lock, writing(self.out):
            partial = self.out / (RESULTS + ".partial")
            kept: list[tuple[int, str, int, int, int, int, str]] = []
            dropped, end = 0, 0
            with partial.open("wb") as file:
                for n, _, at, size, _ in self.state.places():
                    line = os.pread(self._file.fileno(), size, at)
                    row = json.loads(line)
                    if "error" in row or row.get("skipped", "").endswith(" has no answer"):
                        dropped += 1
                        continue
                    kept.append(self._note(n, row, end, line))
                    end += file.write(line)
                file.flush()
                os.fsync(file.fileno())
            if not dropped:
                partial.unlink()
                return 0
            fcntl.flock(new := os.open(partial, os.O_RDWR | os.O_APPEND), fcntl.LOCK_EX)
            self.state.forget_from(-1)
            os.replace(partial, self.out / RESULTS)
            self._file.close()
            self._file = os.fdopen(new, "ab+", buffering=0)
            self._end = end
            self.state.index(kept)
            self.state.clear_crashes()
            return dropped

    def close(self) -> None:
        """Close both files."""
        self.state.close()
        self._file.close()

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turn a disk that takes nothing more into one clear error.

    Raises:
        OutputFailed: The system refused a write.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else error.strerror or type(error).__name__
        raise OutputFailed(f"{out} cannot be written: {what}.", hint=AGAIN) from None
    except sqlite3.OperationalError as error:
        raise OutputFailed(f"{out} cannot be written: {error}.", hint=AGAIN) from None


AGAIN = "Rows that were recorded are whole; go on with --resume."


def write_bytes(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Write a file, with the folders above it, so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    os.replace(partial, path)


def _append(file: int, data: bytes) -> None:
    """Append all of the data and force it to the disk."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)
