"""Which images an MCP client may name: files and folders below allowed folders by handle or path, or inline bytes."""

import base64
import binascii
import hashlib
import os
import secrets
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from secondread.schema.errors import InputError, UsageError
from secondread.serve.mcp.listing import LISTED, Listed, files_below, walk

INLINE_LIMIT = 8 << 20
"""Bytes of one inline image after decoding."""
STUDY_FILES = 20_000
"""Files of one folder that is handed over as a study."""
FRESH_SECONDS = 5.0
"""A listing younger than this is not made again."""
HANDLE = "file-"
DATA = "base64:"


class Source(NamedTuple):
    """An image the server may read."""

    value: Path | bytes | tuple[Path, ...]
    """A file, the bytes of one, or the files of a study."""
    said: str
    """How the client named it; shown in place of names in messages."""
    root: Path | None = None
    """The file or folder, when it lies on disk."""

    @property
    def given(self) -> "str | bytes | list[str]":
        """What `ask` takes as image."""
        if isinstance(self.value, tuple):
            return [str(path) for path in self.value]
        return self.value if isinstance(self.value, bytes) else str(self.value)

    def clean(self, text: str) -> str:
        """A message without any name of a file or folder of this source."""
        if self.root is None:
            return text
        for name in sorted(self._names(), key=len, reverse=True):
            text = text.replace(name, self.said)
        return text

    def _names(self) -> set[str]:
        from secondread.imaging.load import shown

        assert self.root is not None
        paths = [self.root, *(self.value if isinstance(self.value, tuple) else ())]
        names = {n for path in paths for n in (str(path), path.name)}
        if self.root.is_dir():
            names |= {part for path in paths[1:] for part in path.relative_to(self.root).parts}
        elif zipfile.is_zipfile(self.root):
            with zipfile.ZipFile(self.root) as archive:
                members = archive.namelist()
            names |= {part for member in members for part in (member, *member.split("/"))}
        return {spelled for name in names for spelled in (name, shown(name)) if len(name) > 2}


class Page(NamedTuple):
    """A part of the listing."""

    entries: list[tuple[str, Listed]]
    """Handle and what it stands for."""
    next: str | None
    total: int
    complete: bool
    """False: there is more below the folders than is listed."""


class AllowedImages:
    """Files below the allowed folders. Links are resolved before the check, so none leads outside. Thread-safe.

    Args:
        roots: Folders; none means that only inline images are served.

    Raises:
        UsageError: A root is no folder.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        for root in roots:
            if not root.is_dir():
                raise UsageError(f"{root} is not a folder.")
        self._roots = list(dict.fromkeys(root.resolve() for root in roots))
        self._salt = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._listing: dict[str, Listed] = {}
        self._complete = True
        self._made = float("-inf")

    def allow(self, folders: Sequence[Path]) -> None:
        """Allow further folders; what is none, or not there, is passed over."""
        with self._lock:
            self._roots = list(dict.fromkeys((*self._roots, *(f.resolve() for f in folders if f.is_dir()))))
            self._made = float("-inf")

    def page(self, after: str | None = None, count: int = 100) -> Page:
        """Entries after a handle, in the order of names.

        Raises:
            UsageError: There is no such handle.
        """
        listing = self._listed()
        handles = list(listing)
        start = 0
        if after is not None:
            if after not in listing:
                raise UsageError("The listing has changed.", hint="Start again without a cursor.")
            start = handles.index(after) + 1
        part = handles[start : start + count]
        more = part[-1] if part and start + count < len(handles) else None
        return Page([(handle, listing[handle]) for handle in part], more, len(handles), self._complete)

    def _listed(self, *, anew: bool = False) -> dict[str, Listed]:
        """The listing, made again when it is old. Handles say nothing about names and hold while the server lives."""
        with self._lock:
            if time.monotonic() - self._made > FRESH_SECONDS or (anew and not self._listing):
                found: dict[str, Listed] = {}
                self._complete = False
                for one in walk(self._roots):
                    if one is None or len(found) == LISTED:
                        break
                    found[self._handle(one.path)] = one
                else:
                    self._complete = True
                self._listing, self._made = found, time.monotonic()
            return self._listing

    def _handle(self, path: Path) -> str:
        # Salted, so that a guessed name cannot be checked against a handle.
        return HANDLE + hashlib.blake2b(os.fsencode(path), key=self._salt, digest_size=6).hexdigest()

    def source(self, named: str) -> Source:
        """What a client's `image` argument stands for.

        Args:
            named: A handle of `list_images`, a path below an allowed folder, or `base64:` or a `data:` URL with bytes.

        Raises:
            UsageError: The path lies outside the allowed folders, or the handle is unknown.
            InputError: Inline bytes are damaged or larger than `INLINE_LIMIT`, or a folder holds too many files.
        """
        if named.startswith((DATA, "data:")):
            return Source(_inline(named), "the inline image")
        if named.startswith(HANDLE):
            known = self._listing.get(named) or self._listed().get(named)
            if known is None:
                raise UsageError("There is no image of this handle.", hint="list_images gives the handles.")
            return self._on_disk(self._allowed(str(known.path)), named[:80])
        return self._on_disk(self._allowed(named), "the image")

    def _on_disk(self, path: Path, said: str) -> Source:
        if path.is_file():
            return Source(path, said, path)
        files = files_below(path, self._roots, STUDY_FILES)
        if files is None:
            raise InputError(f"The folder holds more than {STUDY_FILES} files.", hint="Name one study.")
        if not files:
            raise InputError("The folder holds no file.")
        return Source(tuple(files), said, path)

    def _allowed(self, named: str) -> Path:
        refusal = UsageError(
            "This path is not below an allowed folder.", hint="Start the server with --root FOLDER, or send the bytes."
        )
        if not named or "\0" in named:
            raise refusal
        for root in self._roots:
            try:
                path = Path(os.path.realpath(root / named))
                if path.is_relative_to(root) and (path.is_file() or path.is_dir()):
                    return path
            except (OSError, ValueError):
                continue
        raise refusal


def _inline(named: str) -> bytes:
    text = named.removeprefix(DATA)
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise InputError("The data URL is not base64.")
    if len(text) > (INLINE_LIMIT * 4) // 3 + 4:
        raise InputError(f"The inline image is larger than {INLINE_LIMIT >> 20} MiB.", hint="Use a file below --root.")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("The inline image is not base64.") from None
    if not data:
        raise InputError("The inline image is empty.")
    return data
