"""What the vessel network sees: the green channel at a standard size, its background and contrast evened out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.tools.segment.vessels.field import Field
from secondread.tools.segment.vessels.network import STEP

DIAMETER = 918.0
"""Pixels across the field of view on the network's grid; that of CHASE_DB1, whose pictures keep their own grid."""
KEEP = 0.03
"""A field within this share of `DIAMETER` is not resampled."""
BACKGROUND = 24.0
"""Standard deviation in pixels of the grid of the Gaussian that is taken for background: several vessel widths."""
SURROUND = 16
"""Pixels of surround kept around the field."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """Where the network's grid lies in the photograph: photograph row = top + (row + 0.5) * scale - 0.5.

    Attributes:
        top, left: First row and column of the photograph that the grid covers.
        rows, columns: Photograph rows and columns covered.
        scale: Photograph pixels per pixel of the grid.
        shape: Rows and columns of the grid, before padding to multiples of `STEP`.
    """

    top: int
    left: int
    rows: int
    columns: int
    scale: float
    shape: tuple[int, int]


def frame_of(field: Field) -> Frame:
    """The part of the photograph around the field, and the size it is read at."""
    scale = field.diameter / DIAMETER
    if abs(scale - 1) < KEEP:
        scale = 1.0
    rows, columns = np.flatnonzero(field.mask.any(1)), np.flatnonzero(field.mask.any(0))
    edge = round(SURROUND * scale)
    top, left = max(0, int(rows[0]) - edge), max(0, int(columns[0]) - edge)
    height = min(field.mask.shape[0], int(rows[-1]) + 1 + edge) - top
    width = min(field.mask.shape[1], int(columns[-1]) + 1 + edge) - left
    shape = (max(STEP, round(height / scale)), max(STEP, round(width / scale)))
    return Frame(top, left, height, width, scale, shape)


def prepare(rgb: Floats, field: Field) -> tuple[Floats, NDArray[np.bool_], Frame]:
    """Normalised green channel and field on the network's grid.

    Args:
        rgb: Shape (rows, columns, 3), any range.
        field: From `field_of`.

    Returns:
        float32 (h, w), in units of the local standard deviation, cut off at 4, zero outside the field; bool (h, w);
        where they lie in the photograph.
    """
    frame = frame_of(field)
    rows, columns = slice(frame.top, frame.top + frame.rows), slice(frame.left, frame.left + frame.columns)
    green = resampled(np.ascontiguousarray(rgb[rows, columns, 1]), frame.shape)
    inside = resampled(field.mask[rows, columns].astype(np.float32), frame.shape) > 0.5
    return even(green, inside), inside, frame


def even(green: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Local mean taken away and local standard deviation divided out, both over the field only."""
    from scipy import ndimage

    weight = ndimage.gaussian_filter(inside.astype(np.float32), BACKGROUND) + 1e-6
    mean = ndimage.gaussian_filter(np.where(inside, green, 0).astype(np.float32), BACKGROUND) / weight
    rest = np.where(inside, green - mean, 0).astype(np.float32)
    local = np.sqrt(ndimage.gaussian_filter(rest**2, BACKGROUND) / weight)
    # Flat parts are not blown up to full contrast: noise there would look like vessels.
    whole = float(np.sqrt((rest[inside] ** 2).mean())) if inside.any() else 1.0
    scaled = np.clip(rest / np.maximum(local, max(0.3 * whole, 1e-6)), -4, 4)
    return np.asarray(scaled, np.float32)


def resampled(values: Floats, shape: tuple[int, int]) -> Floats:
    """Bilinear resampling of (h, w) to a shape, outer edges in place; averages when it thins out."""
    if values.shape == shape:
        return values
    import torch
    from torch.nn import functional

    tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    result = functional.interpolate(tensor, size=shape, mode="bilinear", align_corners=False, antialias=True)
    return np.asarray(result[0, 0].numpy(), np.float32)


def padded(values: Floats) -> Floats:
    """Zeros below and to the right, so that both sides are multiples of `STEP`."""
    return np.pad(values, [(0, -n % STEP) for n in values.shape])
