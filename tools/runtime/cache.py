"""Results of earlier calls: in memory for the process, on disk for later ones. Failures are never kept.

A key is a hash over everything the result depends on (see `Runtime`), so it tells nothing to a reader. On disk lie JSON
and the bytes of masks and maps, in one SQLite file that only the user may read; nothing in it is executed: `diskcache`
would unpickle what it finds (CVE-2025-69872), and `_Plain` refuses that. See docs/decisions/004.
"""

import contextlib
import json
import os
import re
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from secondread.schema.errors import StoreError
from secondread.tools.base import Tool
from secondread.tools.runtime.jobs import Outcome

if TYPE_CHECKING:
    import diskcache

    from secondread.imaging.store import ImageStore

MEMORY_BYTES = 64 << 20
"""Of the JSON of the results kept in memory."""
LARGEST_PART = 8
"""A result larger than this part of the folder's size would drive too many others out."""
FORMAT = 1
"""Of what is kept; entries of another one are not read."""
HANDLE = re.compile(r"^(?:mask|bits|map)-[0-9a-f]{16}$")
_LENGTH = struct.Struct(">Q")


def handles(value: Any) -> Iterator[str]:
    """Handles of the image store inside a JSON value, each once per place."""
    if isinstance(value, str):
        if HANDLE.match(value):
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from handles(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from handles(inner)


class ResultCache:
    """Outcomes by key, the least recently used leave first. Thread-safe.

    Args:
        entries: Outcomes kept in memory.
        store: Holds the masks and maps that results name.
        disk: Where outcomes are kept for later processes; None: nowhere.
    """

    def __init__(self, entries: int, store: "ImageStore", disk: "DiskResults | None" = None) -> None:
        self._entries, self._store, self.disk = entries, store, disk
        self._held: OrderedDict[str, tuple[Outcome, tuple[str, ...]]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Outcome | None:
        """An outcome from memory; None when there is none or its masks have left the image store."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            if all(map(self._store.blobs.holds, found[1])):
                self._held.move_to_end(key)
                return found[0]
            self._drop(key)
            return None

    def read(self, key: str, tool: Tool) -> Outcome | None:
        """An outcome from disk, its masks and maps entered into the image store; then also in memory."""
        found = self.disk.read(key, tool, self._store) if self.disk is not None else None
        if found is not None:
            self.put(key, found)
        return found

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome in memory."""
        if self._entries <= 0:
            return
        named = tuple(dict.fromkeys(handles(json.loads(outcome.text))))
        with self._lock:
            self._drop(key)
            self._held[key] = outcome, named
            self._size += len(outcome.text)
            while len(self._held) > self._entries or (self._size > MEMORY_BYTES and len(self._held) > 1):
                self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        gone = self._held.pop(key, None)
        if gone is not None:
            self._size -= len(gone[0].text)

    def write(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome on disk, in the background."""
        if self.disk is not None:
            self.disk.write(key, outcome, self._store)

    def close(self) -> None:
        """Wait for what is being written."""
        if self.disk is not None:
            self.disk.close()


class DiskResults:
    """Outcomes in a folder of the user's, up to a size. What goes wrong with it costs the cache, never the run.

    Args:
        folder: Made when missing, with access for the user alone.
        megabytes: Size at most; the least recently used leave first.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder, self._limit = folder, megabytes << 20
        self._cache: diskcache.Cache | None = None
        self._broken = False
        self._opening = threading.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="secondread-cache")
        self.hits = 0
        self.misses = 0

    def open_ahead(self) -> None:
        """Open the file in the background: that takes some 50 ms, which the first call need not wait for."""
        self._writer.submit(self._opened_ahead)

    def _opened_ahead(self) -> None:
        with self._tolerant():
            self._open()

    def read(self, key: str, tool: Tool, store: "ImageStore") -> Outcome | None:
        """See `ResultCache.read`."""
        entry = None
        with self._tolerant():
            cache = self._open()
            entry = cache.get(key) if cache is not None else None
        found = None
        if isinstance(entry, bytes):
            try:
                found = _unpacked(entry, tool, store)
            except (ValueError, KeyError, TypeError, IndexError, struct.error, ValidationError):
                found = None  # cut off, or of another version: as good as not there
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def write(self, key: str, outcome: Outcome, store: "ImageStore") -> None:
        """See `ResultCache.write`."""
        with contextlib.suppress(RuntimeError):  # closed: nothing is kept any more
            self._writer.submit(self._write, key, outcome, store)

    def close(self) -> None:
        """Wait for what is being written and close the file."""
        self._writer.shutdown(wait=True)
        with self._tolerant():
            if self._cache is not None:
                self._cache.close()

    def _write(self, key: str, outcome: Outcome, store: "ImageStore") -> None:
        try:
            entry = _packed(outcome, store)
        except StoreError:
            return  # the image was forgotten meanwhile, and with it what lies on it
        if len(entry) > self._limit // LARGEST_PART:
            return
        with self._tolerant():
            cache = self._open()
            if cache is not None:
                cache.set(key, entry)

    def _open(self) -> "diskcache.Cache | None":
        with self._opening:
            if self._cache is None and not self._broken:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.folder.chmod(0o700)
                # SQLite gives its side files the mode of the file itself.
                os.close(os.open(self.folder / "cache.db", os.O_CREAT | os.O_RDWR, 0o600))
                self._cache = _cache(self.folder, self._limit)
            return self._cache

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[None]:
        """A full disk, a damaged file, a folder that cannot be written: whatever it is ends the use of the cache."""
        try:
            yield
        except Exception as error:
            if type(error).__name__ != "Timeout":  # of diskcache: another process holds the file for the moment
                self._broken = True
                self._cache = None


class UnsafeEntry(Exception):
    """An entry that is not plain bytes; nothing of ours."""


def _cache(folder: Path, limit: int) -> "diskcache.Cache":
    import diskcache

    class _Plain(diskcache.Disk):  # type: ignore[misc]  # the library has no types
        """Text keys and byte values only; never a pickle, in either direction."""

        def put(self, key: Any) -> Any:
            if type(key) is not str:
                raise UnsafeEntry
            return super().put(key)

        def get(self, key: Any, raw: Any) -> Any:
            if not raw:
                raise UnsafeEntry
            return super().get(key, raw)

        def store(self, value: Any, read: Any, key: Any = diskcache.UNKNOWN) -> Any:
            if type(value) is not bytes:
                raise UnsafeEntry
            return super().store(value, read, key=key)

        def fetch(self, mode: Any, filename: Any, value: Any, read: Any) -> Any:
            if mode != diskcache.core.MODE_RAW or filename is not None:
                raise UnsafeEntry
            return super().fetch(mode, filename, value, read)

        def remove(self, file_path: Any) -> None:
            """No entry of ours has a file, and no other file is to be removed."""

    return diskcache.Cache(
        str(folder),
        timeout=1.0,
        disk=_Plain,
        disk_min_file_size=1 << 40,  # all in one file: no file name from the table is ever opened
        size_limit=limit,
        eviction_policy="least-recently-used",
        statistics=0,
    )


def _packed(outcome: Outcome, store: "ImageStore") -> bytes:
    """An outcome with the masks and maps it names: length, JSON head, bytes one after the other."""
    wanted = list(dict.fromkeys(handles(json.loads(outcome.text))))
    heads, parts = [], []
    for handle in wanted:
        head, data = store.blobs.dump(handle)
        heads.append({**head, "handle": handle, "size": len(data)})
        parts.append(data)
    head_text = json.dumps(
        {"format": FORMAT, "result": outcome.text, "summary": outcome.summary, "blobs": heads}
    ).encode()
    return b"".join((_LENGTH.pack(len(head_text)), head_text, *parts))


def _unpacked(entry: bytes, tool: Tool, store: "ImageStore") -> Outcome | None:
    """The outcome, its masks and maps entered into the store; None when it is not what was kept."""
    length = _LENGTH.unpack_from(entry)[0]
    at = _LENGTH.size + length
    head = json.loads(entry[_LENGTH.size : at])
    if head["format"] != FORMAT:
        return None
    result = tool.Result.model_validate_json(head["result"])
    for blob in head["blobs"]:
        data = entry[at : at + blob["size"]]
        at += blob["size"]
        if len(data) != blob["size"] or store.blobs.restore(blob, data) != blob["handle"]:
            return None
    return Outcome(result, str(head["summary"]), head["result"])
