"""Small graphs in every kind of store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from secondread.kg.store.csr import CsrStore
from secondread.kg.store.memory import MemoryStore
from secondread.kg.store.rowstore import RowStore
from secondread.kg.store.sqlite import SqliteStore
from secondread.kg.store.writer import StoreWriter

Fill = Callable[[Any], None]
KINDS = ("csr", "sqlite", "memory", "networkx")


def build(kind: str, fill: Fill, folder: Path) -> RowStore:
    """A store of this kind with what `fill` puts into it."""
    if kind == "csr":
        writer = StoreWriter.open(folder / "graph", source="test", version="1", licence="none", restricted=False)
        fill(writer)
        writer.finish()
        return CsrStore(folder / "graph")
    if kind == "sqlite":
        path = folder / "graph.sqlite"
        made = SqliteStore.create(path)
        fill(made)
        made.commit()
        made.close()
        return SqliteStore.open(path)
    memory = MemoryStore()
    fill(memory)
    return MemoryStore.of_networkx(memory.view) if kind == "networkx" else memory
