"""The corpora that a process searches: those the user named, and the passages that ship."""

import threading
from collections.abc import Sequence
from pathlib import Path

from secondread.tools.retrieve.retriever import Retriever


class Library:
    """Corpora by folder, opened when first searched."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self.folders = tuple(folders)
        self._open: dict[Path, Retriever] = {}
        self._lock = threading.Lock()

    def users(self) -> list[Retriever]:
        """The user's corpora, in the order named.

        Raises:
            InputError: One of them does not exist or is damaged.
        """
        with self._lock:
            for folder in self.folders:
                if folder not in self._open:
                    self._open[folder] = Retriever.open(folder)
            return [self._open[f] for f in self.folders]

    def all(self) -> list[Retriever]:
        """The user's corpora, then the passages that ship.

        Raises:
            InputError: A corpus of the user does not exist or is damaged.
        """
        from secondread.tools.retrieve.shipped import shipped

        return [*self.users(), shipped()]

    def close(self) -> None:
        """Close every corpus."""
        with self._lock:
            for held in self._open.values():
                held.close()
            self._open.clear()
