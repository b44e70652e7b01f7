"""What a batch knows on disk: its cases and, per row, where it lies in `results.jsonl`. One SQLite file, mode 0600.

Rows are stored once, in `results.jsonl`; this file says which are there. `cases` holds paths and, for a DICOMweb
source, study UIDs, so it is as private as the crosswalk.
"""

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from secondread.schema.errors import SecondReadError, UsageError
from secondread.serve.batch.case import Case

NAME = "batch.sqlite"
STATE_SCHEMA = 1
PAGE = 200
"""Cases read at once."""
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cases (
  n INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, scan INTEGER NOT NULL, spec TEXT NOT NULL,
  expected INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS rows (
  n INTEGER NOT NULL, question TEXT NOT NULL, place INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL,
  crc INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (n, question)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rows_at ON rows (at);
CREATE INDEX IF NOT EXISTS rows_in_order ON rows (n, place, question);
"""


class OutputFailed(SecondReadError):
    """The output folder does not take what is written: the disk is full, or has a fault."""

    code = "output_failed"


class State:
    """The SQLite file. Thread-safe: one connection behind one lock.

    Args:
        path: The file; made when missing. None: in memory, for a dry run.

    Raises:
        UsageError: Not the state of a batch, or of another version.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(str(path or ""), check_same_thread=False, isolation_level=None)
            # Losing the last commits with the power costs nothing: rows come again from `results.jsonl`.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=FILE", "cache_size=-8000"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{path} is not the state of a batch: {error}.", hint="Use another --out.") from None
        if self.meta("schema", str(STATE_SCHEMA)) != str(STATE_SCHEMA):
            raise UsageError(f"{path} is of another version.", hint="Use another --out.")
        self.set_meta("schema", str(STATE_SCHEMA))
        if self.meta("salt") is None:
            self.set_meta("salt", secrets.token_hex(32))

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, to be used inside `locked`."""
        return self._db

    @property
    def locked(self) -> threading.RLock:
        """Held while the connection is used."""
        return self._lock

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def meta(self, name: str, default: str | None = None) -> str | None:
        """A note of the batch."""
        with self._lock:
            found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if found is None else str(found[0])

    def set_meta(self, name: str, value: str) -> None:
        """Keep a note."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def enter(self, cases: Iterable[tuple[str, Case, int]], scan: int) -> None:
        """Enter cases found by a scan: identity, case (its number is given here), rows expected of it.

        A case known by its identity keeps its number; new ones get the next.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN")
            number = self._db.execute("SELECT coalesce(max(n), 0) FROM cases").fetchone()[0]
            for identity, case, expected in cases:
                known = self._db.execute("SELECT n FROM cases WHERE identity = ?", (identity,)).fetchone()
                if known is None:
                    number += 1
                n = number if known is None else known[0]
                spec = case.model_copy(update={"n": n}).model_dump_json(exclude_defaults=True)
                self._db.execute(
                    "INSERT INTO cases (n, identity, scan, spec, expected) VALUES (?, ?, ?, ?, ?) ON CONFLICT (n) "
                    "DO UPDATE SET scan = excluded.scan, spec = excluded.spec, expected = excluded.expected",
                    (n, identity, scan, spec, expected),
                )

    def case(self, n: int) -> Case:
        """A case by its number."""
        with self._lock:
            found = self._db.execute("SELECT spec FROM cases WHERE n = ?", (n,)).fetchone()
        return Case.model_validate_json(found[0])

    def cases(self, scan: int | None, *, todo: bool = False) -> Iterator[Case]:
        """Cases of a scan (None: of all) in order; with `todo` those with rows to come that no killed run was at."""
        last = 0
        where = ("1" if scan is None else f"scan = {int(scan)}") + (
            " AND done < expected AND crashes = 0" if todo else ""
        )
        while True:
            with self._lock:
                page = self._db.execute(
                    f"SELECT n, spec FROM cases WHERE n > ? AND {where} ORDER BY n LIMIT {PAGE}", (last,)
                ).fetchall()
            for n, spec in page:
                last = n
                yield Case.model_validate_json(spec)
            if len(page) < PAGE:
                return

    def suspects(self, scan: int) -> list[tuple[int, int]]:
        """Cases with rows to come at which runs were killed: number and how often, the least often first."""
        with self._lock:
            return self._db.execute(
                "SELECT n, crashes FROM cases WHERE scan = ? AND done < expected AND crashes > 0 ORDER BY crashes, n",
                (scan,),
            ).fetchall()

    def missing(self, scan: int) -> int:
        """Cases of a scan with rows to come."""
        with self._lock:
            found = self._db.execute("SELECT count(*) FROM cases WHERE scan = ? AND done < expected", (scan,))
            return int(found.fetchone()[0])

    def begin(self, n: int) -> None:
        """A case is handed out."""
        with self._lock:
            self._db.execute("UPDATE cases SET begun = begun + 1 WHERE n = ?", (n,))

    def let_go(self) -> None:
        """A run ends in order: what it had begun and not finished is not suspect."""
        with self._lock:
            self._db.execute("UPDATE cases SET begun = 0 WHERE begun > 0")

    def clear_crashes(self) -> None:
        """Suspect nothing."""
        with self._lock:
            self._db.execute("UPDATE cases SET crashes = 0 WHERE crashes > 0")

    def crash(self, n: int) -> int:
        """A worker died while it was at a case: it is suspect. Returns how often that has happened."""
        with self._lock:
            self._db.execute("UPDATE cases SET crashes = crashes + 1 WHERE n = ?", (n,))
            return int(self._db.execute("SELECT crashes FROM cases WHERE n = ?", (n,)).fetchone()[0])

    def crashed(self) -> int:
        """An earlier run did not end in order: what it was at is suspect. Returns how many cases that are."""
        with self._lock:
            return self._db.execute("UPDATE cases SET crashes = crashes + 1, begun = 0 WHERE begun > 0").rowcount

    def counts(self) -> dict[str, int]:
        """Rows by kind."""
        with self._lock:
            return dict(self._db.execute("SELECT kind, count(*) FROM rows GROUP BY kind"))

    def total(self, scan: int) -> tuple[int, int]:
        """Cases of a scan, and those of them with all their rows."""
        with self._lock:
            found = self._db.execute(
                "SELECT count(*), coalesce(sum(done >= expected), 0) FROM cases WHERE scan = ?", (scan,)
            ).fetchone()
        return int(found[0]), int(found[1])

    def index(self, entries: Iterable[tuple[int, str, int, int, int, int, str]]) -> None:
        """Note rows: case, question, place among the questions, offset, size, checksum, kind; all or none.

        Raises:
            sqlite3.IntegrityError: A row is there already.
        """
        with self._lock, self._db:
            self._db.execute("BEGIN")
            for entry in entries:
                self._db.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)", entry)
                self._db.execute("UPDATE cases SET done = done + 1, begun = 0 WHERE n = ?", (entry[0],))

    def forget_from(self, offset: int) -> None:
        """Drop the notes of rows that end behind an offset."""
        with self._lock, self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM rows WHERE at + size > ?", (offset,))
            self._db.execute("UPDATE cases SET done = (SELECT count(*) FROM rows WHERE rows.n = cases.n)")

    def places(self, order: str = "at") -> Iterator[tuple[int, str, int, int, int]]:
        """Case, question, offset, size and checksum of every row, by `at` (as written) or by `n` (case, question)."""
        by, first = {"at": ("at", (-1,)), "n": ("n, place, question", (-1, -1, ""))}[order]
        last: tuple[int | str, ...] = first
        after = f"({by}) > ({','.join('?' * len(first))})"
        while True:
            with self._lock:
                page = self._db.execute(
                    f"SELECT n, question, at, size, crc, place FROM rows WHERE {after} ORDER BY {by} LIMIT 5000",
                    last,
                ).fetchall()
            for n, question, at, size, crc, place in page:
                last = (at,) if order == "at" else (n, place, question)
                yield n, question, at, size, crc
            if len(page) < 5000:
                return

    def end(self) -> int:
        """Offset behind the last row noted."""
        with self._lock:
            return int(self._db.execute("SELECT coalesce(max(at + size), 0) FROM rows").fetchone()[0])

    def rows_of(self, n: int) -> list[tuple[str, int, int]]:
        """Question, offset and size of the rows of a case, in the order of its questions."""
        with self._lock:
            return self._db.execute("SELECT question, at, size FROM rows WHERE n = ? ORDER BY place", (n,)).fetchall()
