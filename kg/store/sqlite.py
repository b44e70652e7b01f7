"""The same interface on one SQLite file, for graphs up to a few million edges and for edges that come later."""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store.identity import checked
from secondread.kg.store.key import normal
from secondread.kg.store.records import (
    Name,
    Node,
    StoredEdge,
    confidence_byte,
    confidence_of,
    flag_byte,
    flags_of,
    names_of,
    polarity_of,
)
from secondread.kg.store.rowstore import MOST_HITS, Hit, Ints, RowStore
from secondread.kg.store.wording import sentence
from secondread.schema.errors import InputError, StoreError

FORMAT = "2"
_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE nodes(row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT, source TEXT);
CREATE TABLE parts(number INTEGER PRIMARY KEY, row INTEGER NOT NULL, part TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX parts_row ON parts(row);
CREATE TABLE names(number INTEGER PRIMARY KEY, row INTEGER NOT NULL, form TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX names_row ON names(row);
CREATE INDEX names_form ON names(form);
CREATE TABLE relations(code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE sources(code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, srl INTEGER NOT NULL, licence TEXT NOT NULL);
CREATE TABLE edges(number INTEGER PRIMARY KEY, subject INTEGER NOT NULL, object INTEGER NOT NULL,
  relation INTEGER NOT NULL, source INTEGER NOT NULL, flags INTEGER NOT NULL, confidence INTEGER NOT NULL,
  evidence TEXT, text TEXT NOT NULL);
CREATE INDEX edges_out ON edges(subject, object, relation, source);
CREATE INDEX edges_in ON edges(object, subject, relation, source);
CREATE INDEX edges_sure ON edges(number) WHERE confidence > 0;
"""


class SqliteStore(RowStore):
    """A graph in one SQLite file. Every statement is fixed; values are bound, never written into it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self.inverses: dict[str, str] = {}
        self._db = connection
        self._lock = threading.RLock()

    @classmethod
    def create(cls, path: Path, about: Mapping[str, Any] | None = None) -> "SqliteStore":
        """Make an empty store and open it for writing.

        Raises:
            InputError: There is a file already, or the folder cannot be written.
        """
        if path.exists():
            raise InputError(f"{path} is there already.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = sqlite3.connect(path, check_same_thread=False)
            made.executescript(_TABLES)
            with made:
                made.executemany(
                    "INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("about", json.dumps(dict(about or {})))]
                )
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"No graph can be written to {path}: {error}.") from error
        return cls(made, path)

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> "SqliteStore":
        """Open a store; readers cannot write.

        Raises:
            StoreError: The file is no such store.
        """
        try:
            made = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={'rw' if write else 'ro'}",
                uri=True, check_same_thread=False, timeout=10,
            )  # fmt: skip
            held = made.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"{path} is no graph of this program.", hint="Build it again.") from error
        if held is None or held[0] != FORMAT:
            raise StoreError(f"{path} is no graph that this version reads.", hint="Build it again.")
        return cls(made, path)

    def close(self) -> None:
        """Let go of the file; what was added and not committed is gone."""
        with self._lock:
            self._db.close()

    def commit(self) -> None:
        """Make what was added so far last."""
        with self._lock:
            self._db.commit()

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    # Adding

    def source(self, name: str, *, srl: int = 0, licence: str = "") -> int:
        """Declare a source of names and edges."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO sources(name, srl, licence) VALUES (?, ?, ?)", (name, srl, licence))
            return int(self._db.execute("SELECT code FROM sources WHERE name = ?", (name,)).fetchone()[0])

    def _relation(self, name: str) -> int:
        self._db.execute("INSERT OR IGNORE INTO relations(name) VALUES (?)", (name,))
        return int(self._db.execute("SELECT code FROM relations WHERE name = ?", (name,)).fetchone()[0])

    def _add(self, node: str, kind: str | None) -> int:
        row = self.row(node)
        if row < 0:
            statement = "INSERT INTO nodes(row, id, kind) VALUES ((SELECT count(*) FROM nodes), ?, ?)"
            row = int(self._db.execute(statement, (checked(node), kind or "unknown")).lastrowid or 0)
        elif kind is not None:
            self._db.execute("UPDATE nodes SET kind = ? WHERE row = ?", (kind, row))
        return row

    def put(
        self,
        node: str,
        *,
        kind: str,
        name: str,
        synonyms: Sequence[str | Name] = (),
        definition: str = "",
        types: Sequence[str] = (),
        source: str,
        srl: int = 0,
        attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a node, or more names to one; its row."""
        names = names_of(name, synonyms, source, srl)
        parts = [("definition", definition)] if definition else []
        parts += [("type", one) for one in types]
        parts += [("attributes", json.dumps(dict(attributes)))] if attributes else []
        with self._lock:
            row = self._add(node, kind)
            self._db.executemany(
                "INSERT INTO names(row, form, body) VALUES (?, ?, ?)",
                [(row, normal(n.text), n.model_dump_json()) for n in names],
            )
            self._db.executemany("INSERT INTO parts(row, part, body) VALUES (?, ?, ?)", [(row, *p) for p in parts])
            called = _first(self._names(row))
            if called is not None:
                self._db.execute(
                    "UPDATE nodes SET name = ?, source = ? WHERE row = ?", (called.text, called.source, row)
                )
        return row

    def join(
        self,
        subject: str,
        relation: str,
        obj: str,
        *,
        source: str,
        polarity: str | None = None,
        confidence: float | None = None,
        evidence: Mapping[str, Any] | None = None,
        flags: Sequence[str] = (),
        text: str = "",
    ) -> None:
        """Add an edge; see `MemoryStore.join`."""
        byte = flag_byte(polarity, flags)
        with self._lock:
            first, second = self._add(subject, None), self._add(obj, None)
            key = (first, second, self._relation(relation), self.source(source))
            if first == second or (not evidence and self._given(key, byte & 0b11000)):
                return
            self._db.execute(
                "INSERT INTO edges(subject, object, relation, source, flags, confidence, evidence, text) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, byte, confidence_byte(confidence), json.dumps(dict(evidence)) if evidence else None, text),
            )

    def _given(self, key: tuple[int, int, int, int], polarity: int) -> bool:
        statement = (
            "SELECT 1 FROM edges WHERE subject = ? AND object = ? AND relation = ? AND source = ? "
            "AND flags & 24 = ? AND evidence IS NULL"
        )
        return self._db.execute(statement, (*key, polarity)).fetchone() is not None

    # Reading

    def row(self, node: str) -> int:
        """Row of an id, -1 when there is none."""
        found = self._all("SELECT row FROM nodes WHERE id = ?", node)
        return int(found[0][0]) if found else -1

    def id_of(self, row: int) -> str:
        """Id of a row."""
        return str(self._all("SELECT id FROM nodes WHERE row = ?", row)[0][0])

    def label(self, row: int) -> tuple[str, str]:
        """Name and kind of a row."""
        name, kind, node = self._all("SELECT name, kind, id FROM nodes WHERE row = ?", row)[0]
        return name or node, kind

    def _names(self, row: int) -> list[Name]:
        found = self._all("SELECT body FROM names WHERE row = ? ORDER BY number", row)
        return [Name.model_validate_json(body) for (body,) in found]

    def record(self, row: int) -> Node:
        """Everything about the node of a row."""
        names = self._names(row)
        node, kind, name, source = self._all("SELECT id, kind, name, source FROM nodes WHERE row = ?", row)[0]
        parts = self._all("SELECT part, body FROM parts WHERE row = ? ORDER BY number", row)
        attributes: dict[str, Any] = {}
        for part, body in parts:
            if part == "attributes":
                attributes |= json.loads(body)
        return Node(
            id=node, name=name or node, kind=kind, synonyms=tuple(names),
            definition=next((body for part, body in parts if part == "definition"), ""),
            types=tuple(body for part, body in parts if part == "type"), source=source or "",
            srl=min((n.srl for n in names), default=0), attributes=attributes,
        )  # fmt: skip

    def out_edges(self, row: int) -> tuple[Ints, Ints]:
        """Objects and edge numbers of the edges that leave a row."""
        return _columns(
            self._all(
                "SELECT object, number FROM edges WHERE subject = ? ORDER BY object, relation, source, number", row
            )
        )

    def in_edges(self, row: int) -> tuple[Ints, Ints]:
        """Subjects and edge numbers of the edges that reach a row."""
        return _columns(
            self._all(
                "SELECT subject, number FROM edges WHERE object = ? ORDER BY subject, relation, source, number", row
            )
        )

    def matching(self, edges: Ints, relations: frozenset[str]) -> NDArray[np.bool_]:
        """Which edges have one of these relations."""
        found = self._all(
            "SELECT e.number FROM json_each(?) j JOIN edges e ON e.number = j.value "
            "JOIN relations r ON r.code = e.relation WHERE r.name IN (SELECT value FROM json_each(?))",
            json.dumps(edges.tolist()), json.dumps(sorted(relations)),
        )  # fmt: skip
        return np.isin(edges, [number for (number,) in found])

    def weights(self, edges: Ints) -> Ints | None:
        """Confidence bytes of edges."""
        if not self._all("SELECT 1 FROM edges WHERE confidence > 0 LIMIT 1"):
            return None
        found = dict(
            self._all(
                "SELECT e.number, e.confidence FROM json_each(?) j JOIN edges e ON e.number = j.value",
                json.dumps(edges.tolist()),
            )
        )
        return np.array([found[number] for number in edges.tolist()], np.uint8)

    def edge(self, number: int) -> StoredEdge:
        """The record of an edge."""
        first, second, relation, source, srl, flags, confidence, evidence, text, nth = self._all(
            "SELECT e.subject, e.object, r.name, s.name, s.srl, e.flags, e.confidence, e.evidence, e.text, "
            "(SELECT count(*) FROM edges o WHERE o.subject = e.subject AND o.object = e.object "
            "AND o.relation = e.relation AND (o.source, o.number) <= (e.source, e.number)) "
            "FROM edges e JOIN relations r ON r.code = e.relation JOIN sources s ON s.code = e.source "
            "WHERE e.number = ?",
            number,
        )[0]
        subject, obj, polarity = self.id_of(first), self.id_of(second), polarity_of(flags)
        return StoredEdge(
            subject=subject, relation=relation, object=obj,
            text=text or sentence(self.label(first)[0], relation, self.label(second)[0], polarity), source=source,
            id=f"{subject}|{relation}|{obj}#{nth}", polarity=polarity, confidence=confidence_of(confidence),
            evidence=json.loads(evidence) if evidence else None, srl=srl, flags=flags_of(flags),
        )  # fmt: skip

    def hits(self, form: str) -> list[Hit]:
        """Names with exactly this normal form."""
        found = self._all("SELECT row, body FROM names WHERE form = ? ORDER BY number LIMIT ?", form, MOST_HITS)
        names = ((row, Name.model_validate_json(body)) for row, body in found)
        return [Hit(row, name.text, name.preferred) for row, name in names]

    def stats(self) -> dict[str, Any]:
        """Counts by kind, relation and source, and where the store comes from."""
        about = json.loads(self._all("SELECT value FROM meta WHERE key = 'about'")[0][0])
        return {
            **about,
            "nodes": self._all("SELECT count(*) FROM nodes")[0][0],
            "edges": self._all("SELECT count(*) FROM edges")[0][0],
            "names": self._all("SELECT count(*) FROM names")[0][0],
            "kinds": dict(self._all("SELECT kind, count(*) FROM nodes GROUP BY kind ORDER BY kind")),
            "relations": dict(self._all(_BY_RELATION)),
            "sources": dict(self._all(_BY_SOURCE)),
        }


_BY_RELATION = "SELECT r.name, count(*) FROM edges JOIN relations r ON code = relation GROUP BY 1 ORDER BY 1"
_BY_SOURCE = "SELECT s.name, count(*) FROM edges JOIN sources s ON code = source GROUP BY 1 ORDER BY 1"


def _first(names: Sequence[Name]) -> Name | None:
    return next((n for n in names if n.preferred), names[0] if names else None)


def _columns(found: list[tuple[Any, ...]]) -> tuple[Ints, Ints]:
    both = np.array(found, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
