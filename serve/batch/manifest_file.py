"""The manifest that a user hands over in place of a folder: CSV or JSON Lines, one study per line.

Columns (keys): `path` (needed; a file, folder or zip archive, from the folder of the manifest), `prior` (a path),
`view`, `age`, `questions` (ids, in CSV separated by `;`), `question` (a question to this study alone). Any other column
is a field for templates and `--where`.
"""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secondread.schema.errors import UsageError
from secondread.serve.batch.case import Place

VIEWS = ("PA", "AP", "LATERAL")
MOST_LINES = 1_000_000


@dataclass(frozen=True)
class Entry:
    """One line."""

    line: int
    path: Path
    prior: Path | None = None
    view: str | None = None
    age: float | None = None
    ask: tuple[str, ...] | None = None
    own: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)

    def changes(self) -> dict[str, Any]:
        """What it says of its case."""
        return {
            "prior_files": _places(self.prior) if self.prior is not None else (),
            "view": self.view,
            "age": self.age,
            "ask": self.ask,
            "own": self.own,
            "fields": self.fields,
        }


def is_manifest(path: Path) -> bool:
    """Whether a path is read as a manifest."""
    return path.suffix.lower() in (".csv", ".jsonl", ".ndjson") and path.is_file()


def read_manifest(file: Path, questions: frozenset[str]) -> list[Entry]:
    """The lines of a manifest.

    Args:
        file: The manifest.
        questions: Ids that `questions` may name.

    Raises:
        UsageError: It cannot be read, or a line is wrong; the message names the line.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The manifest {file} cannot be read: {type(error).__name__}.") from None
    lines = _csv(file, text) if file.suffix.lower() == ".csv" else _jsonl(file, text)
    entries = [_entry(file, number, values, questions) for number, values in lines]
    if not entries:
        raise UsageError(f"The manifest {file} names no study.")
    return entries


def _csv(file: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    if reader.fieldnames is None or "path" not in reader.fieldnames:
        raise UsageError(f"The manifest {file}, line 1, has no column `path`.")
    found: list[tuple[int, dict[str, Any]]] = []
    try:
        for row in reader:
            if None in row:
                raise UsageError(f"The manifest {file}, line {reader.line_num}, has more values than columns.")
            values: dict[str, Any] = {k: v.strip() for k, v in row.items() if v is not None and v.strip()}
            if "questions" in values:
                values["questions"] = [q.strip() for q in values["questions"].split(";") if q.strip()]
            if values:
                found.append((reader.line_num, values))
    except csv.Error as error:
        raise UsageError(f"The manifest {file}, line {reader.line_num}, is not CSV: {error}.") from None
    return found


def _jsonl(file: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    found: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            raise UsageError(f"The manifest {file}, line {number}, is not JSON: {error}.") from None
        if not isinstance(values, dict):
            raise UsageError(f"The manifest {file}, line {number}, is no JSON object.")
        found.append((number, {k: v for k, v in values.items() if v is not None}))
    return found


def _entry(file: Path, line: int, values: dict[str, Any], known: frozenset[str]) -> Entry:
    where = f"The manifest {file}, line {line}"
    path = values.pop("path", None)
    if not isinstance(path, str):
        raise UsageError(f"{where}, has no `path`.")
    place = _existing(file, path, where)
    prior = values.pop("prior", None)
    view = values.pop("view", None)
    if view is not None and str(view).upper() not in VIEWS:
        raise UsageError(f"{where}: view {view!r} is not one of {', '.join(VIEWS)}.")
    age = values.pop("age", None)
    try:
        years = None if age is None else float(age)
    except (TypeError, ValueError):
        years = -1.0
    if years is not None and not 0 <= years <= 130:
        raise UsageError(f"{where}: age {age!r} is not an age in years.")
    ask = values.pop("questions", None)
    if ask is not None and (not isinstance(ask, list) or not set(map(str, ask)) <= known):
        raise UsageError(f"{where}: `questions` is not a list of ids of the questions file.")
    own = values.pop("question", ())
    own = (own,) if isinstance(own, str) else tuple(own)
    if not all(isinstance(one, str) and one.strip() for one in own):
        raise UsageError(f"{where}: `question` is not text.")
    return Entry(
        line=line,
        path=place,
        prior=None if prior is None else _existing(file, str(prior), where),
        view=None if view is None else str(view).upper(),
        age=years,
        ask=None if ask is None else tuple(map(str, ask)),
        own=own,
        fields={str(k): str(v) for k, v in values.items()},
    )


def _existing(file: Path, path: str, where: str) -> Path:
    found = file.parent / path
    if "\0" in path or not found.exists():
        raise UsageError(f"{where}: {path!r} does not exist.")
    return found


def _places(path: Path) -> tuple[Place, ...]:
    from secondread.serve.batch.walk import listed

    return tuple(Place(path=one.path, member=one.member) for one in listed(path) if not one.fault)
