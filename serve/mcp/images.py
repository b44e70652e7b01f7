"""Which images an MCP client may name: files below allowed folders by path or handle, or inline bytes."""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from secondread.schema.errors import InputError, UsageError
from secondread.serve.batch.folder import images_in

INLINE_LIMIT = 8 << 20
"""Bytes of one inline image after decoding."""
LIST_LIMIT = 500
HANDLE = "file-"
DATA = "base64:"


class Source(NamedTuple):
    """An image the server may read."""

    value: Path | bytes
    said: str
    """How the client named it; shown in place of the path in messages."""


class AllowedImages:
    """Files below the allowed folders. Links are resolved before the check, so none leads outside.

    Args:
        roots: Folders; none means that only inline images are served.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        for root in roots:
            if not root.is_dir():
                raise UsageError(f"{root} is not a folder.")
        self._roots = [root.resolve() for root in roots]
        self._salt = secrets.token_bytes(16)

    def listed(self) -> dict[str, Path]:
        """Handle -> file, at most `LIST_LIMIT`. Handles say nothing about names and hold while the server lives."""
        found: dict[str, Path] = {}
        for root in self._roots:
            for path in images_in(root):
                if len(found) == LIST_LIMIT:
                    return found
                found[self._handle(path)] = path
        return found

    def _handle(self, path: Path) -> str:
        # Salted, so that a guessed name cannot be checked against a handle.
        return HANDLE + hashlib.blake2b(os.fsencode(path), key=self._salt, digest_size=6).hexdigest()

    def source(self, named: str) -> Source:
        """What a client's `image` argument stands for.

        Args:
            named: A handle of `list_images`, a path below an allowed folder, or `base64:` or a `data:` URL with bytes.

        Raises:
            UsageError: The path lies outside the allowed folders, or the handle is unknown.
            InputError: Inline bytes are damaged or larger than `INLINE_LIMIT`.
        """
        if named.startswith((DATA, "data:")):
            return Source(_inline(named), "the inline image")
        if named.startswith(HANDLE):
            path = self.listed().get(named)
            if path is None:
                raise UsageError(f"There is no image {named[:80]}.", hint="list_images gives the handles.")
            return Source(path, named)
        return Source(self._below_a_root(named), "the image")

    def _below_a_root(self, named: str) -> Path:
        refusal = UsageError(
            "This path is not below an allowed folder.", hint="Start the server with --root FOLDER, or send the bytes."
        )
        if not named or "\0" in named:
            raise refusal
        for root in self._roots:
            try:
                path = Path(os.path.realpath(root / named))
            except (OSError, ValueError):
                continue
            if path.is_relative_to(root) and path.is_file():
                return path
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
