"""The round field of view of a fundus photograph, and refusal of pictures that are not one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable

MIN_SIDE = 256
"""Pixels; below this the thin vessels that the references hold are not in the picture."""
DARK = 0.12
"""Share of the brightest tenth's level below which a pixel is surround."""
MIN_SHARE = 0.25
"""Least share of the picture that the field covers."""
ROUND = 0.93
"""Least overlap (Jaccard) of the field with a disc of its extent, both within the frame."""
CORNER = 0.05
"""Share of the frame that must be surround: a frame filled with tissue shows no field from which to take the scale."""
RED_OVER_GREEN, GREEN_OVER_BLUE = 1.15, 1.0
"""Least ratios of the median channels in the field. On CHASE_DB1 they lie at 2.0 to 4.1 and 3.6 to 38; fundus cameras
with another white balance are less red, never green or blue."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Field:
    """Where the retina is seen.

    Attributes:
        mask: bool (rows, columns): the disc as far as the camera shows it, dark rim included.
        row, column: Centre of the disc, pixel-centre coordinates.
        diameter: Of the disc, in pixels.
    """

    mask: Mask
    row: float
    column: float
    diameter: float


def as_rgb(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """A colour photograph as float32 (rows, columns, 3).

    Raises:
        NotApplicable: Grey, another shape, a side below 256 pixels, or values that are not finite.
    """
    image = np.asarray(pixels, dtype=np.float32)
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise NotApplicable("A fundus photograph has red, green and blue; this image has not.")
    if min(image.shape[:2]) < MIN_SIDE:
        raise NotApplicable(
            f"The image has only {image.shape[0]} x {image.shape[1]} pixels; vessels need at least {MIN_SIDE} a side."
        )
    image = image[..., :3]
    if not np.isfinite(image).all():
        raise NotApplicable("The image holds values that are not finite.")
    if np.ptp(image, axis=2).max() <= 0.02 * max(float(image.max()), 1e-6):
        raise NotApplicable("The image is grey; the vessel expert is valid for colour fundus photographs.")
    return image


def field_of(rgb: NDArray[np.float32]) -> Field:
    """The field of view.

    Args:
        rgb: From `as_rgb`.

    Raises:
        NotApplicable: No single round, reddish field before a dark surround.
    """
    from scipy import ndimage

    bright = rgb.max(2)
    level = float(np.percentile(bright, 90))
    mask = bright > DARK * level
    mask = ndimage.binary_opening(mask, iterations=2)
    labels, count = ndimage.label(mask)
    if level <= 0 or count == 0:
        raise NotApplicable("The image is black.")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    mask = ndimage.binary_fill_holes(labels == sizes.argmax())
    if mask.mean() > 1 - CORNER:
        raise NotApplicable(
            "No dark surround is visible, so this is no whole fundus photograph, or its size cannot be told."
        )
    if mask.mean() < MIN_SHARE:
        raise NotApplicable("No field of view fills a fair part of the image.")
    row, column, diameter = _disc(mask)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    disc: Mask = (y - row) ** 2 + (x - column) ** 2 <= (diameter / 2) ** 2
    shape = disc & _extent(mask)
    if (mask & shape).sum() < ROUND * (mask | shape).sum():
        raise NotApplicable("The bright part of the image is not round, so this is no fundus photograph.")
    red, green, blue = (float(np.median(rgb[..., c][mask])) for c in range(3))
    if red < RED_OVER_GREEN * green or green < GREEN_OVER_BLUE * blue:
        raise NotApplicable("The round field does not have the colours of a retina (red before green before blue).")
    return Field(shape, row, column, diameter)


def _disc(mask: Mask) -> tuple[float, float, float]:
    """Circle through the border of a mask, by least squares (Kasa 1976); the frame's own edges do not count."""
    from scipy import ndimage

    inner = ndimage.binary_erosion(mask, border_value=1)
    y, x = np.nonzero(mask & ~inner)
    design = np.stack([2 * x, 2 * y, np.ones_like(x)], 1).astype(np.float64)
    (cx, cy, rest), *_ = np.linalg.lstsq(design, (x.astype(np.float64) ** 2 + y**2), rcond=None)
    return float(cy), float(cx), 2 * float(np.sqrt(max(rest + cx**2 + cy**2, 0.0)))


def _extent(mask: Mask) -> Mask:
    """Bounding box of a mask: many cameras cut the disc off above and below."""
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask.any(0))
    box = np.zeros_like(mask)
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box
