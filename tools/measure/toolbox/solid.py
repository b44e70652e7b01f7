"""Volume, surface, diameters and axes of a mask in three dimensions.

Masks have shape (i, j, k); `affine` takes a voxel index to patient coordinates in mm, so sheared and unequal grids are
measured as they lie in the body. Definitions of the shape features: pyradiomics, van Griethuysen JJM et al., Cancer Res
2017;77:e104-e107, and its documentation of shape features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, NotMeasurable


@dataclass(frozen=True)
class Shape:
    """Shape features of one mask."""

    voxel_mm3: float
    """Set voxels times the volume of one."""
    mesh_mm3: float
    """Volume inside the surface."""
    surface_mm2: float
    sphericity: float
    """1 for a ball, less for anything else."""
    diameter_mm: float
    """Largest distance between two points of the surface."""
    major_axis_mm: float
    """Four times the square root of the largest eigenvalue of the covariance of the voxel positions."""
    minor_axis_mm: float
    least_axis_mm: float
    centroid_mm: tuple[float, float, float]
    """RAS when `affine` is."""
    low_mm: tuple[float, float, float]
    """Smallest coordinate of any voxel centre along each patient axis."""
    high_mm: tuple[float, float, float]

    @property
    def elongation(self) -> float:
        """Minor over major axis."""
        return self.minor_axis_mm / self.major_axis_mm if self.major_axis_mm else 1.0

    @property
    def flatness(self) -> float:
        """Least over major axis."""
        return self.least_axis_mm / self.major_axis_mm if self.major_axis_mm else 1.0


def volume_mm3(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> float:
    """Set voxels times the volume of one, in mm3."""
    return float(np.count_nonzero(mask)) * float(abs(np.linalg.det(affine[:3, :3])))


def shape(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Shape:
    """All shape features of a mask.

    Args:
        mask: Shape (i, j, k).
        affine: Shape (4, 4), voxel index to mm.

    Raises:
        InputError: Not three-dimensional.
        NotMeasurable: Nothing is set.
    """
    from skimage.measure import marching_cubes

    if mask.ndim != 3:
        raise InputError(f"A mask of a volume has three dimensions, not {mask.ndim}.")
    index = np.argwhere(mask)
    if not index.size:
        raise NotMeasurable("The mask is empty.")
    low = index.min(0)
    part = np.pad(mask[tuple(slice(a, b + 1) for a, b in zip(low, index.max(0), strict=True))], 1)
    found, faces, _, _ = marching_cubes(part.astype(np.float32), 0.5, method="lorensen")
    points = _placed(found + (low - 1), affine)
    corners = points[faces]
    crossed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    surface = float(np.linalg.norm(crossed, axis=1).sum()) / 2
    # signed tetrahedra against the middle of the surface, which keeps the sums small
    around = corners - points.mean(0)
    mesh = abs(float(np.einsum("ij,ij->i", around[:, 0], np.cross(around[:, 1], around[:, 2])).sum())) / 6
    voxels = _placed(index.astype(np.float64), affine)
    spread = np.linalg.eigvalsh(np.cov(voxels.T, bias=True)) if len(voxels) > 1 else np.zeros(3)
    least, minor, major = (4 * float(np.sqrt(max(value, 0.0))) for value in spread)
    return Shape(
        voxel_mm3=volume_mm3(mask, affine),
        mesh_mm3=mesh,
        surface_mm2=surface,
        sphericity=float((36 * np.pi * mesh**2) ** (1 / 3) / surface),
        diameter_mm=_largest_gap(points),
        major_axis_mm=major,
        minor_axis_mm=minor,
        least_axis_mm=least,
        centroid_mm=_three(voxels.mean(0)),
        low_mm=_three(voxels.min(0)),
        high_mm=_three(voxels.max(0)),
    )


def _placed(index: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(index @ affine[:3, :3].T + affine[:3, 3])


def _largest_gap(points: NDArray[np.float64]) -> float:
    """Largest distance between two of the points, by those on their convex hull."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    try:
        points = points[ConvexHull(points).vertices]
    except QhullError:  # flat
        points = np.unique(points, axis=0)
    return float(pdist(points).max()) if len(points) > 1 else 0.0


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
