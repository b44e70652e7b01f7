"""A voxel grid in the patient: indices, millimetres, and the slices of its planes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secondread.imaging.volume.orientation import PATIENT_AXIS, SHOWN, Orientation, affine_fault, orientation_of
from secondread.schema.errors import InputError, UnreadableImage, UsageError
from secondread.schema.study import Affine, Plane, PlaneGeometry


class Grid:
    """Shape and affine of a volume, and what follows from them.

    Slices of a plane are counted from its low RAS end: axial from the feet, coronal from the back, sagittal from the
    patient's left. They are displayed in the directions of `imaging.volume.orientation`, without resampling.

    Args:
        shape: Voxels along i, j, k.
        affine: Shape (4, 4), voxel index (i, j, k, 1) to RAS mm; voxel centres at whole numbers.

    Raises:
        UnreadableImage: The affine cannot place voxels in a patient.
    """

    def __init__(self, shape: tuple[int, int, int], affine: ArrayLike) -> None:
        self.shape = shape
        """Voxels along i, j, k."""
        self.affine: NDArray[np.float64] = np.array(affine, np.float64)
        """Voxel index (i, j, k, 1) to RAS mm, shape (4, 4); read-only."""
        self.affine.flags.writeable = False
        fault = affine_fault(self.affine)
        if fault:
            raise UnreadableImage(f"The volume cannot be placed: {fault}.")
        self.orientation: Orientation = orientation_of(self.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Between voxel centres along i, j, k."""
        return spacing_of(self.affine)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def count(self, plane: Plane) -> int:
        """Number of slices of a plane."""
        return self.shape[self.orientation.voxel_axis[PATIENT_AXIS[plane]]]

    def stored_index(self, plane: Plane, index0: int) -> tuple[int, int]:
        """Voxel axis of a plane, and the index along it of a slice counted from the low RAS end.

        Raises:
            UsageError: No such plane or slice.
        """
        if plane not in PATIENT_AXIS:
            raise UsageError(f"There is no plane {plane!r}.", hint=f"Use one of {', '.join(PATIENT_AXIS)}.")
        count = self.count(plane)
        if not 0 <= index0 < count:
            raise UsageError(f"There is no {plane} slice {index0 + 1}; the volume has {count}.")
        return self.orientation.index(plane, index0, count)

    def shown(self, array: NDArray[Any], plane: Plane, index0: int) -> NDArray[Any]:
        """A slice of any array on the grid of this volume (a mask, a map) as displayed, as a view.

        Args:
            array: Shape (i, j, k) of the volume.
            plane: As for `slice`.
            index0: As for `slice`.

        Raises:
            InputError: Another shape.
            UsageError: No such slice.
        """
        if array.shape != self.shape:
            raise InputError(
                f"An array of shape {array.shape} does not lie on the grid of a volume of shape {self.shape}.",
                hint="Bring it onto the grid first.",
            )
        axis, index = self.stored_index(plane, index0)
        slab = array[index] if axis == 0 else array[:, index] if axis == 1 else array[:, :, index]
        return self.orientation.shown(slab, plane)

    def slice_geometry(self, plane: Plane, index0: int) -> PlaneGeometry:
        """How the pixels of a displayed slice lie in the patient.

        Raises:
            UsageError: No such slice.
        """
        axis, index = self.stored_index(plane, index0)
        start = np.array([0.0, 0.0, 0.0, 1.0])
        start[axis] = index
        steps: list[NDArray[np.float64]] = []
        for patient in SHOWN[plane]:
            along = self.orientation.voxel_axis[patient]
            flipped = self.orientation.ascending[patient]
            start[along] = self.shape[along] - 1 if flipped else 0
            steps.append(self.affine[:3, along] * (-1 if flipped else 1))
        return PlaneGeometry(
            origin=_vector(self.affine[:3] @ start), per_row=_vector(steps[0]), per_column=_vector(steps[1])
        )

    def position_mm(self, plane: Plane, index0: int) -> float:
        """RAS coordinate of the centre of a slice along the axis of its plane.

        Raises:
            UsageError: No such slice.
        """
        axis, index = self.stored_index(plane, index0)
        centre = [(n - 1) / 2 for n in self.shape]
        centre[axis] = index
        return float(self.to_mm(centre)[PATIENT_AXIS[plane]])

    def voxel(self, plane: Plane, index0: int, row: float, column: float) -> tuple[float, float, float]:
        """Voxel index (i, j, k) of a place on a displayed slice, by pixel-centre coordinates.

        Raises:
            UsageError: No such slice.
        """
        axis, index = self.stored_index(plane, index0)
        found = [0.0, 0.0, 0.0]
        found[axis] = float(index)
        for patient, at in zip(SHOWN[plane], (row, column), strict=True):
            along = self.orientation.voxel_axis[patient]
            found[along] = self.shape[along] - 1 - at if self.orientation.ascending[patient] else at
        return found[0], found[1], found[2]

    def pixel(self, plane: Plane, voxel: Sequence[float]) -> tuple[float, float]:
        """Pixel-centre coordinates (x along columns, y along rows) of a voxel index on the slices of a plane."""
        place: list[float] = []
        for patient in SHOWN[plane]:
            along = self.orientation.voxel_axis[patient]
            flipped = self.orientation.ascending[patient]
            place.append(self.shape[along] - 1 - voxel[along] if flipped else voxel[along])
        return place[1], place[0]

    def to_mm(self, index: ArrayLike) -> NDArray[np.float64]:
        """Voxel indices to RAS mm, shape (..., 3) both."""
        return np.asarray(index, np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, mm: ArrayLike) -> NDArray[np.float64]:
        """RAS mm to voxel indices (not rounded, may lie outside), shape (..., 3) both."""
        offset = np.asarray(mm, np.float64) - self.affine[:3, 3]
        found = np.linalg.solve(self.affine[:3, :3], offset.reshape(-1, 3).T).T
        return np.asarray(found, np.float64).reshape(offset.shape)

    def same_grid(self, other: "Grid", tolerance_mm: float = 1e-3) -> bool:
        """Whether voxels of equal index lie at the same place: equal shape, and corners within `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*((0, n - 1) for n in self.shape), indexing="ij")).reshape(3, -1).T
        return float(np.abs(self.to_mm(corners) - other.to_mm(corners)).max()) <= tolerance_mm


def as_affine(matrix: NDArray[np.float64]) -> Affine:
    """A (4, 4) array as `VolumeInfo` holds it."""
    rows = [tuple(float(v) for v in row) for row in matrix]
    return tuple(rows)  # type: ignore[return-value]  # four rows of four by the check of the caller


def spacing_of(matrix: NDArray[np.float64]) -> tuple[float, float, float]:
    """Distance between voxel centres along i, j, k in mm."""
    i, j, k = (float(side) for side in np.linalg.norm(matrix[:3, :3], axis=0))
    return i, j, k


def _vector(values: Sequence[Any] | NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) + 0.0 for v in values)
    return x, y, z
