"""Open whatever graph store a folder holds."""

from pathlib import Path

from secondread.kg.store.csr import CsrStore
from secondread.kg.store.rowstore import RowStore


def open_store(folder: Path | str) -> RowStore:
    """The store in a folder.

    Raises:
        StoreError: There is none, it is half built, foreign, of a newer format, or damaged.
    """
    return CsrStore(folder)
