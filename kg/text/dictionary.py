"""Names to concepts through sorted 64-bit hashes: 12 bytes a name, mapped from disk, no scan."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from secondread.kg.text.normalise import bare, loose, normal, unordered
from secondread.schema.errors import InputError

FORMS = ("exact", "unordered", "loose")
"""Ways in which names agree, the strictest first."""
MAX_WORDS = 10
"""Longest name that is looked for in a text, in words."""
FORMAT = 1


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
        self._first_set: frozenset[int] | None = frozenset(firsts.tolist()) if len(firsts) <= 2_000_000 else None

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
        for start in range(count):
            if not self.may_begin(words[start]):
                continue
            run = words[start]
            hashes[start, 0] = xxhash.xxh3_64_intdigest(run.encode())
            for length in range(2, min(longest, count - start) + 1):
                run = f"{run}\x1f{words[start + length - 1]}"
                hashes[start, length - 1] = xxhash.xxh3_64_intdigest(run.encode())
        table = self._tables["exact"][0]
        if not len(table):
            return np.zeros((count, longest), np.bool_)
        flat = hashes.ravel()
        asked = np.flatnonzero(flat)
        places = np.minimum(np.searchsorted(table, flat[asked]), len(table) - 1)
        found = np.zeros(flat.shape, np.bool_)
        found[asked] = table[places] == flat[asked]
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

    def may_begin(self, word: str) -> bool:
        """Whether a name begins with this folded word."""
        wanted = key((word,))
        if self._first_set is not None:
            return wanted in self._first_set
        place = int(np.searchsorted(self._firsts, np.uint64(wanted)))
        return place < len(self._firsts) and int(self._firsts[place]) == wanted

    def save(self, folder: Path) -> None:
        """Write the dictionary as plain arrays."""
        folder.mkdir(parents=True, exist_ok=True)
        for form, (hashes, rows) in self._tables.items():
            np.save(folder / f"{form}_hashes.npy", hashes)
            np.save(folder / f"{form}_rows.npy", rows)
        np.save(folder / "firsts.npy", self._firsts)
        (folder / "ids.txt").write_text("\n".join(self.ids), encoding="utf-8")
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
                form: (
                    np.load(folder / f"{form}_hashes.npy", mmap_mode="r"),
                    np.load(folder / f"{form}_rows.npy", mmap_mode="r"),
                )
                for form in FORMS
            }
            firsts = np.load(folder / "firsts.npy", mmap_mode="r")
            ids = (folder / "ids.txt").read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} holds no dictionary that can be read.", hint="Build it again.") from error
        return cls(ids, tables, firsts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)


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
