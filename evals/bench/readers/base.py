"""What a reader is, and how readers read files: every record by itself, what is wrong with one listed and left out."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from secondread.evals.bench.item import Figure, Item, Problem, Read, Scored
from secondread.schema.errors import InputError

Options = Mapping[str, str]


class BadRecord(ValueError):
    """A record that cannot be an item; the text says why."""


@dataclass(frozen=True)
class Reader:
    """One benchmark.

    Attributes:
        name: As on the command line.
        title: As its authors call it.
        status: `complete`: items, metric and a generated set with a hand-computed score. `format`: the items are read
            and scored by the common metrics alone, or a part of the benchmark is left out; `notes` say what.
        expects: Which files it reads.
        licence: Of the questions; images have their own.
        read: (folder or file, options) -> items.
        notes: Known defects of the originals, and where this reader differs on purpose.
        metric: The benchmark's own figures of one subject.
        train: (folder, options) -> items of the training split, for the floors; None: the benchmark has none.
        options: Name -> what it chooses, for `--option NAME=VALUE`.
    """

    name: str
    title: str
    status: Literal["complete", "format"]
    expects: str
    licence: str
    read: Callable[[Path, Options], Read]
    notes: tuple[str, ...] = ()
    metric: Callable[[Sequence[Scored]], list[Figure]] = lambda rows: []
    train: Callable[[Path, Options], Read] | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class Files:
    """Reads files and remembers what was read and what was wrong."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self._hash = hashlib.sha256()

    def find(self, *names: str) -> Path:
        """The given file itself, or the first of these below the folder.

        Raises:
            InputError: None is there.
        """
        if self.root.is_file():
            return self.root
        for name in names:
            for path in sorted(self.root.glob(name)):
                return path
        raise InputError(f"{self.root.name or self.root} holds no {' or '.join(names)}.", hint="`secondread eval list`")

    def all(self, *patterns: str) -> list[Path]:
        """Every file that fits one of the patterns, in order of its path.

        Raises:
            InputError: None does.
        """
        found = [self.root] if self.root.is_file() else sorted({p for n in patterns for p in self.root.glob(n)})
        if not found:
            self.find(*patterns)
        return found

    def text(self, path: Path) -> str:
        """Content of a file.

        Raises:
            InputError: It cannot be read or is not UTF-8.
        """
        try:
            data = path.read_bytes()
            self._hash.update(path.name.encode() + b"\0" + data + b"\0")
            return data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path.name} cannot be read: {type(error).__name__}.") from None

    def json(self, path: Path) -> Any:
        """A JSON file.

        Raises:
            InputError: It is none.
        """
        try:
            return json.loads(self.text(path))
        except ValueError as error:
            raise InputError(f"{path.name} is not JSON: {error}.") from None

    def lines(self, path: Path) -> Iterator[tuple[str, Any]]:
        """Objects of a JSON Lines file with their place; damaged lines are listed."""
        for number, line in enumerate(self.text(path).splitlines(), 1):
            if line.strip():
                try:
                    yield f"{path.name}:{number}", json.loads(line)
                except ValueError as error:
                    self.problems.append(Problem(where=f"{path.name}:{number}", what=f"not JSON: {error}"))

    def table(self, path: Path, delimiter: str = ",") -> list[dict[str, str]]:
        """Rows of a delimited file with a header; cells of any size (images come as base64)."""
        csv.field_size_limit(2**31 - 1)
        return list(csv.DictReader(io.StringIO(self.text(path)), delimiter=delimiter))

    def made(self, records: Iterable[tuple[str, Any]], item_of: Callable[[Any, str], Item | list[Item] | None]) -> Read:
        """Items of all records. A bad record, an id that comes twice and a wrong answer letter are listed, not read.

        Args:
            records: (where it stands, record).
            item_of: Record and place -> its items, or None to leave it out silently.
        """
        items: dict[str, Item] = {}
        for where, record in records:
            try:
                found = item_of(record, where)
                made = [] if found is None else found if isinstance(found, list) else [found]
                for one in made:
                    check(one)
            except BadRecord as error:
                self.problems.append(Problem(where=where, what=str(error)))
                continue
            except KeyError as error:
                self.problems.append(Problem(where=where, what=f"the field {error} is missing"))
                continue
            except (TypeError, ValueError, AttributeError, IndexError, ValidationError) as error:
                what = str(error).splitlines()[0][:120]
                self.problems.append(Problem(where=where, what=f"malformed: {type(error).__name__}: {what}"))
                continue
            for one in made:
                if one.id in items:
                    self.problems.append(Problem(where=where, what=f"the id {one.id} comes twice; the first is kept"))
                else:
                    items[one.id] = one
        return Read(items=tuple(items.values()), problems=tuple(self.problems), sha256=self._hash.hexdigest())


def check(item: Item) -> None:
    """Refuse an item that no answer could get right.

    Raises:
        BadRecord: The question is empty, the right answer is missing, or its letter is not among the options.
    """
    if not item.question.strip():
        raise BadRecord("the question is empty")
    if item.kind == "choice":
        if len(item.options) < 2:
            raise BadRecord("fewer than two options")
        if len(item.answer) != 1 or item.answer[0] not in item.options:
            raise BadRecord(f"the right answer {' '.join(item.answer)!r} is not among {', '.join(item.options)}")
    elif item.kind == "box" and not item.boxes:
        raise BadRecord("no box")
    elif item.kind == "point" and not item.points:
        raise BadRecord("no point")
    elif item.kind in ("yes_no", "open", "number", "count") and not any(a.strip() for a in item.answer):
        raise BadRecord("the right answer is empty")


def each(path: Path, rows: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Records of a list with their place."""
    for number, row in enumerate(rows, 1):
        yield f"{path.name} record {number}", row


def letters(texts: Iterable[str]) -> dict[str, str]:
    """Texts as options A, B, C, .."""
    return {chr(ord("A") + i): text for i, text in enumerate(texts)}


def closed(answer: str) -> bool:
    """Whether an answer is yes or no."""
    return answer.strip().lower().rstrip(".") in ("yes", "no")
