"""Which ultrasound images may show the same volunteer: look-alikes, since nobody is named.

Neighbouring numbers were looked at first: with this likeness, neighbours are no more alike than images far apart
(`python -m secondread.evals.nerves --groups` prints it), so the numbering says nothing about volunteers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE = 40
SHIFT = 4
ALIKE = 0.5
"""Likeness above which two images share a group. Set by looking at pairs: above 0.6 they are the same scene a moment
later, at 0.5 the same site at the same depth, at 0.4 different ones; 99.5 % of all pairs lie below."""

SMOOTH = 8.0
"""Thumbnail pixels: brightness that varies more slowly than this is taken out before comparing."""


def thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The content of an image without its black surround, 40 x 40, square root of grey, slow changes taken out."""
    from PIL import Image
    from scipy import ndimage

    bright = grey > 20
    rows, columns = np.flatnonzero(bright.mean(1) > 0.05), np.flatnonzero(bright.mean(0) > 0.05)
    content = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size and columns.size else grey
    small = np.sqrt(np.asarray(Image.fromarray(content).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32))
    result: NDArray[np.float32] = small - ndimage.gaussian_filter(small, SMOOTH)
    return result


def likeness(thumbnails: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Largest correlation over shifts of up to 4 thumbnail pixels, shape (n, n), 0 on the diagonal."""
    stack = np.stack(thumbnails)
    core = _normal(stack[:, SHIFT:-SHIFT, SHIFT:-SHIFT])
    best = np.full((len(stack), len(stack)), -1.0, np.float32)
    for down in range(-SHIFT, SHIFT + 1):
        for right in range(-SHIFT, SHIFT + 1):
            window = stack[:, SHIFT + down : SIDE - SHIFT + down, SHIFT + right : SIDE - SHIFT + right]
            best = np.maximum(best, core @ _normal(window).T)
    best = np.maximum(best, best.T)
    np.fill_diagonal(best, 0)
    return best


def _normal(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = stack.reshape(len(stack), -1)
    flat = flat - flat.mean(1, keepdims=True)
    result: NDArray[np.float32] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return result


def group(names: Sequence[str], likenesses: NDArray[np.float32]) -> list[str]:
    """Group of each image: the first name among those it is linked to by a chain of look-alikes."""
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(likenesses > ALIKE, directed=False)
    first: dict[int, str] = {}
    for name, label in zip(names, labels, strict=True):
        first.setdefault(int(label), name)
    return [first[int(label)] for label in labels]
