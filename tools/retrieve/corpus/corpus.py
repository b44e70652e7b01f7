"""A corpus: items in SQLite, vectors beside it, both changed in one transaction."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.retrieve.corpus.lock import BuildLock
from secondread.tools.retrieve.corpus.schema import FILE, connect, create
from secondread.tools.retrieve.corpus.vectors import VectorFile
from secondread.tools.retrieve.records import CorpusInfo, Item

COLUMNS = "id, kind, title, text, source, licence, date, patient, study, modality, labels, language"
_WHERE = {"kind": "kind", "modality": "modality", "source": "source", "language": "language", "licence": "licence"}
MAX_NAMES = 500
"""Values bound in one statement; SQLite's own limit is far above."""


class Corpus:
    """Items by id and by row. Thread-safe for readers; one writer at a time, which holds the lock file."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: BuildLock | None) -> None:
        self.folder = folder
        self._db = connection
        self._lock = lock
        self._guard = threading.RLock()
        self._spaces: dict[str, VectorFile] = {}

    @classmethod
    def open(cls, folder: Path, *, write: bool = False) -> "Corpus":
        """Open a corpus that exists.

        Raises:
            InputError: It does not exist, is damaged or newer, or (writing) another process writes to it.
        """
        if not write:
            return cls(folder, connect(folder, write=False), None)
        lock = BuildLock.take(folder)
        try:
            return cls(folder, connect(folder, write=True), lock)
        except InputError:
            lock.release()
            raise

    @classmethod
    def start(cls, folder: Path, *, name: str = "") -> "Corpus":
        """Open a corpus for writing, making it when the folder holds none.

        Raises:
            InputError: As `open`, or the folder cannot be written.
        """
        if not (folder / FILE).exists():
            create(folder, name or folder.name)
        return cls.open(folder, write=True)

    @classmethod
    def in_memory(cls, name: str) -> "Corpus":
        """An empty corpus that lives in this process only; it takes no vectors."""
        from secondread.tools.retrieve.corpus.schema import in_memory

        return cls(Path(), in_memory(name), BuildLock(None))

    def close(self) -> None:
        """Close files and let other writers in."""
        with self._guard:
            self._db.close()
            for space in self._spaces.values():
                space.close()
            self._spaces.clear()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def __enter__(self) -> "Corpus":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # meta -------------------------------------------------------------------------------------------------------

    def meta(self, key: str) -> str:
        """A stored setting; empty when there is none."""
        found = self._one("SELECT value FROM meta WHERE key=?", (key,))
        return "" if found is None else str(found[0])

    def set_meta(self, key: str, value: str) -> None:
        """Store a setting."""
        with self.change() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def info(self) -> CorpusInfo:
        """Name, version, counts."""
        kinds = dict(self._all("SELECT kind, count(*) FROM items GROUP BY kind ORDER BY kind"))
        return CorpusInfo(
            name=self.meta("name"),
            version=int(self.meta("version") or 0),
            changed=self.meta("changed"),
            items=sum(kinds.values()),
            kinds=kinds,
            encoder=self.meta("encoder:image"),
            text_encoder=self.meta("encoder:text"),
            licences=dict(self._all("SELECT licence, count(*) FROM items GROUP BY licence ORDER BY 2 DESC LIMIT 20")),
        )

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing.

        Raises:
            InputError: The corpus was opened for reading, or the disk is full.
        """
        if self._lock is None:
            raise InputError("The corpus was opened for reading only.")
        with self._guard:
            try:
                with self._db:
                    yield self._db
            except sqlite3.OperationalError as error:
                raise InputError(f"The corpus in {self.folder} could not be written: {error}.") from error

    # items ------------------------------------------------------------------------------------------------------

    def add(
        self,
        items: Sequence[Item],
        *,
        files: Sequence[str] = (),
        vectors: NDArray[np.float32] | None = None,
        space: str = "",
        concepts: Sequence[Iterable[str]] = (),
    ) -> int:
        """Add items or replace those with the same id.

        Args:
            items: What to add; of two with one id the later one stays.
            files: For each where it comes from, so that a changed file is read again; never shown.
            vectors: Unit vectors float32 (n, d) in the same order, or None.
            space: Name of the vectors' space; needed with `vectors`.
            concepts: For each item the concept ids that its text names.

        Returns:
            How many items there are more than before.

        Raises:
            InputError: A vector is not finite or has the wrong length; nothing is added then.
        """
        if vectors is not None and len(vectors) != len(items):
            raise InputError(f"{len(items)} items came with {len(vectors)} vectors.")
        first = self.space(space).append(vectors) if vectors is not None and len(vectors) else 0
        with self.change() as db:
            before = db.execute("SELECT count(*) FROM items").fetchone()[0]
            version = self._bump(db)
            for number, item in enumerate(items):
                self._drop(db, [item.id])
                cursor = db.execute(
                    f"INSERT INTO items({COLUMNS}, file, version) VALUES ({', '.join('?' * 14)})",
                    (*_values(item), files[number] if files else "", version),
                )
                if vectors is not None:
                    db.execute("INSERT INTO vectors VALUES (?, ?, ?)", (_number(first + number, space, db),
                                                                        cursor.lastrowid, space))  # fmt: skip
                if number < len(concepts):
                    db.executemany(
                        "INSERT OR IGNORE INTO concepts VALUES (?, ?)",
                        [(cursor.lastrowid, c) for c in dict.fromkeys(concepts[number])],
                    )
            after = db.execute("SELECT count(*) FROM items").fetchone()[0]
        return int(after - before)

    def delete(self, ids: Iterable[str]) -> int:
        """Take items out; returns how many were there."""
        with self.change() as db:
            gone = self._drop(db, list(ids))
            if gone:
                self._bump(db)
        return gone

    def _bump(self, db: sqlite3.Connection) -> int:
        version = int(db.execute("SELECT value FROM meta WHERE key='version'").fetchone()[0]) + 1
        now = datetime.now(UTC).isoformat(timespec="seconds")
        db.execute("UPDATE meta SET value=? WHERE key='version'", (str(version),))
        db.execute("UPDATE meta SET value=? WHERE key='changed'", (now,))
        return version

    @staticmethod
    def _drop(db: sqlite3.Connection, ids: Sequence[str]) -> int:
        gone = 0
        for one in ids:
            found = db.execute("SELECT row FROM items WHERE id=?", (one,)).fetchone()
            if found is None:
                continue
            for table in ("vectors", "concepts", "items"):
                db.execute(f"DELETE FROM {table} WHERE row=?", found)
            gone += 1
        return gone

    def get(self, item: str) -> Item | None:
        """The item with this id, or None."""
        found = self._one(f"SELECT {COLUMNS} FROM items WHERE id=?", (item,))
        return None if found is None else _item(found)

    def rows(self, rows: Sequence[int]) -> dict[int, Item]:
        """Items by row number; rows that are gone are left out."""
        made: dict[int, Item] = {}
        for start in range(0, len(rows), MAX_NAMES):
            part = [int(r) for r in rows[start : start + MAX_NAMES]]
            marks = ", ".join("?" * len(part))
            for row, *rest in self._all(f"SELECT row, {COLUMNS} FROM items WHERE row IN ({marks})", part):
                made[int(row)] = _item(rest)
        return made

    def holds(self, item: Item, file: str) -> bool:
        """Whether exactly this item of this file is stored."""
        found = self._one(f"SELECT {COLUMNS}, file FROM items WHERE id=?", (item.id,))
        return found is not None and found[-1] == file and _item(found[:-1]) == item

    def file_of(self, item: str) -> str:
        """Where an item came from; empty when it is gone."""
        found = self._one("SELECT file FROM items WHERE id=?", (item,))
        return "" if found is None else str(found[0])

    def __iter__(self) -> Iterator[Item]:
        for row in self._all(f"SELECT {COLUMNS} FROM items ORDER BY row"):
            yield _item(row)

    def allowed(self, where: "dict[str, Any]", *, not_patients: Sequence[str] = ()) -> set[int] | None:
        """Rows that pass a filter; None when every row does.

        Args:
            where: `kind`, `modality`, `source`, `language`, `licence` (a value or several), `label` (one that the item
                must carry), `concept` (a concept id that it must name).
            not_patients: Opaque keys whose items are left out.

        Raises:
            InputError: An unknown filter.
        """
        unknown = sorted(set(where) - {*_WHERE, "label", "concept"})
        if unknown:
            raise InputError(
                f"There is no filter {unknown[0]!r}.",
                hint=f"Known: {', '.join(sorted({*_WHERE, 'label', 'concept'}))}.",
            )
        clauses: list[str] = []
        values: list[Any] = []
        for name, value in where.items():
            several = [value] if isinstance(value, str) else list(value)
            if name == "label":
                for one in several:
                    clauses.append("EXISTS (SELECT 1 FROM json_each(items.labels) WHERE lower(value) = lower(?))")
                    values.append(one)
            elif name == "concept":
                for one in several:
                    clauses.append("row IN (SELECT row FROM concepts WHERE concept = ?)")
                    values.append(one)
            else:
                clauses.append(f"{_WHERE[name]} IN ({', '.join('?' * len(several))})")
                values += several
        keys = [p for p in not_patients if p]
        if keys:
            clauses.append(f"(patient = '' OR patient NOT IN ({', '.join('?' * len(keys))}))")
            values += keys
        if not clauses:
            return None
        return {int(r[0]) for r in self._all(f"SELECT row FROM items WHERE {' AND '.join(clauses)}", values)}

    def patients_of(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Opaque patient keys of these items."""
        found = (self._one("SELECT patient FROM items WHERE id=?", (i,)) for i in ids)
        return tuple(dict.fromkeys(str(f[0]) for f in found if f is not None and f[0]))

    # words and concepts -----------------------------------------------------------------------------------------

    def words(self, terms: Sequence[str], k: int) -> list[tuple[int, float]]:
        """Rows by BM25 over title and text, best first, with positive scores.

        Args:
            terms: Plain words; each is quoted, so none of them is an operator.
            k: Most rows.
        """
        quoted = " OR ".join('"' + t.replace('"', '""') + '"' for t in terms if t.strip())
        if not quoted:
            return []
        rows = self._all(
            "SELECT rowid, -bm25(words, 2.0, 1.0) AS score FROM words WHERE words MATCH ? ORDER BY score DESC LIMIT ?",
            (quoted, k),
        )
        return [(int(r), float(s)) for r, s in rows]

    def frequency(self, term: str) -> int:
        """In how many items a word occurs."""
        quoted = '"' + term.replace('"', '""') + '"'
        return len(self._all("SELECT rowid FROM words WHERE words MATCH ? LIMIT 100000", (quoted,)))

    def named(self, concepts: Sequence[str]) -> list[tuple[int, str]]:
        """(row, concept) pairs of items that name one of the concepts."""
        found: list[tuple[int, str]] = []
        for concept in dict.fromkeys(concepts):
            found += [(int(r), concept) for (r,) in self._all("SELECT row FROM concepts WHERE concept=?", (concept,))]
        return found

    # vectors ----------------------------------------------------------------------------------------------------

    def space(self, name: str) -> VectorFile:
        """The vectors of one encoder."""
        with self._guard:
            if name not in self._spaces:
                dimension = int(self.meta(f"dimension:{name}") or 0)
                if not dimension:
                    raise InputError(f"The corpus has no vectors of {name!r}.")
                path = self.folder / _vector_file(name, int(self.meta(f"generation:{name}") or 0))
                self._spaces[name] = VectorFile(path, dimension, write=self._lock is not None)
            return self._spaces[name]

    def vector_rows(self, space: str) -> NDArray[np.int64]:
        """For each vector of a space the row of its item, -1 where the item is gone; int64 (n,)."""
        pairs = self._all("SELECT number, row FROM vectors WHERE space=?", (space,))
        count = self.space(space).count
        made = np.full(count, -1, np.int64)
        for number, row in pairs:
            at = int(number) % _STRIDE
            if at < count:
                made[at] = row
        return made

    def compact(self) -> int:
        """Rewrite vectors without those of items that are gone; returns how many vectors left."""
        gone = 0
        spaces = [str(r[0]) for r in self._all("SELECT DISTINCT space FROM vectors")]
        for name in spaces:
            rows = self.vector_rows(name)
            kept = np.flatnonzero(rows >= 0)
            if len(kept) == len(rows):
                continue
            gone += len(rows) - len(kept)
            old = self.space(name)
            generation = int(self.meta(f"generation:{name}") or 0) + 1
            old.rewrite(kept, self.folder / _vector_file(name, generation))
            with self.change() as db:
                db.execute("DELETE FROM vectors WHERE space=?", (name,))
                db.executemany(
                    "INSERT INTO vectors VALUES (?, ?, ?)",
                    [(_number(i, name, db), int(rows[k]), name) for i, k in enumerate(kept)],
                )
                db.execute("DELETE FROM meta WHERE key=?", (f"index:{name}",))
                db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"generation:{name}", str(generation)))
                self._bump(db)
            old.close()
            old.path.unlink(missing_ok=True)
            self._spaces.pop(name, None)
        with self._guard:
            self._db.execute("INSERT INTO words(words) VALUES ('optimize')")
            self._db.commit()
            self._db.execute("VACUUM")
        return gone

    # files ------------------------------------------------------------------------------------------------------

    def stamp(self, file: str) -> str:
        """The stamp under which a file was read; empty when it was not."""
        found = self._one("SELECT stamp FROM files WHERE file=?", (file,))
        return "" if found is None else str(found[0])

    def mark(self, files: Sequence[tuple[str, str, str]]) -> None:
        """Note files as read: (file, stamp, problem), the problem empty when there was none."""
        with self.change() as db:
            db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", files)

    def problems(self) -> list[tuple[str, str]]:
        """Files that could not be read, with the reason."""
        return [(str(f), str(p)) for f, p in self._all("SELECT file, problem FROM files WHERE problem != ''")]

    def forget_file(self, file: str) -> int:
        """Take out every item of a file."""
        ids = [str(r[0]) for r in self._all("SELECT id FROM items WHERE file=?", (file,))]
        gone = self.delete(ids)
        with self.change() as db:
            db.execute("DELETE FROM files WHERE file=?", (file,))
        return gone

    def files(self) -> list[str]:
        """Every file that was read."""
        return [str(r[0]) for r in self._all("SELECT file FROM files ORDER BY file")]

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        with self._guard:
            return self._db.execute(sql, values).fetchone()

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._guard:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise InputError(f"The corpus in {self.folder} is damaged: {error}.", hint="Build it again.") from error


_STRIDE = 1 << 40


def _vector_file(space: str, generation: int) -> str:
    return f"vectors-{space}-{generation}.f32"


def _number(index: int, space: str, db: sqlite3.Connection) -> int:
    """A vector number that is unique over spaces: the space's ordinal above bit 40, the index below."""
    key = f"ordinal:{space}"
    found = db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
    if found is None:
        ordinal = db.execute("SELECT count(*) FROM meta WHERE key LIKE 'ordinal:%'").fetchone()[0]
        db.execute("INSERT INTO meta VALUES (?, ?)", (key, str(ordinal)))
        found = (ordinal,)
    return int(found[0]) * _STRIDE + index


def _values(item: Item) -> tuple[str, ...]:
    return (
        item.id, item.kind, item.title, item.text, item.source, item.licence, item.date, item.patient, item.study,
        item.modality, json.dumps(item.labels), item.language,
    )  # fmt: skip


def _item(row: Sequence[Any]) -> Item:
    values = dict(zip(COLUMNS.split(", "), row, strict=True))
    return Item.model_validate({**values, "labels": json.loads(values["labels"])})
