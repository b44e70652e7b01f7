"""Names to concepts through sorted 64-bit hashes: 12 bytes a name, mapped from disk, no scan."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from secondread.kg.text.normalise import bare, loose, normal, unordered
from secondread.kg.text.stringlist import StringList
from secondread.schema.errors import InputError

FORMS = ("exact", "unordered", "loose")
"""Ways in which names agree, the strictest first."""
MAX_WORDS = 10
"""Longest name that is looked for in a text, in words."""
FORMAT = 2


def key(words: Sequence[str]) -> int:
    """64-bit hash of folded words."""
    return int(xxhash.xxh3_64_intdigest("\x1f".join(words).encode()))


class Dictionary:
    """Which concepts a name stands for. Hashes of different names meet by chance once in 10^19 pairs.

    Args:
        ids: Concept ids; a row is a place in this list.
        tables: Form -> (sorted uint64 hashes (n,), int32 rows (n,)) of equal length.
        firsts: Sorted uint64 hashes of the first words of exact names: a text is looked up only where one stands.
    """

    def __init__(
        self,
        ids: Sequence[str],
        tables: dict[str, tuple[NDArray[np.uint64], NDArray[np.int32]]],
        firsts: NDArray[np.uint64],
    ) -> None:
        self.ids = ids
        self._tables = tables
        self._firsts = firsts

    def __len__(self) -> int:
        return len(self._tables["exact"][0])

    @classmethod
    def of(cls, names: Iterable[tuple[str, str]], *, forms: Sequence[str] = FORMS) -> "Dictionary":
        """A dictionary of (concept id, name) pairs; of one name's concepts the earlier come first."""
        ids: list[str] = []
        row_of: dict[str, int] = {}
        held: dict[str, list[tuple[int, int]]] = {form: [] for form in FORMS}
        firsts: set[int] = set()
        for concept, name in names:
            row = row_of.setdefault(concept, len(ids))
            if row == len(ids):
                ids.append(concept)
            for words in dict.fromkeys(_wordings(name)):
                if not words or len(words) > 2 * MAX_WORDS:
                    continue
                firsts.add(key(words[:1]))
                held["exact"].append((key(words), row))
                if "unordered" in forms and len(words) > 1:
                    held["unordered"].append((key(unordered(words)), row))
                if "loose" in forms:
                    held["loose"].append((key(loose(words)), row))
        tables = {form: _sorted(pairs) for form, pairs in held.items()}
        return cls(ids, tables, np.sort(np.fromiter(firsts, np.uint64, len(firsts))))

    def rows(self, words: Sequence[str], form: str = "exact") -> list[int]:
        """Rows of the concepts that these folded words name, by priority."""
        hashes, rows = self._tables[form]
        wanted = np.uint64(key(words))
        low, high = np.searchsorted(hashes, wanted, "left"), np.searchsorted(hashes, wanted, "right")
        return list(dict.fromkeys(rows[low:high].tolist()))

    def runs(self, words: Sequence[str], longest: int = MAX_WORDS) -> NDArray[np.bool_]:
        """For each place and length whether the words from there on are a name: bool (words, longest), length - 1.

        All runs of a sentence are looked up in one call, which is what makes linking fast.
        """
        count = len(words)
        hashes = np.zeros((count, longest), np.uint64)
        alone = np.fromiter((key((w,)) for w in words), np.uint64, count)
        for start in np.flatnonzero(_within(self._firsts, alone)).tolist():
            run = words[start]
            hashes[start, 0] = alone[start]
            for length in range(2, min(longest, count - start) + 1):
                run = f"{run}\x1f{words[start + length - 1]}"
                hashes[start, length - 1] = xxhash.xxh3_64_intdigest(run.encode())
        flat = hashes.ravel()
        asked = np.flatnonzero(flat)
        found = np.zeros(flat.shape, np.bool_)
        found[asked] = _within(self._tables["exact"][0], flat[asked])
        return found.reshape(count, longest)

    def lookup(self, text: str) -> tuple[list[str], str]:
        """Concepts of a name by the strictest form that knows it, and that form; both empty when none does."""
        words = normal(text)
        if not words:
            return [], ""
        for form, shaped in (("exact", words), ("unordered", unordered(words)), ("loose", loose(words))):
            found = self.rows(shaped, form) if shaped else []
            if found:
                return [self.ids[r] for r in found], form
        return [], ""

    def save(self, folder: Path) -> None:
        """Write the dictionary as plain arrays."""
        folder.mkdir(parents=True, exist_ok=True)
        for form, (hashes, rows) in self._tables.items():
            np.save(folder / f"{form}_hashes.npy", hashes)
            np.save(folder / f"{form}_rows.npy", rows)
        np.save(folder / "firsts.npy", self._firsts)
        StringList.of(self.ids).save(folder / "ids")
        (folder / "dictionary.json").write_text(json.dumps({"format": FORMAT, "names": len(self)}))

    @classmethod
    def open(cls, folder: Path) -> "Dictionary":
        """Open a dictionary, mapped from disk.

        Raises:
            InputError: The folder holds none, or one of another format.
        """
        try:
            about = json.loads((folder / "dictionary.json").read_text())
            if about["format"] != FORMAT:
                raise InputError(f"{folder} holds a dictionary of another format.", hint="Build it again.")
            tables = {
                form: (_mapped(folder / f"{form}_hashes.npy"), _mapped(folder / f"{form}_rows.npy")) for form in FORMS
            }
            firsts = _mapped(folder / "firsts.npy")
            ids = StringList.open(folder / "ids")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} holds no dictionary that can be read.", hint="Build it again.") from error
        return cls(ids, tables, firsts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)


def _mapped(file: Path) -> NDArray[Any]:
    """An array mapped from disk, as a plain one: each slice of numpy's mapped kind costs a microsecond."""
    return np.load(file, mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]  # load is untyped


def _within(table: NDArray[np.uint64], asked: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of `asked` stand in the sorted `table`, bool of the shape of `asked`."""
    if not len(table):
        return np.zeros(asked.shape, np.bool_)
    return np.asarray(table[np.minimum(np.searchsorted(table, asked), len(table) - 1)] == asked)


def _wordings(name: str) -> Iterator[tuple[str, ...]]:
    """A name as folded words: as written, without a bracketed end, and with `tumor` for `neoplasm`."""
    for text in (name, bare(name)):
        words = normal(text)
        yield words
        if "neoplasm" in words:
            yield tuple("tumor" if w == "neoplasm" else w for w in words)


def _sorted(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    hashes = np.fromiter((h for h, _ in pairs), np.uint64, len(pairs))
    rows = np.fromiter((r for _, r in pairs), np.int32, len(pairs))
    order = np.lexsort((rows, hashes))
    hashes, rows = hashes[order], rows[order]
    if len(hashes):
        kept = np.ones(len(hashes), np.bool_)
        kept[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
        hashes, rows = hashes[kept], rows[kept]
    return hashes, rows
