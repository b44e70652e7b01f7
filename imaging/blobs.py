"""Masks and maps by content: masks as packed, deflated bits, maps as half or single floats."""

import hashlib
import threading
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import StoreError


@dataclass(frozen=True)
class _Blob:
    data: bytes
    shape: tuple[int, int]
    dtype: str


class BlobStore:
    """Handle -> mask or map; equal content on one grid has one handle."""

    def __init__(self) -> None:
        self._held: dict[str, _Blob] = {}
        self._grids: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def put_mask(self, grid: str, mask: NDArray[np.bool_]) -> str:
        """Keep a mask of shape (rows, columns); returns its handle."""
        return self._put("mask", grid, mask.shape, "bits", np.packbits(mask).tobytes())

    def put_map(self, grid: str, values: NDArray[Any]) -> str:
        """Keep a map of shape (rows, columns); returns its handle. Values within [-1, 1] lose up to 0.00025."""
        dtype = "<f2" if values.size and float(np.abs(values).max()) <= 1.0 else "<f4"
        return self._put("map", grid, values.shape, dtype, np.ascontiguousarray(values, dtype=dtype).tobytes())

    def mask(self, handle: str) -> NDArray[np.bool_]:
        """The mask, read-only.

        Raises:
            StoreError: No mask has this handle.
        """
        blob = self._get("mask", handle)
        bits = np.frombuffer(zlib.decompress(blob.data), np.uint8)
        flat = np.unpackbits(bits, count=blob.shape[0] * blob.shape[1]).view(np.bool_)
        flat.flags.writeable = False
        return flat.reshape(blob.shape)

    def map(self, handle: str) -> NDArray[np.float32]:
        """The map as float32, read-only.

        Raises:
            StoreError: No map has this handle.
        """
        blob = self._get("map", handle)
        values = np.frombuffer(zlib.decompress(blob.data), blob.dtype).astype(np.float32)
        values.flags.writeable = False
        return values.reshape(blob.shape)

    def forget(self, grid: str) -> None:
        """Drop every mask and map of a grid."""
        with self._lock:
            for handle in self._grids.pop(grid, ()):
                self._held.pop(handle, None)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        with self._lock:
            return sum(len(blob.data) for blob in self._held.values())

    def _put(self, kind: str, grid: str, shape: tuple[int, ...], dtype: str, data: bytes) -> str:
        head = f"{kind}|{grid}|{shape}|{dtype}|".encode()
        handle = f"{kind}-{hashlib.blake2b(head + data, digest_size=8).hexdigest()}"
        with self._lock:
            if handle not in self._held:
                # level 1: a mask of nine megapixels takes some 10 ms and shrinks fifty times
                self._held[handle] = _Blob(zlib.compress(data, 1), (shape[0], shape[1]), dtype)
                self._grids.setdefault(grid, set()).add(handle)
        return handle

    def _get(self, kind: str, handle: str) -> _Blob:
        with self._lock:
            blob = self._held.get(handle)
        if blob is None or not handle.startswith(f"{kind}-"):
            raise StoreError(
                f"The image store holds no {kind} of this handle.", hint="Masks live as long as their store."
            )
        return blob
