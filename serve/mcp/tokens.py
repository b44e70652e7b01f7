"""Bearer tokens of the HTTP server: who may use it, and under which name."""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from secondread.schema.errors import UsageError

SHORTEST = 24
"""Characters of a token; `secrets.token_urlsafe(32)` has 43."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


class Tokens:
    """Hashes of tokens by the name of the client.

    Args:
        tokens: Name to token.
    """

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._hashes = {name: _hash(token) for name, token in tokens.items()}

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def name(self, authorization: str | None) -> str | None:
        """Name of the client whose token an Authorization header carries, or None. Takes the same time for any token.

        Args:
            authorization: The header's value.
        """
        scheme, _, token = (authorization or "").partition(" ")
        given = _hash(token.strip())
        found = None
        for name, known in self._hashes.items():
            if hmac.compare_digest(given, known):
                found = name
        return found if scheme.lower() == "bearer" else None


def load_tokens(file: Path | None, own: str | None = None) -> Tokens:
    """Tokens of a file, and one from elsewhere.

    Args:
        file: Lines `name:token`, or a token alone; empty lines and those that begin with `#` are passed over.
        own: The token that the environment gives, see `agent.config.server_token`.

    Raises:
        UsageError: The file cannot be read, others than its owner may read it, or a token is short or malformed.
    """
    found: dict[str, str] = {}
    if file is not None:
        try:
            mode = file.stat().st_mode
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The token file {file} cannot be read: {type(error).__name__}.") from None
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise UsageError(f"Others may read the token file {file}.", hint=f"chmod 600 {file}")
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            name, colon, token = text.rpartition(":")
            _enter(found, name.strip() if colon else f"line{number}", token.strip(), f"{file}, line {number}")
        if not found:
            raise UsageError(f"The token file {file} holds no token.")
    if own is not None:
        _enter(found, "environment", own, "The token of the environment")
    return Tokens(found)


def _enter(found: dict[str, str], name: str, token: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: the name of a client has letters, digits and `_.-` only.")
    if name in found or token in found.values():
        raise UsageError(f"{where}: the name or the token is there twice.")
    if len(token) < SHORTEST or not _TOKEN.fullmatch(token):
        raise UsageError(
            f"{where}: a token has at least {SHORTEST} characters, all fit for a header.",
            hint="python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    found[name] = token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
