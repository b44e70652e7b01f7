"""Crops and enlargements of an image, and what is known of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.coordinates import crop_transform, down, to_ancestor
from secondread.imaging.limits import MAX_PIXELS, MAX_SIDE
from secondread.imaging.loaded import read_only
from secondread.schema.errors import InputError
from secondread.schema.image import ImageInfo, ImageRef
from secondread.schema.record import short_hash
from secondread.schema.region import Box


def derived_info(info: ImageInfo, box: Box, scale: float, chain: Sequence[ImageRef]) -> tuple[ImageInfo, Box]:
    """What is known of a crop of an image, and the part of the image it shows.

    Args:
        info: The image.
        box: In the grid of the image or of an ancestor.
        scale: Derived pixels per pixel of the image, 0.05 to 16.
        chain: The image, its parent, its parent's parent, ...

    Raises:
        InputError: The box lies outside the image or in a foreign grid, or the scale or size is out of range.
    """
    ref = info.ref
    if not math.isfinite(scale) or not 0.05 <= scale <= 16:
        raise InputError("The scale of a crop is from 0.05 to 16.")
    part = _whole_pixels(box, chain, ref)
    width, height = part.x1 - part.x0, part.y1 - part.y0
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    if max(rows, columns) > MAX_SIDE or rows * columns > MAX_PIXELS:
        raise InputError(
            f"The crop would be {columns} x {rows} pixels, which is too large.", hint="Use a smaller scale."
        )
    transform = crop_transform(part, rows, columns)
    name = f"img-{short_hash([ref.id, part.model_dump(exclude={'name'}), rows, columns])}"
    spacing = info.spacing and info.spacing.model_copy(
        update={
            "row_mm": info.spacing.row_mm * transform.scale_y,
            "column_mm": info.spacing.column_mm * transform.scale_x,
        }
    )
    derived = ImageRef(
        id=name, rows=rows, columns=columns, grid=name, frame=ref.frame, parent=ref.id, transform=transform
    )
    return info.model_copy(update={"ref": derived, "spacing": spacing}), part


def cropped(grey: NDArray[np.float32], part: Box, rows: int, columns: int) -> NDArray[np.float32]:
    """Pixels of a crop, bicubic, averaged when it shrinks.

    Args:
        grey: The parent, shape (rows, columns).
        part: Whole pixels of the parent, edge to edge.
        rows: Height of the crop.
        columns: Width of the crop.
    """
    from PIL import Image

    x0, y0, x1, y1 = (round(v + 0.5) for v in (part.x0, part.y0, part.x1, part.y1))
    window = grey[y0:y1, x0:x1]
    if window.shape == (rows, columns):
        return read_only(window)
    resized = Image.fromarray(np.ascontiguousarray(window)).resize((columns, rows), Image.Resampling.BICUBIC)
    return read_only(np.asarray(resized))


def _whole_pixels(box: Box, chain: Sequence[ImageRef], ref: ImageRef) -> Box:
    """The box in the image's own grid, widened to whole pixels and cut at its border."""
    if box.grid != ref.grid:
        moved = down(box, to_ancestor(chain, box.grid), ref.grid)
        assert isinstance(moved, Box)
        box = moved
    x0, y0 = max(0, math.floor(box.x0 + 0.5 + 1e-6)), max(0, math.floor(box.y0 + 0.5 + 1e-6))
    x1, y1 = min(ref.columns, math.ceil(box.x1 + 0.5 - 1e-6)), min(ref.rows, math.ceil(box.y1 + 0.5 - 1e-6))
    if x1 <= x0 or y1 <= y0:
        raise InputError("The box lies outside the image.")
    return Box(grid=ref.grid, x0=x0 - 0.5, y0=y0 - 0.5, x1=x1 - 0.5, y1=y1 - 0.5, name=box.name)
