"""Masks on a picture: an outline and a light hatching, so that they differ also for who sees no colours."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.draw.canvas import BLOCKS
from secondread.imaging.draw.palette import Colour

if TYPE_CHECKING:
    from PIL import Image

FILL = 0.14
STRIPE = 0.34
"""Share of the mask's colour inside it, and on the lines of its hatching."""

PATTERNS = ("plain", "/", "\\", "-", "|", "x", ".")
"""One per mask, in order; more than seven masks start again, with other colours."""


def patterns(names: list[str]) -> dict[str, str]:
    """A hatching per name."""
    return {name: PATTERNS[number % len(PATTERNS)] for number, name in enumerate(names)}


def painted(film: "Image.Image", mask: NDArray[np.bool_], colour: Colour, pattern: str, scale: float) -> "Image.Image":
    """The film with hatching inside the mask and a contour along its inner edge, smoothed over one mask pixel if small.

    Args:
        film: RGB picture.
        mask: Any shape; it is stretched over the film.
        colour: Of contour and hatching.
        pattern: One of `PATTERNS`.
        scale: Picture pixels per mask pixel.
    """
    from PIL import Image, ImageFilter

    way = Image.Resampling.NEAREST if scale >= BLOCKS else Image.Resampling.BILINEAR
    soft = Image.fromarray(mask.astype(np.uint8) * 255).resize(film.size, way)
    if 1.5 < scale < BLOCKS:
        soft = soft.filter(ImageFilter.GaussianBlur(0.6 * scale))
    inside = soft.point(lambda value: 255 if value >= 128 else 0)
    reach = max(1, round(max(film.size) / 700))
    inner = np.asarray(inside.filter(ImageFilter.MinFilter(2 * reach + 1)))
    hard = np.asarray(inside)
    lines = hatching(film.height, film.width, pattern, max(14, round(max(film.size) / 45)))
    weight = np.where(hard > inner, 1.0, np.where(hard > 0, np.where(lines, STRIPE, FILL), 0.0))[..., None]
    mixed = np.asarray(film) * (1 - weight) + np.asarray(colour) * weight
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def hatching(rows: int, columns: int, pattern: str, period: int) -> NDArray[np.bool_]:
    """Where the lines of a pattern lie, shape (rows, columns)."""
    y, x = np.ogrid[:rows, :columns]
    thick = max(1, period // 9)

    def stripes(along: Any) -> NDArray[np.bool_]:
        return np.asarray(along % period < thick)

    if pattern == "/":
        return stripes(x + y)
    if pattern == "\\":
        return stripes(x - y)
    if pattern == "-":
        return np.broadcast_to(stripes(y), (rows, columns))
    if pattern == "|":
        return np.broadcast_to(stripes(x), (rows, columns))
    if pattern == "x":
        return stripes(x + y) | stripes(x - y)
    if pattern == ".":
        return np.asarray((x % period < 2 * thick) & (y % period < 2 * thick))
    return np.zeros((rows, columns), np.bool_)
