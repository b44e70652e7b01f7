"""One build at a time in one place."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from secondread.schema.errors import StoreError


class BuildLock:
    """A lock beside the folder of a store; the system lets go of it when the process ends.

    Args:
        folder: Where the store will lie; folders above it are made.

    Raises:
        StoreError: The place cannot be written, or another build is writing it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder.with_name(f"{folder.name}.lock")
        busy = StoreError(f"Another build is writing {folder}.", hint="Wait for it, or name another folder.")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._path.open("ab")
        except OSError as error:
            raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The build before may have removed the file between our opening and locking it.
            mine = os.fstat(self._file.fileno()).st_ino == self._path.stat().st_ino
        except OSError:
            mine = False
        if not mine:
            self._file.close()
            raise busy

    def release(self) -> None:
        """Let another build begin."""
        if not self._file.closed:
            self._path.unlink(missing_ok=True)
            self._file.close()
