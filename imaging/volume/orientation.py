"""Which way a voxel grid lies in the patient, and how its slices are turned for display.

Display directions all run against RAS: columns of axial and coronal slices from the patient's right to left, columns of
sagittal slices from front to back, rows of axial slices from front to back, rows of the others from head to foot. That
is how radiographs and axial CT are hung (the viewer looks at the patient, or up from the feet). Nothing is resampled:
axes are swapped and reversed.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.study import Plane

PATIENT_AXIS: dict[Plane, int] = {"sagittal": 0, "coronal": 1, "axial": 2}
"""RAS axis along which the slices of a plane are counted, from its low end."""

SHOWN: dict[Plane, tuple[int, int]] = {"axial": (1, 0), "coronal": (2, 0), "sagittal": (2, 1)}
"""RAS axes of the rows and of the columns of a displayed slice; both are shown from their high end to their low."""

CODES = (("L", "R"), ("P", "A"), ("I", "S"))
"""Letters of the RAS axes, low end and high end."""


@dataclass(frozen=True)
class Orientation:
    """Which voxel axis lies nearest each patient axis, and its sense."""

    voxel_axis: tuple[int, int, int]
    """Voxel axis (0 i, 1 j, 2 k) nearest R-L, A-P and S-I."""
    ascending: tuple[bool, bool, bool]
    """For R, A and S: whether a growing voxel index moves towards it."""
    angle_degrees: float
    """Largest angle between a voxel axis and its patient axis; 0 for a grid that lies straight in the patient."""

    @property
    def codes(self) -> str:
        """Where growing i, j and k move to, e.g. `LPS`."""
        letters = {self.voxel_axis[p]: CODES[p][self.ascending[p]] for p in range(3)}
        return letters[0] + letters[1] + letters[2]

    def index(self, plane: Plane, index0: int, count: int) -> tuple[int, int]:
        """Voxel axis of a plane and the stored index of slice `index0` of `count`, counted from the low RAS end."""
        patient = PATIENT_AXIS[plane]
        return self.voxel_axis[patient], index0 if self.ascending[patient] else count - 1 - index0

    def shown(self, slab: NDArray[Any], plane: Plane) -> NDArray[Any]:
        """A slab as displayed, as a view.

        Args:
            slab: The two voxel axes other than that of the plane, in the order i, j, k.
            plane: Which plane it was taken along.

        Returns:
            Shape (rows, columns), in the directions of this module.
        """
        row, column = SHOWN[plane]
        if self.voxel_axis[row] > self.voxel_axis[column]:
            slab = slab.T
        return slab[:: -1 if self.ascending[row] else 1, :: -1 if self.ascending[column] else 1]


def orientation_of(affine: NDArray[np.float64]) -> Orientation:
    """The assignment of voxel axes to patient axes with the largest summed cosines.

    Args:
        affine: Shape (4, 4), voxel index to RAS mm, finite and not singular.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    # Rounding keeps a tie (45 degrees) from being decided by the last bit of a float32 header.
    cosines = np.round(np.abs(directions), 6)
    best = max(itertools.permutations(range(3)), key=lambda axes: sum(cosines[p, axes[p]] for p in range(3)))
    along = [float(directions[p, best[p]]) for p in range(3)]
    angles = [float(np.degrees(np.arccos(min(1.0, abs(c))))) for c in along]
    return Orientation(
        voxel_axis=(best[0], best[1], best[2]),
        ascending=(along[0] > 0, along[1] > 0, along[2] > 0),
        angle_degrees=max(angles),
    )


def affine_fault(affine: NDArray[np.float64]) -> str | None:
    """What keeps an affine from placing voxels in a patient, in words; None when it can.

    Voxel sides from 0.1 micrometre to 1 m pass: beyond either a unit is wrong or the header is damaged. Axes closer
    than 5 degrees to a common plane count as singular; gantry tilt stays far from that.
    """
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        return "its affine holds values that are not finite"
    if not np.allclose(affine[3], (0, 0, 0, 1)):
        return "its affine is not one (last row)"
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    if (sides == 0).any():
        return "a voxel side is zero"
    if (sides < 1e-4).any() or (sides > 1e3).any():
        return f"a voxel side of {sides.max() if sides.max() > 1e3 else sides.min():.3g} mm cannot be"
    if np.abs(affine[:3, 3]).max() > 1e5:
        return "its origin lies more than 100 m away"
    if abs(np.linalg.det(affine[:3, :3] / sides)) < np.sin(np.radians(5)):
        return "its affine is singular: the axes do not span a volume"
    return None
