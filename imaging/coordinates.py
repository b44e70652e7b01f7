"""Regions from one pixel grid to another, and to and from relative coordinates.

Pixel-centre coordinates throughout: x along columns, y along rows, (0, 0) the centre of the top left pixel. A derived
image lies in its parent by `CropTransform`: parent = offset + derived * scale, per axis. Relative coordinates run from
0 at the outer edge of the first pixel to 1 (or 1000) at the outer edge of the last.

Beside this module: `letterbox` (padded or resized model input), `location_bins` (tokens of vision-language models) and
`patient` (RAS mm of slices and volumes).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.schema.image import CropTransform, ImageRef
from secondread.schema.region import Box, Point, Polygon

Geometry = Point | Box | Polygon

IDENTITY = CropTransform(x0=0.0, y0=0.0, scale_x=1.0, scale_y=1.0)


def crop_transform(box: Box, rows: int, columns: int) -> CropTransform:
    """How a grid of `rows` x `columns` pixels lies in the grid of the box it fills, edge to edge."""
    scale_x, scale_y = (box.x1 - box.x0) / columns, (box.y1 - box.y0) / rows
    return CropTransform(x0=box.x0 + scale_x / 2, y0=box.y0 + scale_y / 2, scale_x=scale_x, scale_y=scale_y)


def compose(outer: CropTransform, inner: CropTransform) -> CropTransform:
    """`inner` into its parent, then `outer` from that parent into the grandparent."""
    return CropTransform(
        x0=outer.x0 + inner.x0 * outer.scale_x,
        y0=outer.y0 + inner.y0 * outer.scale_y,
        scale_x=inner.scale_x * outer.scale_x,
        scale_y=inner.scale_y * outer.scale_y,
    )


def to_ancestor(chain: Sequence[ImageRef], grid: str) -> CropTransform:
    """From the grid of `chain[0]` into an ancestor's.

    Args:
        chain: An image, its parent, its parent's parent, ...
        grid: The grid wanted; that of one of `chain`.

    Raises:
        InputError: `grid` is none of the chain's.
    """
    transform = IDENTITY
    for image in chain:
        if image.grid == grid:
            return transform
        if image.transform is None:
            break
        transform = compose(image.transform, transform)
    raise InputError("The region lies in a grid that this image was not cropped from.")


def up(region: Geometry, transform: CropTransform, grid: str) -> Geometry:
    """A region of a derived grid in its parent's coordinates.

    Args:
        region: Point, box or polygon of the derived grid.
        transform: How the derived grid lies in the parent.
        grid: Id of the parent's grid.
    """
    return _moved(region, transform.scale_x, transform.x0, transform.scale_y, transform.y0, grid)


def down(region: Geometry, transform: CropTransform, grid: str) -> Geometry:
    """A region of the parent in a derived grid's coordinates; may lie outside of it.

    Args:
        region: Point, box or polygon of the parent.
        transform: How the derived grid lies in the parent.
        grid: Id of the derived grid.
    """
    inverse_x, inverse_y = 1 / transform.scale_x, 1 / transform.scale_y
    return _moved(region, inverse_x, -transform.x0 * inverse_x, inverse_y, -transform.y0 * inverse_y, grid)


def _moved(region: Geometry, ax: float, bx: float, ay: float, by: float, grid: str) -> Geometry:
    """`x -> ax x + bx`, `y -> ay y + by`."""
    if isinstance(region, Point):
        return Point(grid=grid, x=region.x * ax + bx, y=region.y * ay + by, name=region.name)
    if isinstance(region, Box):
        x0, x1, y0, y1 = region.x0 * ax + bx, region.x1 * ax + bx, region.y0 * ay + by, region.y1 * ay + by
        return Box(grid=grid, x0=x0, y0=y0, x1=x1, y1=y1, name=region.name)
    points = tuple((x * ax + bx, y * ay + by) for x, y in region.points)
    return Polygon(grid=grid, points=points, name=region.name)


def mask_up(mask: NDArray[np.bool_], transform: CropTransform, rows: int, columns: int) -> NDArray[np.bool_]:
    """A mask of a derived grid in its parent's grid: each parent pixel takes the derived pixel its centre falls into.

    Args:
        mask: Shape of the derived grid.
        transform: How the derived grid lies in the parent.
        rows: Height of the parent.
        columns: Width of the parent.

    Returns:
        Shape (rows, columns), False outside the derived image. `mask_down` of the result gives `mask` back wherever
        `mask` is made of whole parent pixels.
    """
    return _resampled(mask, rows, columns, 1 / transform.scale_x, -transform.x0 / transform.scale_x,
                      1 / transform.scale_y, -transform.y0 / transform.scale_y)  # fmt: skip


def mask_down(mask: NDArray[np.bool_], transform: CropTransform, rows: int, columns: int) -> NDArray[np.bool_]:
    """A mask of the parent in a derived grid of `rows` x `columns`, by the nearest pixel; False outside the parent."""
    return _resampled(mask, rows, columns, transform.scale_x, transform.x0, transform.scale_y, transform.y0)


def _resampled(
    mask: NDArray[np.bool_], rows: int, columns: int, ax: float, bx: float, ay: float, by: float
) -> NDArray[np.bool_]:
    """Nearest neighbour: target pixel (x, y) takes source pixel (ax x + bx, ay y + by)."""
    xs = np.floor(np.arange(columns) * ax + bx + 0.5 + 1e-9).astype(np.int64)
    ys = np.floor(np.arange(rows) * ay + by + 0.5 + 1e-9).astype(np.int64)
    inside_x, inside_y = (xs >= 0) & (xs < mask.shape[1]), (ys >= 0) & (ys < mask.shape[0])
    result = np.zeros((rows, columns), np.bool_)
    result[np.ix_(inside_y, inside_x)] = mask[np.ix_(ys[inside_y], xs[inside_x])]
    return result


def to_relative(x: float, y: float, rows: int, columns: int, full: float = 1.0) -> tuple[float, float]:
    """Pixel-centre coordinates to 0..`full` (1 or 1000) between the outer edges of the grid."""
    return (x + 0.5) / columns * full, (y + 0.5) / rows * full


def from_relative(u: float, v: float, rows: int, columns: int, full: float = 1.0) -> tuple[float, float]:
    """0..`full` (1 or 1000) between the outer edges of the grid to pixel-centre coordinates."""
    return u / full * columns - 0.5, v / full * rows - 0.5


def box_to_relative(box: Box, rows: int, columns: int, full: float = 1.0) -> tuple[float, float, float, float]:
    """A box as (x0, y0, x1, y1) in 0..`full`."""
    return (*to_relative(box.x0, box.y0, rows, columns, full), *to_relative(box.x1, box.y1, rows, columns, full))


def box_from_relative(
    values: tuple[float, float, float, float], grid: str, rows: int, columns: int, full: float = 1.0, name: str = ""
) -> Box:
    """A box from (x0, y0, x1, y1) in 0..`full`.

    Raises:
        InputError: Not ordered, or not finite.
    """
    if not np.isfinite(values).all() or values[0] >= values[2] or values[1] >= values[3]:
        raise InputError("A box needs finite numbers x0 < x1 and y0 < y1.")
    x0, y0 = from_relative(values[0], values[1], rows, columns, full)
    x1, y1 = from_relative(values[2], values[3], rows, columns, full)
    return Box(grid=grid, x0=x0, y0=y0, x1=x1, y1=y1, name=name)


def bounding_box(mask: NDArray[np.bool_], grid: str, name: str = "") -> Box | None:
    """Smallest box around the set pixels, outer edge to outer edge; None for an empty mask."""
    xs, ys = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if xs.size == 0:
        return None
    return Box(grid=grid, x0=xs[0] - 0.5, y0=ys[0] - 0.5, x1=xs[-1] + 0.5, y1=ys[-1] + 0.5, name=name)
