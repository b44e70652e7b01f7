"""Films and masks that the chest phantom is fitted on: grey stretched, printed markers painted out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from secondread.training.anatomy.data import masked_rows, read_grey, read_labels

SIZE = 512
STRETCH = (0.5, 99.5)
"""Percentiles that become black and white; the films use about 110 of 255 grey levels."""
_MARKER_MARGIN = 9
"""Pixels around a printed letter that belong to its box."""


@dataclass(frozen=True)
class Films:
    """Training films in memory.

    Attributes:
        grey: float32 in 0..1, shape (n, 512, 512).
        labels: uint8, shape (n, 512, 512): 1 right lung (image left), 2 left lung, 3 heart.
    """

    grey: NDArray[np.float32]
    labels: NDArray[np.uint8]


def without_marker(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The film with printed letters replaced by their surroundings, so that no letter enters the model.

    A letter is saturated and stands far above the brightest tissue; films whose tissue itself reaches white keep
    what they show.
    """
    tissue = float(np.percentile(grey, 99.0))
    letters = grey > max(0.9, 1.15 * tissue)
    if not letters.any():
        return grey
    hole = ndimage.binary_dilation(letters, iterations=_MARKER_MARGIN)
    nearest = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    filled = grey[nearest[0], nearest[1]]
    soft = ndimage.gaussian_filter(filled, 4.0)
    painted: NDArray[np.float32] = np.where(hole, soft, grey).astype(np.float32)
    return painted


def stretched(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey between the two percentiles of `STRETCH` as 0..1, clipped."""
    low, high = np.percentile(grey, STRETCH)
    scaled: NDArray[np.float32] = np.clip((grey - low) / max(float(high - low), 1e-6), 0.0, 1.0).astype(np.float32)
    return scaled


def load_films(data: Path) -> Films:
    """The training films with right lung, left lung and heart masks (permissive licence only)."""
    rows = masked_rows(data, "train")
    grey = [stretched(without_marker(read_grey(data / row.file))) for row in rows]
    labels = [read_labels(data / row.mask_file) for row in rows]
    return Films(np.stack(grey), np.stack(labels))
