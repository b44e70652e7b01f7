"""Report mining: one row per mention of every report of a folder, streamed, and going on where it was cut off."""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from secondread.kg.text.link import Linker
from secondread.schema.errors import InputError

TEXTS = (".txt", ".md")
TABLES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")
REPORT_FIELDS = ("report", "text", "findings", "impression")
ID_FIELDS = ("report_id", "study_id", "id", "uid")
MAX_BYTES = 8 << 20


@dataclass
class Mined:
    """What mining did.

    Attributes:
        reports: Reports read in this run.
        known: Reports that an earlier run had finished.
        mentions: Rows written in this run.
        problems: (file, what was wrong), the first thousand.
    """

    reports: int = 0
    known: int = 0
    mentions: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)

    def problem(self, file: str, what: str) -> None:
        """Note a problem."""
        if len(self.problems) < 1000:
            self.problems.append((file, what))


def mine(source: Path, out: Path, linker: Linker, *, progress: Callable[[int, str], None] | None = None) -> Mined:
    """Mine the reports of a folder or table into a JSON-lines file.

    The rows of one report are written together with a closing row, so a report that was cut off in the middle is read
    again and its rows are never there twice.

    Args:
        source: Folder of text files, or a CSV or JSON-lines table with a report in each row.
        out: JSON-lines file; it is continued when it exists.
        linker: Finds the mentions.
        progress: Called with the number of reports so far and the one at hand.

    Raises:
        InputError: Nothing is at `source`, or `out` cannot be written.
    """
    if not source.exists():
        raise InputError(f"There is no file or folder {source}.")
    done = _finished(out)
    result = Mined()
    try:
        with out.open("a", encoding="utf-8") as file:
            for name, text in reports(source, result.problem):
                if name in done:
                    result.known += 1
                    continue
                rows = [{"report": name, **m.model_dump(mode="json")} for m in linker.link(text)]
                lines = [json.dumps(r, ensure_ascii=False) for r in rows]
                lines.append(json.dumps({"report": name, "done": len(rows)}, ensure_ascii=False))
                file.write("\n".join(lines) + "\n")
                file.flush()
                result.reports += 1
                result.mentions += len(rows)
                if progress is not None:
                    progress(result.reports, name)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}.") from error
    return result


def _finished(out: Path) -> set[str]:
    """Reports that the file holds whole; what follows the last closing row is cut off."""
    if not out.exists():
        return set()
    done: set[str] = set()
    kept = place = 0
    try:
        with out.open("rb+") as file:
            for line in file:
                place += len(line)
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict) and "done" in row:
                    done.add(str(row.get("report")))
                    kept = place
            file.truncate(kept)
    except OSError as error:
        raise InputError(f"{out} cannot be read: {error.strerror or error}.") from error
    return done


def reports(source: Path, problem: Callable[[str, str], None]) -> Iterator[tuple[str, str]]:
    """(name, text) of each report, in a fixed order."""
    if source.is_file():
        yield from _of_file(source, source.name, problem)
        return
    for path in sorted(p for p in source.rglob("*") if p.is_file() and not p.is_symlink()):
        yield from _of_file(path, str(path.relative_to(source)), problem)


def _of_file(path: Path, name: str, problem: Callable[[str, str], None]) -> Iterator[tuple[str, str]]:
    low = path.name.lower()
    try:
        if low.endswith(TEXTS):
            if path.stat().st_size > MAX_BYTES:
                problem(name, "larger than 8 MB")
                return
            yield name, path.read_text(encoding="utf-8", errors="replace")
        elif low.endswith(TABLES):
            for number, row in enumerate(_rows(path, name, problem), 1):
                parts = [f"{f.upper()}: {row[f]}" for f in REPORT_FIELDS if str(row.get(f) or "").strip()]
                key = next((str(row[f]) for f in ID_FIELDS if row.get(f)), str(number))
                if parts:
                    yield f"{name}#{key}", "\n".join(parts)
                else:
                    problem(name, f"row {number}: no report text")
    except (OSError, EOFError, csv.Error) as error:
        problem(name, f"cannot be read: {type(error).__name__}")


def _rows(path: Path, name: str, problem: Callable[[str, str], None]) -> Iterator[dict[str, object]]:
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        if ".csv" in path.name.lower():
            for row in csv.DictReader(file):
                yield {str(k): v for k, v in row.items() if k is not None}
            return
        for number, line in enumerate(file, 1):
            try:
                found = json.loads(line)
            except ValueError:
                problem(name, f"line {number}: not JSON")
                continue
            if isinstance(found, dict):
                yield found
