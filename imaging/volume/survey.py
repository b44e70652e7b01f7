"""One pass over the voxels of a volume: its id, values that are not finite, and the range most values lie in."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.voxels import VoxelSource
from secondread.schema.record import canonical_json

SAMPLE = 1 << 20
"""Ranges are taken from at most about this many voxels, on a regular lattice: all of them in a small volume."""


@dataclass(frozen=True)
class Survey:
    """What one pass over the voxels finds."""

    id: str
    """`vol-` and 16 hexadecimal digits over voxels (little endian, i fastest), affine and scaling."""
    not_finite: int
    """Number of NaN and infinite values."""
    low: float
    """Below it lie 0.5 % of the finite values, in units of the volume."""
    high: float
    """Above it lie 0.5 %."""
    smallest: float
    largest: float
    """Of the sample; the whole volume when it is small."""
    air_share: float
    """Share of values from -1100 to -900, where air and the outside of a CT scan lie in Hounsfield units."""

    @property
    def like_hounsfield(self) -> bool:
        """Whether the values could be Hounsfield units: much air near -1000, nothing far below, soft tissue above 0.

        A suggestion for people, not a decision: other scales can pass.
        """
        return self.air_share > 0.02 and -3100 <= self.smallest <= -900 and 20 <= self.high <= 5000


def survey(voxels: VoxelSource, scale: NDArray[np.float64], affine: NDArray[np.float64]) -> Survey:
    """Look at every voxel once, slab by slab; one slab is in memory besides what the source holds.

    Args:
        voxels: The stored voxels.
        scale: Slope and intercept per k, shape (k, 2).
        affine: Shape (4, 4).
    """
    uniform = bool((scale == scale[0]).all())
    digest = hashlib.blake2b(digest_size=8)
    head = {
        "shape": voxels.shape,
        "dtype": f"{voxels.dtype.kind}{voxels.dtype.itemsize}",
        "affine": (affine + 0.0).tolist(),
        "scale": (scale[:1] if uniform else scale).tolist(),
    }
    digest.update(canonical_json(head).encode())
    count = int(np.prod(voxels.shape))
    step = max(1, round((count / SAMPLE) ** (1 / 3)))
    not_finite = 0
    samples: list[NDArray[np.float32]] = []
    exceeding = _may_exceed(voxels.dtype, scale)
    for k in range(voxels.shape[2]):
        slab = np.ascontiguousarray(voxels.read_slab(k).T)
        digest.update(_little_endian(slab).data)
        if exceeding:
            not_finite += slab.size - int(np.count_nonzero(np.isfinite(_scaled(slab, scale[k]))))
        if k % step == 0:
            values = _scaled(slab[::step, ::step], scale[k]).ravel()
            samples.append(values[np.isfinite(values)] if exceeding else values)
    return Survey(f"vol-{digest.hexdigest()}", not_finite, *_range(np.concatenate(samples)))


def _may_exceed(dtype: np.dtype[Any], scale: NDArray[np.float64]) -> bool:
    """Whether values of this dtype and scale can be something else than finite float32."""
    if dtype.kind == "f":
        return True
    if dtype.kind == "b":
        return False
    largest = max(abs(float(np.iinfo(dtype).min)), float(np.iinfo(dtype).max))
    return bool((np.abs(scale[:, 0]) * largest + np.abs(scale[:, 1]) > np.finfo(np.float32).max).any())


def _scaled(slab: NDArray[Any], scale: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(slab.astype(np.float64) * scale[0] + scale[1], np.float32)


def _range(values: NDArray[np.float32]) -> tuple[float, float, float, float, float]:
    if values.size == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    air = float(np.mean((values >= -1100) & (values <= -900)))
    return low, high, float(values.min()), float(values.max()), air


def _little_endian(slab: NDArray[Any]) -> NDArray[Any]:
    return slab.astype(slab.dtype.newbyteorder("<"), copy=False)
