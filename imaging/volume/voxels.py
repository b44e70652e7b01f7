"""Where the voxels of a volume come from: an array, a part of a file that is mapped, or bytes that have to be inflated.

All speak `VoxelSource`: arrays of shape (i, j, k) in native byte order, in the dtype they are stored in.
"""

import threading
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class VoxelSource(Protocol):
    """Stored voxels of one volume, read when asked for."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype, native byte order."""
        ...

    def read_slab(self, k: int) -> NDArray[Any]:
        """Voxels (i, j) of one k, without reading the others where the source allows it."""
        ...

    def read(self) -> NDArray[Any]:
        """All voxels, (i, j, k)."""
        ...


class ArrayVoxels:
    """Voxels that are in memory."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array.astype(array.dtype.newbyteorder("="), copy=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        return _three(self._array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype."""
        return self._array.dtype

    def read_slab(self, k: int) -> NDArray[Any]:
        """A view."""
        return self._array[:, :, k]

    def read(self) -> NDArray[Any]:
        """The array itself."""
        return self._array


class MappedVoxels:
    """Voxels that lie in a file, or in bytes, as they are: nothing is copied before it is looked at.

    Args:
        open_map: Gives the array (i, j, k) over the file or bytes, in whatever byte order they have.
        shape: Voxels along i, j, k.
        dtype: As in the file.
    """

    def __init__(self, open_map: Callable[[], NDArray[Any]], shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        self._open = open_map
        self._shape = shape
        self._dtype = dtype.newbyteorder("=")
        self._map: NDArray[Any] | None = None
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype, native byte order."""
        return self._dtype

    def read_slab(self, k: int) -> NDArray[Any]:
        """A view of the map, or a copy of one slab when the file has the other byte order."""
        return self._opened()[:, :, k].astype(self._dtype, copy=False)

    def read(self) -> NDArray[Any]:
        """The map itself, or a copy in native byte order made slab by slab."""
        opened = self._opened()
        if opened.dtype == self._dtype:
            return opened
        result = np.empty(self._shape, self._dtype, order="F")
        for k in range(self._shape[2]):
            result[:, :, k] = opened[:, :, k]
        return result

    def _opened(self) -> NDArray[Any]:
        with self._lock:
            if self._map is None:
                self._map = self._open()
            return self._map


class HeldVoxels:
    """Voxels that can only be had all at once (compressed files): read on first use, then kept.

    Args:
        load: Gives the whole array (i, j, k); raises an `InputError` for a damaged file.
        shape: Voxels along i, j, k.
        dtype: Of what `load` gives.
    """

    def __init__(self, load: Callable[[], NDArray[Any]], shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        self._load = load
        self._shape = shape
        self._dtype = dtype.newbyteorder("=")
        self._array: NDArray[Any] | None = None
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype, native byte order."""
        return self._dtype

    def read_slab(self, k: int) -> NDArray[Any]:
        """A view, after the whole was read."""
        return self.read()[:, :, k]

    def read(self) -> NDArray[Any]:
        """The whole; decoded once."""
        with self._lock:
            if self._array is None:
                loaded = self._load()
                if not loaded.dtype.isnative:
                    loaded = loaded.byteswap(inplace=True).view(self._dtype)
                self._array = loaded
            return self._array


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    i, j, k = shape
    return i, j, k
