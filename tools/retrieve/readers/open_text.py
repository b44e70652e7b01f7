"""Text files, gzip or not, read as UTF-8 with damaged bytes replaced."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from secondread.schema.errors import InputError


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a text file for reading; a file that ends in `.gz` is unpacked on the way.

    Raises:
        InputError: It cannot be read, or its gzip stream is damaged (while it is read, too).
    """
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline=None) as file:
            yield file
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "the file is damaged"
        raise InputError(f"{path.name} cannot be read: {reason}.") from error
