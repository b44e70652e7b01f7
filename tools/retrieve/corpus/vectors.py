"""Unit vectors in one flat file: appended while a corpus is built, mapped into memory when it is searched."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError

UNIT_TOLERANCE = 1e-3
"""How far the length of a unit vector may lie from 1."""


class VectorFile:
    """float32 vectors of one dimension. What lies beyond the last whole vector is cut off when writing goes on."""

    def __init__(self, path: Path, dimension: int, *, write: bool) -> None:
        self.path = path
        self.dimension = dimension
        self._write = write
        self._map: NDArray[np.float32] | None = None
        if write and not path.exists():
            path.touch()

    @property
    def count(self) -> int:
        """Whole vectors in the file."""
        return self.path.stat().st_size // (4 * self.dimension) if self.path.exists() else 0

    def append(self, vectors: NDArray[np.float32]) -> int:
        """Write vectors to the end and to the disk; returns the number of the first of them.

        Raises:
            InputError: Not (n, dimension), not finite or not of unit length; or the disk is full.
        """
        check_unit(vectors, self.dimension)
        first = self.count
        try:
            with self.path.open("r+b") as file:
                file.truncate(first * 4 * self.dimension)
                file.seek(0, os.SEEK_END)
                file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"Vectors could not be written to {self.path}: {error.strerror or error}.") from error
        self._map = None
        return first

    def all(self) -> NDArray[np.float32]:
        """Every vector, (n, dimension), mapped from the file and read-only."""
        count = self.count
        if count == 0:
            return np.zeros((0, self.dimension), np.float32)
        if self._map is None or len(self._map) != count:
            self._map = np.memmap(self.path, "<f4", "r", shape=(count, self.dimension))
        return self._map

    def rewrite(self, kept: NDArray[np.int64], path: Path) -> None:
        """Write some of the vectors to another file, and to the disk."""
        vectors = self.all()
        with path.open("wb") as file:
            for start in range(0, len(kept), 65536):
                file.write(np.ascontiguousarray(vectors[kept[start : start + 65536]], "<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Let go of the mapping."""
        self._map = None


def check_unit(vectors: NDArray[np.float32], dimension: int) -> None:
    """Refuse what are no unit vectors.

    Raises:
        InputError: Not (n, dimension), not finite, or not of unit length.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise InputError(f"Vectors of shape {vectors.shape} do not fit a space of dimension {dimension}.")
    if not np.isfinite(vectors).all():
        raise InputError("A vector holds values that are not finite.")
    lengths = np.linalg.norm(vectors, axis=1)
    if len(lengths) and np.abs(lengths - 1).max() > UNIT_TOLERANCE:
        raise InputError("A vector is not of unit length.")
