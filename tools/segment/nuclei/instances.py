"""Three maps to single nuclei: seeds from the core map, grown to the inside map by a watershed."""

import numpy as np
from numpy.typing import NDArray

INSIDE_FROM = 0.3
CORE_FROM = 0.45
"""Probabilities from which on a pixel is inside a nucleus, or seeds one. Chosen on fold 0 (19 of the 94 images), which
is why the figures are given without fold 0 as well."""

SMALLEST_SEED = 4
SMALLEST_NUCLEUS = 20
"""Pixels. The smallest annotated nucleus of the development images has 21."""


def separate(maps: NDArray[np.float32]) -> NDArray[np.int32]:
    """Label image of single nuclei.

    Args:
        maps: Probabilities of inside, contact and core, shape (3, rows, columns).

    Returns:
        int32 (rows, columns): 0 ground, 1..n nuclei without gaps in numbering, ordered by the first pixel in reading
        order. A piece of the inside map without a seed is a nucleus of its own if it is large enough.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    inside = maps[0] > INSIDE_FROM
    if not inside.any():
        return np.zeros(inside.shape, np.int32)
    core = maps[2] * (1 - maps[1])
    seeds, count = ndimage.label((core > CORE_FROM) & inside)
    small = np.bincount(seeds.ravel()) < SMALLEST_SEED
    small[0] = False
    seeds[small[seeds]] = 0
    pieces, _ = ndimage.label(inside, np.ones((3, 3)))
    seeded = np.zeros(pieces.max() + 1, bool)
    seeded[np.unique(pieces[seeds > 0])] = True
    alone = inside & ~seeded[pieces]
    markers = np.where(seeds > 0, seeds, np.where(alone, pieces + count, 0))
    return _tidy(watershed(-core, markers, connectivity=2, mask=inside))


def _tidy(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Holes filled, crumbs dropped, numbers 1..n in reading order."""
    from scipy import ndimage

    tidy = np.zeros(labels.shape, np.int32)
    kept = []
    for old, where in enumerate(ndimage.find_objects(labels), 1):
        if where is None:
            continue
        mask = ndimage.binary_fill_holes(labels[where] == old) & ((labels[where] == old) | (labels[where] == 0))
        if mask.sum() >= SMALLEST_NUCLEUS:
            first = int(np.flatnonzero(mask)[0])
            rows, columns = np.unravel_index(first, mask.shape)
            kept.append(((where[0].start + int(rows), where[1].start + int(columns)), where, mask))
    for number, (_, where, mask) in enumerate(sorted(kept, key=lambda k: k[0]), 1):
        tidy[where][mask] = number
    return tidy
