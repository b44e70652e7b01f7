"""What a build read, kept, turned away and noted, by file and class, with lines to look at."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from secondread.schema.errors import InputError

EXAMPLES = 5
"""Line numbers that are kept of each class."""


@dataclass
class FileReport:
    """One input file.

    Attributes:
        rows: Rows read, the rejected ones included; a last line without its end counts as one.
        rejected: Class -> rows that were left out.
        noted: Class -> rows that were used although something is unusual about them.
        lines: Class -> the first lines (from 1) where it was met; no entry for classes of no one line.
    """

    rows: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)


class BuildReport:
    """Collects what builders say of rows.

    Args:
        strict: Whether the first rejected row ends the build.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.files: dict[str, FileReport] = {}

    def begin(self, file: str) -> None:
        """Start a file; what was said of it before is forgotten."""
        self.files[file] = FileReport()

    def read(self, file: str, rows: int) -> None:
        """Rows were read."""
        self.files[file].rows += rows

    def reject(self, file: str, what: str, lines: Iterable[int] = (), *, count: int | None = None) -> None:
        """Rows are left out.

        Args:
            file: As in `begin`.
            what: Class, e.g. `bad_cui`.
            lines: Their lines, from 1.
            count: How many, when not as many as lines.

        Raises:
            InputError: The build is strict.
        """
        at = self._count("rejected", file, what, lines, count)
        if self.strict and at is not None:
            where = f"{file}, line {at}" if at else file
            raise InputError(
                f"{where}: {what.replace('_', ' ')}.", hint="Without strict the row is left out and counted."
            )

    def note(self, file: str, what: str, lines: Iterable[int] = (), *, count: int | None = None) -> None:
        """Rows are used although something is unusual about them; arguments as in `reject`."""
        self._count("noted", file, what, lines, count)

    def _count(self, part: str, file: str, what: str, lines: Iterable[int], count: int | None) -> int | None:
        """First line of what was counted, 0 without one, None when nothing was."""
        given = [int(line) for line in lines]
        more = len(given) if count is None else count
        if not more:
            return None
        held = self.files[file]
        counts = held.rejected if part == "rejected" else held.noted
        counts[what] = counts.get(what, 0) + more
        if given:
            held.lines[what] = [*held.lines.get(what, []), *given][:EXAMPLES]
        return given[0] if given else 0

    @property
    def rejected(self) -> int:
        """Rows left out, over all files."""
        return sum(n for held in self.files.values() for n in held.rejected.values())

    def summary(self) -> list[tuple[str, str, str, str]]:
        """(file, class, count, lines) of everything rejected and noted, and each file's rows."""
        told: list[tuple[str, str, str, str]] = []
        for name, held in self.files.items():
            told.append((name, "rows", str(held.rows), ""))
            for part, counts in (("rejected", held.rejected), ("noted", held.noted)):
                for what, count in sorted(counts.items()):
                    lines = ", ".join(map(str, held.lines.get(what, [])))
                    told.append((name, f"{part}: {what}", str(count), f"lines {lines}" if lines else ""))
        return told

    def as_json(self) -> dict[str, dict[str, object]]:
        """File -> rows, rejected, noted, lines."""
        return {name: asdict(held) for name, held in self.files.items()}

    def save(self, path: Path) -> None:
        """Write the report; the file is whole or absent."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(self.as_json(), indent=1), encoding="utf-8")
        os.replace(new, path)

    def restore(self, path: Path) -> None:
        """Read back what an interrupted build said; nothing when it said nothing."""
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            self.files = {name: FileReport(**one) for name, one in held.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self.files = {}
