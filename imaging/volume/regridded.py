"""A volume on another grid that remembers the way back; and the light case: axes are only swapped and reversed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.volume.orientation import CODES
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import InputError, UsageError


@dataclass(frozen=True)
class Regridded:
    """A volume on a grid made for a model, and how masks on it come back."""

    volume: Volume
    """On the new grid; its affine places it in the same patient."""
    original: Volume
    _back: Callable[[NDArray[Any]], NDArray[Any]] = field(repr=False)

    def back(self, mask: NDArray[Any]) -> NDArray[Any]:
        """A mask or label map of the new grid on the original one, by the nearest voxel.

        Args:
            mask: Shape of `volume`, bool or integers below 2^24.

        Returns:
            Shape of `original`, same dtype. Voxels beyond the outermost centres of the new grid take the nearest one.

        Raises:
            InputError: Another shape or dtype.
        """
        labels = np.asarray(mask)
        if labels.shape != self.volume.shape or labels.dtype.kind not in "bui":
            raise InputError(
                f"A mask of this grid is of bool or integers and of shape {self.volume.shape}, "
                f"not {labels.dtype} {labels.shape}."
            )
        return np.asarray(self._back(labels), labels.dtype)


def reoriented(volume: Volume, codes: str = "RAS") -> Regridded:
    """The same voxels with their axes running to other sides of the patient, as a view wherever that is possible.

    Args:
        volume: Oriented.
        codes: Where growing i, j and k shall move to, e.g. `RAS` or `LPS`.

    Raises:
        UsageError: Not three codes of three axes.
        InputError: The volume does not say how it lies in the patient.
    """
    order, signs = axes_of(codes)
    require_oriented(volume)
    held = volume.orientation
    axes = [held.voxel_axis[patient] for patient in order]
    flips = [held.ascending[patient] != sign for patient, sign in zip(order, signs, strict=True)]
    steps = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        matrix[old, new] = -1 if flip else 1
        matrix[old, 3] = volume.shape[old] - 1 if flip else 0
    scales = {volume.scale(k) for k in range(volume.shape[2])}
    if len(scales) == 1:
        array, scale = volume.stored.transpose(axes)[steps], scales.pop()
    else:  # a scale per slice does not survive when slices run along another axis
        array, scale = volume.values().transpose(axes)[steps], (1.0, 0.0)
    known = volume.header.model_dump(include={"unit", "modality", "body_part", "source_format", "frames", "frame"})
    known |= {"window": volume.header.window, "photometric": volume.header.photometric, "place": volume.header.place}
    turned = Volume.from_array(
        array, volume.affine @ matrix, scale=scale, bits_stored=volume.header.bits_stored, **known,
        caveats=volume.header.caveats,
    )  # fmt: skip

    def back(mask: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(mask[steps].transpose(np.argsort(axes)))

    return Regridded(turned, volume, back)


def axes_of(codes: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Patient axis (0 R-L, 1 A-P, 2 S-I) and sense (True towards R, A, S) of each letter.

    Raises:
        UsageError: Not three letters of three axes.
    """
    known = {letter: (patient, high) for patient, ends in enumerate(CODES) for high, letter in enumerate(ends)}
    found = [known.get(letter) for letter in codes.upper()]
    if len(found) != 3 or None in found or len({axis[0] for axis in found if axis}) != 3:
        raise UsageError(f"{codes!r} names no orientation.", hint="Use three letters such as RAS or LPS.")
    (i, a), (j, b), (k, c) = (axis for axis in found if axis)
    return (i, j, k), (bool(a), bool(b), bool(c))


def require_oriented(*volumes: Volume) -> None:
    """Refuse volumes whose sides are not known.

    Raises:
        InputError: One of them does not say how it lies in the patient.
    """
    if not all(volume.oriented for volume in volumes):
        raise InputError("A volume that does not say how it lies in the patient cannot be brought onto another grid.")
