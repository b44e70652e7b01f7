"""The tables of a corpus and the connection to them."""

import sqlite3
from pathlib import Path

from secondread.schema.errors import InputError

FORMAT = 1
FILE = "corpus.sqlite"

TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items(
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
  source TEXT NOT NULL, licence TEXT NOT NULL, date TEXT NOT NULL, patient TEXT NOT NULL, study TEXT NOT NULL,
  modality TEXT NOT NULL, labels TEXT NOT NULL, language TEXT NOT NULL, file TEXT NOT NULL, version INTEGER NOT NULL);
CREATE INDEX items_patient ON items(patient) WHERE patient != '';
CREATE INDEX items_kind ON items(kind);
CREATE INDEX items_file ON items(file);
CREATE TABLE vectors(number INTEGER PRIMARY KEY, row INTEGER NOT NULL, space TEXT NOT NULL);
CREATE INDEX vectors_row ON vectors(row);
CREATE TABLE concepts(row INTEGER NOT NULL, concept TEXT NOT NULL, PRIMARY KEY(concept, row)) WITHOUT ROWID;
CREATE INDEX concepts_row ON concepts(row);
CREATE TABLE files(file TEXT PRIMARY KEY, stamp TEXT NOT NULL, problem TEXT NOT NULL)
  WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(title, text, content='items', content_rowid='row', tokenize='porter unicode61');
CREATE TRIGGER items_added AFTER INSERT ON items BEGIN
  INSERT INTO words(rowid, title, text) VALUES (new.row, new.title, new.text); END;
CREATE TRIGGER items_gone AFTER DELETE ON items BEGIN
  INSERT INTO words(words, rowid, title, text) VALUES ('delete', old.row, old.title, old.text); END;
"""


def connect(folder: Path, *, write: bool) -> sqlite3.Connection:
    """Open the database of a corpus; readers cannot write.

    Raises:
        InputError: There is no corpus in the folder, it is damaged, or a newer program wrote it.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder} holds no corpus.", hint="Build one with `secondread index build`.")
    mode = "rw" if write else "ro"
    try:
        made = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=10, check_same_thread=False)
        if write:
            made.execute("PRAGMA journal_mode=WAL")
            made.execute("PRAGMA synchronous=NORMAL")
        found = made.execute("SELECT value FROM meta WHERE key='format'").fetchone()
    except sqlite3.DatabaseError as error:
        raise InputError(f"The corpus in {folder} is damaged: {error}.", hint="Build it again.") from error
    if found is None or not str(found[0]).isdecimal():
        raise InputError(f"{folder}/{FILE} is not a corpus of this program.", hint="Build one with `index build`.")
    if int(found[0]) > FORMAT:
        raise InputError(f"A newer version of this program wrote the corpus in {folder}.", hint="Update the program.")
    return made


def in_memory(name: str) -> sqlite3.Connection:
    """An empty corpus without a folder."""
    made = sqlite3.connect(":memory:", check_same_thread=False)
    made.executescript(TABLES)
    _name(made, name)
    return made


def _name(made: sqlite3.Connection, name: str) -> None:
    with made:
        made.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("format", str(FORMAT)), ("name", name), ("version", "0"), ("changed", "")],
        )


def create(folder: Path, name: str) -> None:
    """Make an empty corpus. The database appears complete or not at all.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{FILE}.partial"
        partial.unlink(missing_ok=True)
        made = sqlite3.connect(partial)
        made.executescript(TABLES)
        _name(made, name)
        made.close()
        partial.replace(folder / FILE)
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"No corpus can be written to {folder}: {error}.") from error
