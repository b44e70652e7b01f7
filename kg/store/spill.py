"""Append-only column files of a build. Cutting them back to a noted length undoes all that came after."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

BUFFER = 1 << 20


class Columns:
    """Columns of numbers and of texts, each appended to one raw file of a folder.

    Written with plain writes and never through a memory map, since a full disk must raise and not kill the process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, BinaryIO] = {}

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Add values (any dtype; the same in every call) to the end of a column."""
        if name not in self._files:
            self._files[name] = (self.folder / name).open("ab", buffering=BUFFER)
        self._files[name].write(np.ascontiguousarray(values).data)

    def texts(self, name: str, blob: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Add texts to `name.text` and their lengths in bytes to `name.size` (uint32)."""
        self.append(f"{name}.text", blob)
        self.append(f"{name}.size", np.diff(offsets).astype(np.uint32))

    def sizes(self) -> dict[str, int]:
        """Bytes of every column, all of them on disk."""
        self.flush()
        return {path.name: path.stat().st_size for path in sorted(self.folder.iterdir())}

    def cut(self, sizes: Mapping[str, int]) -> None:
        """Cut every column back to the bytes noted; columns that were not there go."""
        self.close()
        for path in self.folder.iterdir():
            if path.name not in sizes:
                path.unlink()
            elif path.stat().st_size > sizes[path.name]:
                with path.open("r+b") as file:
                    file.truncate(sizes[path.name])

    def read(self, name: str, dtype: Any) -> NDArray[Any]:
        """A whole column in memory; empty when nothing was added."""
        self.flush()
        path = self.folder / name
        return np.fromfile(path, dtype) if path.exists() else np.zeros(0, dtype)

    def map(self, name: str, dtype: Any) -> NDArray[Any]:
        """A whole column, read from disk as it is used."""
        self.flush()
        path = self.folder / name
        if not path.exists() or not path.stat().st_size:
            return np.zeros(0, dtype)
        return np.memmap(path, dtype, "r")

    def replace(self, name: str, values: NDArray[Any]) -> None:
        """Write a column anew."""
        self.flush()
        held = self._files.pop(name, None)
        if held is not None:
            held.close()
        (self.folder / name).unlink(missing_ok=True)
        self.append(name, values)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Close the files."""
        files, self._files = self._files, {}
        for file in files.values():
            file.close()
