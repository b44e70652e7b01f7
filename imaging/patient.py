"""Regions between pixels or voxels and patient coordinates (RAS, mm).

A pixel lies at origin + x * per_column + y * per_row (`PlaneGeometry`), a voxel at affine @ (i, j, k, 1). Edges keep
the convention of the grids: a box runs from index - 0.5 to index + 0.5, so the mm are those of outer edges. Lines stay
lines under these maps; a box that another plane shows turned becomes a polygon, so that nothing is enlarged.
"""

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secondread.imaging.coordinates import Geometry
from secondread.schema.errors import InputError
from secondread.schema.region import Box, Cuboid, Point, Polygon
from secondread.schema.study import Plane, PlaneGeometry

if TYPE_CHECKING:
    from secondread.imaging.volume.grid import Grid

Floats = NDArray[np.float64]

OFF_PLANE_MM = 0.5
"""Points farther from a plane than this are not on it, unless the caller allows more."""


def pixels_to_mm(pixels: ArrayLike, geometry: PlaneGeometry) -> Floats:
    """Pixel-centre coordinates (x, y), shape (..., 2), to RAS mm, shape (..., 3)."""
    basis, origin = _basis(geometry)
    return np.asarray(pixels, np.float64) @ basis[:, :2].T + origin


def mm_to_pixels(mm: ArrayLike, geometry: PlaneGeometry) -> tuple[Floats, Floats]:
    """RAS mm, shape (..., 3), to pixels of a plane.

    Returns:
        (x, y) of the foot of the perpendicular, shape (..., 2), and the signed distance from the plane in mm.

    Raises:
        InputError: The steps of the plane are parallel or zero.
    """
    basis, origin = _basis(geometry)
    places = np.asarray(mm, np.float64) - origin
    found = np.asarray(np.linalg.solve(basis, places.reshape(-1, 3).T).T, np.float64).reshape(places.shape)
    return found[..., :2], found[..., 2]


def region_to_mm(region: Geometry, geometry: PlaneGeometry) -> Floats:
    """The points of a region in RAS mm: 1 for a point, 4 for a box (around from its top left), all of a polygon."""
    return pixels_to_mm(_outline(region), geometry)


def region_from_mm(
    mm: ArrayLike, geometry: PlaneGeometry, grid: str, *, name: str = "", off_plane_mm: float = OFF_PLANE_MM
) -> Geometry:
    """Points in RAS mm as a region of a plane; the inverse of `region_to_mm`.

    Args:
        mm: Shape (n, 3): one point, or the corners of a region in order.
        geometry: Of the plane.
        grid: Id of its grid.
        name: Of the region.
        off_plane_mm: How far from the plane the points may lie.

    Returns:
        A point for one, a box for four that are the corners of one, else a polygon.

    Raises:
        InputError: A point lies off the plane, or there are two.
    """
    pixels, away = mm_to_pixels(np.atleast_2d(mm), geometry)
    if np.abs(away).max() > off_plane_mm:
        raise InputError(
            f"The region lies {np.abs(away).max():.1f} mm off this plane.", hint="Take the slice that it lies on."
        )
    if len(pixels) == 1:
        return Point(grid=grid, x=float(pixels[0, 0]), y=float(pixels[0, 1]), name=name)
    if len(pixels) == 2:
        raise InputError("Two points make no region.")
    if len(pixels) == 4:
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        corners = np.where(np.abs(pixels - low) <= np.abs(pixels - high), low, high)
        turns = {tuple(corner) for corner in corners.tolist()}
        tolerance = 1e-6 * max(1.0, float(np.abs(pixels).max()))
        if len(turns) == 4 and np.abs(corners - pixels).max() <= tolerance:
            return Box(grid=grid, x0=low[0], y0=low[1], x1=high[0], y1=high[1], name=name)
    return Polygon(grid=grid, points=tuple((float(x), float(y)) for x, y in pixels), name=name)


