"""A list of strings in two plain arrays, which can be mapped from disk: 8 bytes a string beside its letters."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray


class StringList(Sequence[str]):
    """Read-only strings.

    Args:
        letters: UTF-8 bytes of all strings one behind the other, uint8 (bytes,).
        ends: Place behind each string's last byte, int64 (n,).
    """

    def __init__(self, letters: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._letters = letters
        self._ends = ends

    @classmethod
    def of(cls, strings: Iterable[str]) -> "StringList":
        """The strings, held in memory."""
        parts = [s.encode() for s in strings]
        letters = np.frombuffer(b"".join(parts), np.uint8)
        return cls(letters, np.cumsum([len(p) for p in parts], dtype=np.int64))

    def save(self, stem: Path) -> None:
        """Write `STEM_letters.npy` and `STEM_ends.npy`."""
        np.save(stem.with_name(f"{stem.name}_letters.npy"), self._letters)
        np.save(stem.with_name(f"{stem.name}_ends.npy"), self._ends)

    @classmethod
    def open(cls, stem: Path) -> "StringList":
        """Map what `save` wrote.

        Raises:
            OSError: A file is missing.
            ValueError: A file is no array, or the two do not belong together.
        """
        letters = np.load(stem.with_name(f"{stem.name}_letters.npy"), mmap_mode="r").view(np.ndarray)
        ends = np.load(stem.with_name(f"{stem.name}_ends.npy"), mmap_mode="r").view(np.ndarray)
        if (int(ends[-1]) if len(ends) else 0) != len(letters):
            raise ValueError(f"{stem}: letters and ends do not belong together.")
        return cls(letters, ends)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> "Sequence[str]": ...

    def __getitem__(self, place: int | slice) -> "str | Sequence[str]":
        if isinstance(place, slice):
            return [self[n] for n in range(*place.indices(len(self)))]
        row = place + len(self) if place < 0 else place
        if not 0 <= row < len(self):
            raise IndexError(f"No string {place} among {len(self)}.")
        start = int(self._ends[row - 1]) if row else 0
        return bytes(self._letters[start : int(self._ends[row])]).decode()
