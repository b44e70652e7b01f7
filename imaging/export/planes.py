"""Voxels of a volume on the slices it was made from, by geometry: no resampling, or a refusal."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.dicom.values import items, numbers
from secondread.schema.errors import InputError
from secondread.schema.study import Affine

TOLERANCE = 0.1
"""Largest distance between a pixel of a slice and its voxel, in voxels."""

_MACROS = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")


def on_sources(mask: NDArray[np.bool_], affine: Affine, datasets: tuple[Any, ...]) -> NDArray[np.bool_]:
    """A mask of a volume as one plane per source frame.

    Args:
        mask: Shape (i, j, k) of the volume.
        affine: Voxel index to RAS mm.
        datasets: The files of the series, or one multi-frame file.

    Returns:
        Shape (frames, rows, columns), in the order of the files and their frames.

    Raises:
        InputError: A frame has no position, or does not lie on the grid of the volume.
    """
    to_voxel = np.linalg.inv(np.asarray(affine, dtype=np.float64))
    planes: list[NDArray[np.bool_]] = []
    for ds in datasets:
        rows, columns = int(ds.Rows), int(ds.Columns)
        planes += [_plane(mask, to_voxel @ frame, rows, columns) for frame in _frames(ds)]
    return np.stack(planes)


def _plane(mask: NDArray[np.bool_], to_voxel: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.bool_]:
    """Voxels under the pixels of one frame; `to_voxel` takes (column, row, 0, 1) to (i, j, k, 1)."""
    corners = np.array(
        [[0, 0, 0, 1], [columns - 1, 0, 0, 1], [0, rows - 1, 0, 1], [columns - 1, rows - 1, 0, 1]], float
    ).T
    exact = (to_voxel @ corners)[:3]
    if np.abs(exact - np.rint(exact)).max() > TOLERANCE:
        raise InputError(
            "The mask does not lie on the grid of the DICOM files; bring it back to the original grid first."
        )
    start = np.rint(exact[:, 0]).astype(np.int64)
    index = []
    for axis in range(3):
        along_row = np.rint(np.linspace(exact[axis, 0], exact[axis, 1], columns)).astype(np.int64) - start[axis]
        along_column = np.rint(np.linspace(exact[axis, 0], exact[axis, 2], rows)).astype(np.int64) - start[axis]
        index.append(start[axis] + along_column[:, None] + along_row[None, :])
    size = np.array(mask.shape)[:, None]
    ends = np.rint(exact)
    if (ends < 0).any() or (ends >= size).any():
        raise InputError("The mask covers less than the DICOM files; a frame lies outside of it.")
    return np.asarray(mask[index[0], index[1], index[2]])


def _frames(ds: Any) -> list[NDArray[np.float64]]:
    """Per frame, the matrix that takes (column, row, 0, 1) to RAS mm."""
    frames = items(ds, "PerFrameFunctionalGroupsSequence")
    shared = items(ds, "SharedFunctionalGroupsSequence")[:1]
    if not frames:
        return [_matrix(ds, ds, ds)]
    return [_matrix(*(_group(frame, shared, name) for name in _MACROS)) for frame in frames]


def _group(frame: Any, shared: list[Any], name: str) -> Any:
    return next((item for holder in (frame, *shared) for item in items(holder, name)[:1]), frame)


def _matrix(position: Any, orientation: Any, measures: Any) -> NDArray[np.float64]:
    """Source: DICOM PS3.3 C.7.6.2.1.1, with x and y negated for RAS."""
    origin, axes = numbers(position, "ImagePositionPatient"), numbers(orientation, "ImageOrientationPatient")
    spacing = numbers(measures, "PixelSpacing")
    if len(origin) != 3 or len(axes) != 6 or len(spacing) != 2:
        raise InputError("A DICOM file of the series has no position, orientation or spacing.")
    matrix = np.zeros((4, 4))
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 3] = (
        np.array(axes[:3]) * spacing[1],
        np.array(axes[3:]) * spacing[0],
        origin,
    )
    matrix[:2] *= -1
    matrix[3, 3] = 1
    return matrix