def region_on(
    region: Geometry,
    source: PlaneGeometry,
    target: PlaneGeometry,
    grid: str,
    *,
    off_plane_mm: float = OFF_PLANE_MM,
) -> Geometry:
    """A region of one plane on another: the same slice in another series, or a neighbour within `off_plane_mm`.

    Raises:
        InputError: It does not lie on the other plane.
    """
    return region_from_mm(region_to_mm(region, source), target, grid, name=region.name, off_plane_mm=off_plane_mm)


def cuboid_to_mm(cuboid: Cuboid, affine: ArrayLike) -> Floats:
    """The eight corners in RAS mm, shape (8, 3); k runs fastest, then j, then i."""
    matrix = np.asarray(affine, np.float64)
    corners = np.array(list(itertools.product(*zip(cuboid.low, cuboid.high, strict=True))))
    return corners @ matrix[:3, :3].T + matrix[:3, 3]


def cuboid_from_mm(mm: ArrayLike, affine: ArrayLike, grid: str, name: str = "") -> Cuboid:
    """The smallest box of voxels around points in RAS mm, shape (n, 3), not rounded to whole voxels.

    Raises:
        InputError: The points span no volume.
    """
    matrix = np.asarray(affine, np.float64)
    places = np.linalg.solve(matrix[:3, :3], (np.atleast_2d(mm) - matrix[:3, 3]).T).T
    low, high = places.min(axis=0), places.max(axis=0)
    if not (high - low > 0).all():
        raise InputError("These points span no volume.")
    return Cuboid(grid=grid, low=_three(low), high=_three(high), name=name)


def bounding_cuboid(mask: NDArray[np.bool_], grid: str, name: str = "") -> Cuboid | None:
    """Smallest box around the set voxels, outer face to outer face; None for an empty mask."""
    ranges: list[tuple[float, float]] = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        if found.size == 0:
            return None
        ranges.append((float(found[0]) - 0.5, float(found[-1]) + 0.5))
    (i0, i1), (j0, j1), (k0, k1) = ranges
    return Cuboid(grid=grid, low=(i0, j0, k0), high=(i1, j1, k1), name=name)


def cuboid_on_slice(cuboid: Cuboid, volume: "Grid", plane: Plane, index0: int, grid: str) -> Box | None:
    """Where a box of voxels cuts a displayed slice; None when it does not reach the slice's centre plane.

    Args:
        cuboid: In voxel indices of the volume.
        volume: Gives shape and orientation.
        plane: As for `Volume.slice`.
        index0: As for `Volume.slice`.
        grid: Id of the slice's grid.

    Raises:
        UsageError: No such slice.
    """
    axis, index = volume.stored_index(plane, index0)
    if not cuboid.low[axis] <= index <= cuboid.high[axis]:
        return None
    ends = [volume.pixel(plane, corner) for corner in (cuboid.low, cuboid.high)]
    (x0, x1), (y0, y1) = (sorted((ends[0][n], ends[1][n])) for n in (0, 1))
    return Box(grid=grid, x0=x0, y0=y0, x1=x1, y1=y1, name=cuboid.name)


def _outline(region: Geometry) -> Floats:
    if isinstance(region, Point):
        return np.array([[region.x, region.y]])
    if isinstance(region, Box):
        x0, y0, x1, y1 = region.x0, region.y0, region.x1, region.y1
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return np.array(region.points, np.float64)


def _basis(geometry: PlaneGeometry) -> tuple[Floats, Floats]:
    """Columns: step along x, step along y, unit normal; and the origin."""
    along_x, along_y = np.array(geometry.per_column), np.array(geometry.per_row)
    normal = np.cross(along_x, along_y)
    size = float(np.linalg.norm(normal))
    if not np.isfinite(size) or size < 1e-12:
        raise InputError("The plane of the image cannot be used: its rows and columns are parallel.")
    return np.stack([along_x, along_y, normal / size], axis=1), np.array(geometry.origin)


def _three(values: Floats) -> tuple[float, float, float]:
    i, j, k = (float(v) for v in values)
    return i, j, k
