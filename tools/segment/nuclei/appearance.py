"""Two appearances brought to one: nuclei bright on a dark ground, whatever the stain."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import NotApplicable

Appearance = Literal["fluorescence", "stained"]

LOW, HIGH = 0.5, 99.8
"""Percentiles that become 0 and 1. The upper one is high because bright nuclei may cover little of a field."""

DARK_GROUND = 0.40
"""A field whose median stretched grey is below this has a dark ground; of the 94 development images it parts the two
appearances without an error."""

FLUORESCENCE_GAMMA = 0.6
"""Exponent that lifts dim nuclei beside bright, dividing ones."""


def as_rgb(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Grey (rows, columns) or colour (rows, columns, 3 or 4), any range, as float32 (rows, columns, 3).

    Raises:
        NotApplicable: Another shape, a side below 32 pixels, or values that are not finite.
    """
    image = np.asarray(pixels, dtype=np.float32)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise NotApplicable("A micrograph has rows and columns of grey or of red, green and blue.")
    if min(image.shape[:2]) < 32:
        raise NotApplicable(f"The image has only {image.shape[0]} x {image.shape[1]} pixels; at least 32 a side.")
    image = image[..., :3]
    if not np.isfinite(image).all():
        raise NotApplicable("The image holds values that are not finite.")
    return image


def canonical(rgb: NDArray[np.float32]) -> tuple[NDArray[np.float32], Appearance]:
    """What the network sees.

    Args:
        rgb: Shape (rows, columns, 3), any range.

    Returns:
        float32 of the same shape in 0..1 with nuclei bright, and which appearance it was. All channels are stretched by
        the same two values, so that colour is kept. A flat image becomes all zero.
    """
    low, high = np.percentile(rgb, [LOW, HIGH])
    if high - low < 1e-6:
        return np.zeros_like(rgb), "fluorescence"
    stretched = np.clip((rgb - low) / (high - low), 0.0, 1.0)
    if float(np.median(stretched.mean(2))) < DARK_GROUND:
        return (stretched**FLUORESCENCE_GAMMA).astype(np.float32), "fluorescence"
    return (1.0 - stretched).astype(np.float32), "stained"
