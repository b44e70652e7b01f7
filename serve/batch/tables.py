"""Tables of a batch: one row per question and one per measurement, as CSV and Parquet, written in pieces."""

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from secondread.serve.batch.rows import Row, kind_of

PIECE = 5000
"""Rows held in memory at once; also the row group of the Parquet files."""
NO_PARQUET = "No Parquet tables: they need the extra, pip install 'secondread[batch]'."
READABLE = 0o644

QUESTIONS: dict[str, str] = {
    "key": "string", "question_id": "string", "question": "string", "kind": "string", "verdict": "string",
    "choice": "string", "value_name": "string", "value": "double", "unit": "string", "low": "double", "high": "double",
    "level": "double", "confidence": "double", "confidence_method": "string", "abstained": "bool", "reason": "string",
    "skipped": "string", "error_code": "string", "error": "string", "text": "string", "image": "string",
    "seconds": "double",
}  # fmt: skip
"""Columns and their Arrow types."""
MEASUREMENTS: dict[str, str] = {
    "key": "string", "question_id": "string", "evidence": "string", "tool": "string", "name": "string",
    "structure": "string", "value": "double", "unit": "string", "low": "double", "high": "double", "level": "double",
    "uncertainty": "double", "threshold": "double", "concept": "string", "says": "string", "not_measurable": "string",
    "cited": "bool",
}  # fmt: skip


class Tables:
    """The four files; use as a context manager. They take their names in `finish`, when they are whole.

    Args:
        out: The output folder.
    """

    def __init__(self, out: Path) -> None:
        self._parts = [_Table(out, "questions", QUESTIONS), _Table(out, "measurements", MEASUREMENTS)]

    def add(self, row: Row) -> None:
        """Add a row of the results."""
        value = row.get("value") or {}
        error = row.get("error") or {}
        flat = {name: row.get(name) for name in QUESTIONS}
        flat |= {"kind": kind_of(row), "value_name": value.get("name"), "value": value.get("value")}
        flat |= {name: value.get(name) for name in ("unit", "low", "high", "level")}
        flat |= {"error_code": error.get("code"), "error": error.get("message")}
        self._parts[0].add(flat)
        for one in row.get("measurements", ()):
            found = {name: one.get(name) for name in MEASUREMENTS}
            self._parts[1].add(found | {"key": row["key"], "question_id": row["question_id"]})

    def finish(self) -> list[str]:
        """Give the files their names. Returns what could not be written and why."""
        whole = [part.finish() for part in self._parts]
        return [] if all(whole) else [NO_PARQUET]

    def __enter__(self) -> "Tables":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        for part in self._parts:
            part.close()


class _Table:
    """One table as CSV and, where pyarrow is installed, as Parquet."""

    def __init__(self, out: Path, name: str, columns: dict[str, str]) -> None:
        self._csv, self._parquet = out / f"{name}.csv", out / f"{name}.parquet"
        self._columns = columns
        self._rows: list[dict[str, Any]] = []
        self._file = open(_partial(self._csv), "w", encoding="utf-8", errors="replace", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)
        self._arrow: Any = None
        self._schema: Any = None
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            return
        types = {"string": pa.string(), "double": pa.float64(), "bool": pa.bool_()}
        self._schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
        self._arrow = pq.ParquetWriter(_partial(self._parquet), self._schema, compression="zstd")

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= PIECE:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        self._writer.writerows([_cell(row[name]) for name in self._columns] for row in self._rows)
        if self._arrow is not None:
            import pyarrow as pa

            self._arrow.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def finish(self) -> bool:
        self._flush()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._arrow is not None:
            self._arrow.close()
            os.replace(_partial(self._parquet), self._parquet)
        os.replace(_partial(self._csv), self._csv)
        return self._arrow is not None

    def close(self) -> None:
        self._file.close()
        if self._arrow is not None:
            self._arrow.close()
        for path in (self._csv, self._parquet):
            _partial(path).unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell of text that starts so would be run as a formula by a spreadsheet."""


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value
