"""A crop of any voxel grid brought to what the network reads (RAS axes, 1 mm), and its maps brought back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.orientation import orientation_of
from secondread.tools.segment.hippocampus.network import STEP

SPACING_MM = 1.0
"""Voxel side of the network's grid; that of the training crops."""
LOW, HIGH = 0.5, 99.5
"""Percentiles at which values are cut off before mean and standard deviation are taken."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Turn:
    """How an array was turned to RAS order and resampled.

    Attributes:
        axes: Array axis that became x, y, z.
        reversed: Whether x, y, z ran against R, A, S and was reversed.
        shape: Of the array in RAS order, before resampling.
        sides_mm: Voxel sides in RAS order.
    """

    axes: tuple[int, int, int]
    reversed: tuple[bool, bool, bool]
    shape: tuple[int, int, int]
    sides_mm: tuple[float, float, float]

    @property
    def senses(self) -> tuple[slice, slice, slice]:
        """Index that reverses what has to be reversed."""
        x, y, z = (slice(None, None, -1 if backwards else 1) for backwards in self.reversed)
        return x, y, z

    def straight(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array (i, j, k) in RAS order, as a view."""
        return array.transpose(self.axes)[self.senses]


def turn_of(shape: tuple[int, int, int], affine: NDArray[np.float64]) -> Turn:
    """How an array of this shape and affine (voxel index to RAS mm) is turned.

    An oblique grid keeps its axes and goes by the nearest patient axes.
    """
    orientation = orientation_of(affine)
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    i, j, k = orientation.voxel_axis
    return Turn(
        axes=(i, j, k),
        reversed=(not orientation.ascending[0], not orientation.ascending[1], not orientation.ascending[2]),
        shape=(shape[i], shape[j], shape[k]),
        sides_mm=(float(sides[i]), float(sides[j]), float(sides[k])),
    )


def size_mm(turn: Turn) -> tuple[float, float, float]:
    """Extent of the crop from right to left, back to front and foot to head, outer edges, in mm."""
    x, y, z = (n * side for n, side in zip(turn.shape, turn.sides_mm, strict=True))
    return x, y, z


def to_grid(values: Floats, turn: Turn) -> Floats:
    """The crop on the network's grid.

    Args:
        values: Shape (i, j, k), finite, any unit.
        turn: From `turn_of`.

    Returns:
        float32, RAS order, 1 mm voxels, normalised: cut off at two percentiles, mean 0, standard deviation 1 (all
        zero for a flat crop). Voxel edges, not centres, are kept in place by the resampling.
    """
    straight = np.ascontiguousarray(turn.straight(values), np.float32)
    return normalise(resampled(straight, _grid_shape(turn)))


def from_grid(maps: Floats, turn: Turn) -> Floats:
    """Maps (classes, x, y, z) on the network's grid brought back to the array: float32 (classes, i, j, k)."""
    back = np.stack([resampled(one, turn.shape) for one in maps])
    back = back[(slice(None), *turn.senses)]
    order = np.argsort(turn.axes)
    return np.ascontiguousarray(back.transpose(0, *(order + 1)))


def normalise(crop: Floats) -> Floats:
    """Mean 0 and standard deviation 1 after cutting off both ends; zero for a flat crop."""
    low, high = (float(v) for v in np.percentile(crop, [LOW, HIGH]))
    cut = np.clip(crop, low, high)
    deviation = float(cut.std())
    return np.zeros_like(cut) if deviation < 1e-6 * max(1.0, abs(high)) else (cut - cut.mean()) / deviation


def padded(crop: Floats, sides: tuple[int, int, int] | None = None) -> tuple[Floats, tuple[slice, slice, slice]]:
    """The crop in the middle of a grid whose sides are multiples of `STEP`, its border repeated outwards.

    Args:
        crop: Shape (x, y, z).
        sides: At least these sides.

    Returns:
        The padded crop, and where the crop lies in it.
    """
    wanted = [max(n, s) for n, s in zip(crop.shape, sides or (0, 0, 0), strict=True)]
    extra = [-(-n // STEP) * STEP - m for n, m in zip(wanted, crop.shape, strict=True)]
    before = [e // 2 for e in extra]
    x, y, z = (slice(b, b + n) for b, n in zip(before, crop.shape, strict=True))
    return np.pad(crop, [(b, e - b) for b, e in zip(before, extra, strict=True)], mode="edge"), (x, y, z)


def resampled(values: Floats, shape: tuple[int, int, int]) -> Floats:
    """Trilinear resampling to a shape, outer edges in place; averages when it thins out."""
    if values.shape == shape:
        return values
    import torch
    from scipy import ndimage
    from torch.nn import functional

    widths = [max(0.0, 0.5 * (n / m - 1)) for n, m in zip(values.shape, shape, strict=True)]
    if max(widths) > 0:
        values = ndimage.gaussian_filter(values, widths, mode="nearest")
    tensor = torch.from_numpy(np.ascontiguousarray(values))[None, None]
    result: Floats = functional.interpolate(tensor, size=shape, mode="trilinear", align_corners=False)[0, 0].numpy()
    return result


def _grid_shape(turn: Turn) -> tuple[int, int, int]:
    x, y, z = (max(1, round(mm / SPACING_MM)) for mm in size_mm(turn))
    return x, y, z
