"""Tables of scores with truth: CSV with a header, JSON Lines, or the `scored.jsonl` of an evaluation."""

import csv
import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError

Floats = NDArray[np.float64]
TRUE, FALSE = ("1", "true", "yes", "right", "present", "1.0"), ("0", "false", "no", "wrong", "absent", "0.0")
SHOWN = 3
"""Bad rows named in an error."""


@dataclass(frozen=True)
class Table:
    """Rows of a file as text.

    Attributes:
        name: Of the file.
        rows: Column -> text, with its line number.
        sha256: Over the file.
    """

    name: str
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    sha256: str

    def columns(self) -> list[str]:
        """Every column that some row has."""
        return list(dict.fromkeys(c for _, row in self.rows for c in row))

    def numbers(self, column: str) -> Floats:
        """A column as finite numbers, shape (n,).

        Raises:
            InputError: The column is missing, or a cell is no finite number.
        """
        return np.array(self._read(column, _number, "is no finite number"), float)

    def flags(self, column: str) -> NDArray[np.bool_]:
        """A column of yes and no, 1 and 0, true and false, right and wrong, present and absent, shape (n,).

        Raises:
            InputError: The column is missing, or a cell is none of these.
        """
        return np.array(self._read(column, _flag, "is neither yes nor no"), bool)

    def texts(self, column: str) -> list[str]:
        """A column as text.

        Raises:
            InputError: The column is missing, or a cell is empty.
        """
        return list(self._read(column, lambda t: t.strip() or None, "is empty"))

    def _read(self, column: str, read: Any, what: str) -> list[Any]:
        if column not in self.columns():
            has = ", ".join(self.columns()[:20])
            raise InputError(f"{self.name} has no column {column!r}.", hint=f"Columns: {has}.")
        found = [(line, read(row.get(column, ""))) for line, row in self.rows]
        bad = [str(line) for line, value in found if value is None]
        if bad:
            more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
            raise InputError(f"{self.name}: {column!r} {what} in line {', '.join(bad[:SHOWN])}{more}.")
        return [value for _, value in found]

    def where(self, column: str, value: str) -> "Table":
        """Rows whose column has this value.

        Raises:
            InputError: None has.
        """
        kept = tuple((line, row) for line, row in self.rows if row.get(column) == value)
        if not kept:
            raise InputError(f"{self.name} has no row with {column} = {value}.")
        return Table(self.name, kept, self.sha256)

    def filled(self, columns: list[str]) -> "Table":
        """Rows that have a value in each of these columns: an unanswered item of an evaluation has no confidence."""
        kept = tuple((line, row) for line, row in self.rows if all(row.get(c, "") != "" for c in columns))
        return Table(self.name, kept, self.sha256)


def read_table(path: Path) -> Table:
    """Read a table by its suffix: `.jsonl` one object per line, else CSV.

    Raises:
        InputError: The file cannot be read, a line is damaged, or there is no row.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read: {type(error).__name__}.") from None
    rows = _lines(path.name, text) if path.suffix == ".jsonl" else _cells(path.name, text)
    if not rows:
        raise InputError(f"{path.name} holds no row.")
    return Table(path.name, tuple(rows), hashlib.sha256(data).hexdigest())


def _lines(name: str, text: str) -> list[tuple[int, Mapping[str, str]]]:
    rows: list[tuple[int, Mapping[str, str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise InputError(f"{name}: line {number} is not JSON.") from None
        if not isinstance(row, dict):
            raise InputError(f"{name}: line {number} is not an object.")
        rows.append((number, {str(k): _text(v) for k, v in row.items()}))
    return rows


def _cells(name: str, text: str) -> list[tuple[int, Mapping[str, str]]]:
    reader = csv.DictReader(io.StringIO(text))
    rows: list[tuple[int, Mapping[str, str]]] = []
    for number, row in enumerate(reader, 2):
        if None in row or None in row.values():
            raise InputError(f"{name}: line {number} has another number of cells than the header.")
        rows.append((number, {str(k).strip(): str(v).strip() for k, v in row.items()}))
    return rows


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _flag(text: str) -> bool | None:
    word = text.strip().lower()
    return True if word in TRUE else False if word in FALSE else None
