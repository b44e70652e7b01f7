"""What a process searches: corpora and graphs that the user named, and the passages that ship."""

import threading
from collections.abc import Sequence
from pathlib import Path

from secondread.kg.store.open import open_store
from secondread.kg.store.rowstore import RowStore
from secondread.tools.retrieve.retriever import Retriever


class Library:
    """Corpora and graphs by folder, opened when first searched."""

    def __init__(self, folders: Sequence[Path] = (), graphs: Sequence[Path] = ()) -> None:
        self.folders = tuple(folders)
        self.graph_folders = tuple(graphs)
        self._open: dict[Path, Retriever] = {}
        self._stores: dict[Path, RowStore] = {}
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

    def graphs(self) -> list[RowStore]:
        """The user's graphs, in the order named.

        Raises:
            StoreError: One of them does not exist or is damaged.
        """
        with self._lock:
            for folder in self.graph_folders:
                if folder not in self._stores:
                    self._stores[folder] = open_store(folder)
            return [self._stores[f] for f in self.graph_folders]

    def close(self) -> None:
        """Close every corpus and graph."""
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()
            for held in self._open.values():
                held.close()
            self._open.clear()
