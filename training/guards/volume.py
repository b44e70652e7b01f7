"""Slices and projections of NIfTI volumes, as examples of what is not a frontal chest film."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import UnsupportedImage

_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2"}


def read_nifti(path: Path) -> NDArray[np.float32]:
    """Voxels of a NIfTI-1 file with axes right, anterior, superior, as far as the nearest axis order goes.

    Raises:
        UnsupportedImage: Not little-endian NIfTI-1, or a voxel type that is not a plain number.
    """
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(raw) < 352 or int(np.frombuffer(raw, "<i4", 1)[0]) != 348:
        raise UnsupportedImage(f"{path.name} is not a little-endian NIfTI-1 file.")
    shape = np.frombuffer(raw, "<i2", 4, 40)[1:]
    code = int(np.frombuffer(raw, "<i2", 1, 70)[0])
    if code not in _TYPES:
        raise UnsupportedImage(f"{path.name} holds voxels of NIfTI type {code}.")
    offset = int(np.frombuffer(raw, "<f4", 1, 108)[0])
    slope, intercept = np.frombuffer(raw, "<f4", 2, 112)
    count = int(np.prod(shape.astype(np.int64)))
    voxels = np.frombuffer(raw, "<" + _TYPES[code], count, offset).reshape(shape, order="F").astype(np.float32)
    if slope not in (0.0, 1.0) or (intercept != 0 and slope != 0):
        voxels = voxels * slope + intercept
    affine = np.frombuffer(raw, "<f4", 12, 280).reshape(3, 4)[:, :3]
    if np.any(affine):
        order = [int(np.argmax(np.abs(affine[axis]))) for axis in range(3)]
        if sorted(order) == [0, 1, 2]:
            voxels = voxels.transpose(order)
            flips = tuple(axis for axis in range(3) if affine[axis, order[axis]] < 0)
            voxels = np.flip(voxels, flips)
    return np.ascontiguousarray(voxels)


def slices(voxels: NDArray[np.float32], per_axis: int) -> list[NDArray[np.float32]]:
    """Evenly spaced axial, coronal and sagittal slices, superior or anterior at the top."""
    found: list[NDArray[np.float32]] = []
    for axis in range(3):
        length = voxels.shape[axis]
        places = np.unique(np.linspace(length * 0.08, length * 0.92 - 1, per_axis).round().astype(int))
        found.extend(np.rot90(voxels.take(int(index), axis)) for index in places)
    return found


def projection(hounsfield: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    """A drawn radiograph: the body turned about its long axis, then density summed along a parallel beam.

    The sum stands for the log exposure, which is what a display shows.

    Args:
        hounsfield: CT numbers, axes right, anterior, superior, cubic voxels.
        degrees: 0 frontal, 90 lateral.

    Returns:
        Shape (superior-inferior, across), bright where the body attenuates.
    """
    from scipy.ndimage import rotate

    density = np.clip(1 + hounsfield / 1000, 0, 3)
    turned = rotate(density, degrees, axes=(0, 1), reshape=False, order=1) if degrees else density
    summed: NDArray[np.float32] = np.rot90(turned.sum(axis=1))
    return np.ascontiguousarray(summed, dtype=np.float32)
