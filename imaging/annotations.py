"""Masks, bit maps and maps that lie on images and volumes, by handle."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.blobs import BlobStore
from secondread.imaging.coordinates import bounding_box
from secondread.schema.errors import InputError
from secondread.schema.region import Cuboid, MaskRef


class Annotations(ABC):
    """What a store keeps on the grids of its images and volumes. Thread-safe."""

    def __init__(self) -> None:
        self._blobs = BlobStore()

    @abstractmethod
    def grid(self, image: str) -> tuple[str, tuple[int, ...]]:
        """Id and shape of the grid of an image, (rows, columns), or of a volume, (i, j, k).

        Raises:
            StoreError: Unknown id.
        """

    def put_mask(self, image: str, name: str, mask: NDArray[np.bool_]) -> MaskRef:
        """Keep a mask of an image or a volume.

        Args:
            image: Image or volume id.
            name: Concept id of what it shows.
            mask: Shape (rows, columns) of the image or (i, j, k) of the volume, bool.

        Raises:
            StoreError: Unknown id.
            InputError: Another shape or dtype.
        """
        grid, shape = self.grid(image)
        values = np.asarray(mask)
        if values.dtype != np.bool_ or values.shape != shape:
            raise InputError(f"A mask here is bool of shape {shape}, not {values.dtype} {values.shape}.")
        flat = values.ndim == 2
        return MaskRef(
            grid=grid,
            blob=self._blobs.put_mask(grid, values),
            name=name,
            pixels=int(np.count_nonzero(values)),
            box=bounding_box(values, grid, name) if flat else None,
            cuboid=None if flat else _cuboid(values, grid, name),
        )

    def mask(self, mask: MaskRef) -> NDArray[np.bool_]:
        """A stored mask, of the shape of its grid, read-only.

        Raises:
            StoreError: The store does not hold it.
        """
        return self._blobs.mask(mask.blob)

    def put_bits(self, image: str, bits: NDArray[np.uint8]) -> str:
        """Keep up to eight masks of an image in one bit map and return its handle.

        Args:
            image: Image id.
            bits: uint8, over the whole image, of its shape or coarser; bit k is set where mask k is.

        Raises:
            StoreError: Unknown image.
            InputError: Another dtype, or finer than the image.
        """
        grid, shape = self.grid(image)
        if bits.dtype != np.uint8 or not _covers(bits.shape, shape):
            raise InputError(f"A bit map here is uint8 of at most {shape}, not {bits.dtype} {bits.shape}.")
        return self._blobs.put_bits(grid, bits)

    def bits(self, handle: str) -> NDArray[np.uint8]:
        """A stored bit map, read-only.

        Raises:
            StoreError: The store does not hold it.
        """
        return self._blobs.bits(handle)

    def put_map(self, image: str, values: NDArray[Any]) -> str:
        """Keep a map over the whole image or volume, of its shape or coarser, and return its handle.

        Raises:
            StoreError: Unknown id.
            InputError: Finer than the image, or values that are not finite.
        """
        grid, shape = self.grid(image)
        array = np.asarray(values, dtype=np.float32)
        if not _covers(array.shape, shape) or not np.isfinite(array).all():
            raise InputError(f"A map here is finite and of at most {shape}, not {array.shape}.")
        return self._blobs.put_map(grid, array)

    def map(self, handle: str) -> NDArray[np.float32]:
        """A stored map, float32, read-only.

        Raises:
            StoreError: The store does not hold it.
        """
        return self._blobs.map(handle)

    @property
    def blobs(self) -> BlobStore:
        """Masks, bit maps and maps by handle."""
        return self._blobs


def _covers(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether an array can be laid over the whole of a grid without being finer than it."""
    return len(shape) == len(whole) and all(1 <= a <= b for a, b in zip(shape, whole, strict=True))


def _cuboid(mask: NDArray[np.bool_], grid: str, name: str) -> Cuboid | None:
    """Smallest cuboid around the set voxels, outer face to outer face; None for an empty mask."""
    ends = []
    for axis in range(3):
        along = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not along.size:
            return None
        ends.append((float(along[0]) - 0.5, float(along[-1]) + 0.5))
    (i0, i1), (j0, j1), (k0, k1) = ends
    return Cuboid(grid=grid, low=(i0, j0, k0), high=(i1, j1, k1), name=name)
