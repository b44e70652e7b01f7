"""`manifest.json` of a store: written last, sealed, and checked against the files whenever a store is opened."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import xxhash

from secondread.schema.errors import StoreError
from secondread.schema.record import canonical_json

FILE = "manifest.json"
FORMAT = "secondread graph store"
VERSION = 1
PROBE = 4096
"""Bytes at either end of a file that are compared on every opening."""
_BLOCK = 1 << 22


def probe(path: Path, size: int) -> str:
    """A hash of both ends of a file."""
    digest = xxhash.xxh3_64()
    with path.open("rb") as file:
        digest.update(file.read(PROBE))
        if size > PROBE:
            file.seek(max(PROBE, size - PROBE))
            digest.update(file.read(PROBE))
    return digest.hexdigest()


def whole(path: Path) -> str:
    """A hash of a whole file."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def entries(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the manifest keeps of each file: bytes, probe and hash."""
    found = {}
    for name in names:
        path = folder / name
        size = path.stat().st_size
        found[name] = {"bytes": size, "probe": probe(path, size), "xxh3_128": whole(path)}
    return found


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest and wait until it is on disk."""
    body = {"format": FORMAT, "format_version": VERSION, **content}
    body["seal"] = seal(body)
    with (folder / FILE).open("w", encoding="utf-8") as file:
        json.dump(body, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())


def seal(body: Mapping[str, Any]) -> str:
    """Hash of the manifest without its seal."""
    return xxhash.xxh3_128_hexdigest(canonical_json({k: v for k, v in body.items() if k != "seal"}).encode())


def read(folder: Path, *, shown: str) -> dict[str, Any]:
    """The manifest of a store, its files checked by size and by their ends.

    Args:
        folder: The store.
        shown: The folder as the user named it, for errors.

    Raises:
        StoreError: There is no store, it is half built, foreign, of a newer format, or damaged.
    """
    if any(part.endswith(".partial") for part in folder.resolve().parts):
        raise StoreError(f"{shown} is an unfinished build.", hint="Run `secondread kg build` again; it goes on.")
    if not folder.is_dir():
        raise StoreError(f"{shown} is no folder with a graph store.", hint=_hint(folder))
    try:
        raw = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StoreError(f"{shown} holds no graph store: {FILE} is missing.", hint=_hint(folder)) from None
    except (OSError, ValueError):
        raise StoreError(f"{shown}: {FILE} cannot be read.") from None
    try:
        body = json.loads(raw)
    except ValueError:
        raise StoreError(f"{shown}: {FILE} is damaged.", hint="Build the store again.") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise StoreError(f"{shown} is not a graph store of this program.")
    if not isinstance(body.get("format_version"), int) or body["format_version"] > VERSION:
        raise StoreError(f"{shown} was written by a newer version.", hint="Update secondread.")
    if body.get("seal") != seal(body):
        raise StoreError(f"{shown}: {FILE} was changed after the build.", hint="Build the store again.")
    for name, entry in body["files"].items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else -1
        if size != entry["bytes"]:
            what = "is missing" if size < 0 else f"has {size} bytes in place of {entry['bytes']}"
            raise StoreError(f"{shown}: {name} {what}.", hint="Build the store again.")
        if probe(path, size) != entry["probe"]:
            raise StoreError(f"{shown}: {name} is damaged.", hint="Build the store again.")
    return body


def check(folder: Path, *, shown: str) -> list[str]:
    """Names of the files whose whole content is not what was built; opening checks only their ends.

    Raises:
        StoreError: What `read` raises.
    """
    body = read(folder, shown=shown)
    return [name for name, entry in body["files"].items() if whole(folder / name) != entry["xxh3_128"]]


def _hint(folder: Path) -> str:
    if folder.with_name(f"{folder.name}.old").is_dir():
        return f"A build ended while it replaced the store; {folder.name}.old is the one before."
    if folder.with_name(f"{folder.name}.partial").is_dir():
        return "Its build was interrupted; run `secondread kg build` again."
    return "See `secondread kg build --help`."
