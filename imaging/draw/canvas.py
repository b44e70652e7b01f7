"""Grey values as a picture in the right aspect, and where a pixel of the image lies in it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.draw.palette import Colour
from secondread.schema.image import Spacing

if TYPE_CHECKING:
    from PIL import Image

LONG_SIDE = (900, 1400)
"""The film is scaled until its long side lies in this range of pixels: small films stay readable, large ones small."""

SMALLEST = (520, 160)
"""Least width and height of the part that shows the film, so that marks and labels of narrow crops have room."""

LARGEST_ASPECT = 12.0
"""Pixels longer than this are drawn as if they were not: the picture would be a line."""

BLOCKS = 16
"""From this magnification on pixels are drawn as blocks: smoothing would show what nobody measured."""

BACKGROUND: Colour = (24, 24, 24)


@dataclass(frozen=True)
class Fit:
    """How an image of `rows` x `columns` is scaled: picture pixels per image pixel, and the size of the picture."""

    scale_x: float
    scale_y: float
    width: int
    height: int


def fit(rows: int, columns: int, spacing: Spacing | None, long_side: tuple[int, int] = LONG_SIDE) -> Fit:
    """Scale of an image whose long side in the picture lies within `long_side`; longer pixels are drawn longer.

    Args:
        rows: Height in pixels.
        columns: Width in pixels.
        spacing: Gives the aspect of the pixels; None: they are square.
        long_side: Least and most pixels of the long side of the picture.
    """
    aspect = 1.0 if spacing is None or spacing.column_mm <= 0 else spacing.row_mm / spacing.column_mm
    if not 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT:
        aspect = 1.0
    wide, high = float(columns), rows * aspect
    longest = max(wide, high)
    scale = min(max(longest, long_side[0]), long_side[1]) / longest
    return Fit(scale, scale * aspect, max(1, round(wide * scale)), max(1, round(high * scale)))


def scaled(grey: NDArray[np.float32], rows: int, columns: int) -> "Image.Image":
    """The film as an 8-bit grey picture of `rows` x `columns` pixels; what is not finite is black."""
    from PIL import Image

    values = np.ascontiguousarray(grey, dtype=np.float32)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    picture = Image.fromarray(values)
    if picture.size != (columns, rows):
        tiny = rows >= BLOCKS * values.shape[0] and columns >= BLOCKS * values.shape[1]
        picture = picture.resize((columns, rows), Image.Resampling.NEAREST if tiny else Image.Resampling.BICUBIC)
    return Image.fromarray(np.rint(np.clip(np.asarray(picture), 0, 1) * 255).astype(np.uint8))


def thumbnail(grey: NDArray[np.float32], side: int = 256, *, spacing: Spacing | None = None) -> "Image.Image":
    """The film as an 8-bit grey picture whose long side is `side` pixels at most, in the aspect of its pixels."""
    rows, columns = grey.shape
    shown = fit(rows, columns, spacing, (1, side))
    return scaled(grey, shown.height, shown.width)


def centred(picture: "Image.Image") -> tuple["Image.Image", int, int]:
    """The film in the middle of a dark area of the least size, and where its left top corner lies."""
    from PIL import Image

    wide, high = max(picture.width, SMALLEST[0]), max(picture.height, SMALLEST[1])
    area = Image.new("RGB", (wide, high), BACKGROUND)
    left, top = (wide - picture.width) // 2, (high - picture.height) // 2
    area.paste(picture, (left, top))
    return area, left, top
