"""Masks, bit maps and maps by content: the first two as runs of equal values, maps as half or single floats."""

import hashlib
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.runs import decode, encode
from secondread.schema.errors import StoreError

Kind = Literal["mask", "bits", "map"]


@dataclass(frozen=True)
class _Blob:
    data: bytes
    shape: tuple[int, ...]
    coding: str
    """`runs`, `packed` bits, or the dtype of plain numbers."""


class BlobStore:
    """Handle -> mask, bit map or map; equal content on one grid has one handle."""

    def __init__(self) -> None:
        self._held: dict[str, _Blob] = {}
        self._grids: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def put_mask(self, grid: str, mask: NDArray[np.bool_]) -> str:
        """Keep a mask of any shape; returns its handle."""
        runs = encode(np.ascontiguousarray(mask).view(np.uint8), mask.size // 8)
        if runs is not None:
            return self._put("mask", grid, mask.shape, "runs", runs)
        return self._put("mask", grid, mask.shape, "packed", np.packbits(mask).tobytes())

    def put_bits(self, grid: str, bits: NDArray[np.uint8]) -> str:
        """Keep a bit map of any shape, up to eight masks in one; returns its handle."""
        runs = encode(np.ascontiguousarray(bits), bits.size)
        if runs is not None:
            return self._put("bits", grid, bits.shape, "runs", runs)
        return self._put("bits", grid, bits.shape, "|u1", bits.tobytes())

    def put_map(self, grid: str, values: NDArray[Any]) -> str:
        """Keep a map of any shape; returns its handle. Values within [-1, 1] lose up to 0.00025."""
        dtype = "<f2" if values.size and float(np.abs(values).max()) <= 1.0 else "<f4"
        return self._put("map", grid, values.shape, dtype, np.ascontiguousarray(values, dtype=dtype).tobytes())

    def mask(self, handle: str) -> NDArray[np.bool_]:
        """The mask, read-only.

        Raises:
            StoreError: No mask has this handle.
        """
        return self._bytes("mask", handle).view(np.bool_)

    def bits(self, handle: str) -> NDArray[np.uint8]:
        """The bit map, read-only.

        Raises:
            StoreError: No bit map has this handle.
        """
        return self._bytes("bits", handle)

    def map(self, handle: str) -> NDArray[np.float32]:
        """The map as float32, read-only.

        Raises:
            StoreError: No map has this handle.
        """
        blob = self._get("map", handle)
        values = np.frombuffer(blob.data, blob.coding).astype(np.float32)
        values.flags.writeable = False
        return values.reshape(blob.shape)

    def holds(self, handle: str) -> bool:
        """Whether anything has this handle."""
        with self._lock:
            return handle in self._held

    def dump(self, handle: str) -> tuple[dict[str, Any], bytes]:
        """What `restore` needs to keep the blob again, in another process too: its head and its bytes.

        Raises:
            StoreError: Nothing has this handle.
        """
        with self._lock:
            blob = self._held.get(handle)
            grid = next((g for g, handles in self._grids.items() if handle in handles), None)
        if blob is None or grid is None:
            raise StoreError("The image store holds nothing of this handle.")
        kind = handle.partition("-")[0]
        return {"kind": kind, "grid": grid, "shape": list(blob.shape), "coding": blob.coding}, blob.data

    def restore(self, head: Mapping[str, Any], data: bytes) -> str:
        """Keep a blob again; returns its handle, which tells whether the bytes are still the same."""
        return self._put(head["kind"], str(head["grid"]), tuple(map(int, head["shape"])), str(head["coding"]), data)

    def forget(self, grid: str) -> None:
        """Drop every blob of a grid."""
        with self._lock:
            for handle in self._grids.pop(grid, ()):
                self._held.pop(handle, None)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        with self._lock:
            return sum(len(blob.data) for blob in self._held.values())

    def _put(self, kind: Kind, grid: str, shape: tuple[int, ...], coding: str, data: bytes) -> str:
        head = f"{kind}|{grid}|{shape}|{coding}|".encode()
        handle = f"{kind}-{hashlib.blake2b(head + data, digest_size=8).hexdigest()}"
        with self._lock:
            if handle not in self._held:
                self._held[handle] = _Blob(data, shape, coding)
                self._grids.setdefault(grid, set()).add(handle)
        return handle

    def _bytes(self, kind: Kind, handle: str) -> NDArray[np.uint8]:
        blob = self._get(kind, handle)
        size = math.prod(blob.shape)
        if blob.coding == "runs":
            flat = decode(blob.data, size)
        elif blob.coding == "packed":
            flat = np.unpackbits(np.frombuffer(blob.data, np.uint8), count=size)
        else:
            flat = np.frombuffer(blob.data, np.uint8)
        flat.flags.writeable = False
        return flat.reshape(blob.shape)

    def _get(self, kind: Kind, handle: str) -> _Blob:
        with self._lock:
            blob = self._held.get(handle)
        if blob is None or not handle.startswith(f"{kind}-"):
            raise StoreError(
                f"The image store holds no {kind} of this handle.", hint="Masks live as long as their store."
            )
        return blob
