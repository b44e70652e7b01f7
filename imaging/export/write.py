"""Writes an exported object whole or not at all, and names what made it."""

import os
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from secondread.imaging.quiet import quiet
from secondread.schema.errors import UsageError

MAKER = "secondread"


@dataclass(frozen=True)
class Maker:
    """The tool whose result is written."""

    tool: str
    version: str
    weights: str | None = None
    """SHA-256 of the weights, or None."""


@dataclass(frozen=True)
class Exported:
    """A written object."""

    path: Path
    uid: str
    """SOP Instance UID of the written object."""
    caveats: tuple[str, ...] = ()


def own_version() -> str:
    """Version of this package, at most the 64 characters of Software Versions."""
    return version("secondread")[:64]


def new_uid() -> str:
    """A fresh UID."""
    from highdicom import UID

    return str(UID())


def save(ds: Any, out: str | os.PathLike[str]) -> Path:
    """Write a data set so that `out` is either absent or whole.

    Raises:
        UsageError: The folder does not exist or cannot be written to.
    """
    target = Path(out)
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".dcm.part", delete=False) as file:
            temporary = file.name
            with quiet():
                ds.save_as(file, enforce_file_format=True)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror or 'unknown reason'}.") from None
    except BaseException:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise
    return target
