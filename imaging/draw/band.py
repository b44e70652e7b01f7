"""The band below a picture: caption, legend and the research notice."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from secondread.imaging.draw.canvas import BACKGROUND
from secondread.imaging.draw.lettering import WHITE, font, line_height, width, wrap
from secondread.imaging.draw.masks import hatching
from secondread.imaging.draw.palette import Colour
from secondread.schema.answer import RESEARCH_USE

if TYPE_CHECKING:
    from PIL import Image

QUIET: Colour = (190, 190, 190)


def framed(film: "Image.Image", caption: str, legend: Mapping[str, tuple[Colour, str]], size: int) -> "Image.Image":
    """The film with caption, legend and notice in a band below it.

    Args:
        film: RGB picture.
        caption: Wrapped.
        legend: Name -> colour and pattern of its mask.
        size: Of the letters.
    """
    from PIL import Image, ImageDraw

    wide = film.width
    margin = size
    step = line_height(size)
    room = wide - 2 * margin
    text = wrap(caption, size, room) if caption else []
    rows = _legend_rows(legend, size, room)
    notice = wrap(RESEARCH_USE, round(size * 0.85), room)
    high = round(margin * 1.6) + step * (len(text) + len(rows)) + line_height(round(size * 0.85)) * len(notice)
    picture = Image.new("RGB", (wide, film.height + high), BACKGROUND)
    picture.paste(film, (0, 0))
    draw = ImageDraw.Draw(picture)
    y = film.height + margin * 0.6
    for line in text:
        draw.text((margin, y), line, font=font(size), fill=WHITE)
        y += step
    for row in rows:
        x = float(margin)
        for name, colour, pattern in row:
            picture.paste(_swatch(colour, pattern, round(size * 1.1)), (round(x), round(y + size * 0.15)))
            draw.text((x + size * 1.5, y), _words(name), font=font(size), fill=WHITE)
            x += _entry_width(name, size)
        y += step
    for line in notice:
        draw.text((margin, y), line, font=font(round(size * 0.85)), fill=QUIET)
        y += line_height(round(size * 0.85))
    return picture


def _swatch(colour: Colour, pattern: str, side: int) -> "Image.Image":
    """A small square with the outline and hatching of a mask; a plain mask is a full square."""
    from PIL import Image

    pixels: Any = np.empty((side, side, 3), np.uint8)
    pixels[:] = colour if pattern == "plain" else BACKGROUND
    pixels[hatching(side, side, pattern, max(4, side // 3))] = colour
    edge = max(1, side // 9)
    pixels[:edge] = pixels[-edge:] = colour
    pixels[:, :edge] = pixels[:, -edge:] = colour
    return Image.fromarray(pixels)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _entry_width(name: str, size: int) -> float:
    return width(_words(name), size) + size * 2.7


def _legend_rows(
    legend: Mapping[str, tuple[Colour, str]], size: int, room: float
) -> list[list[tuple[str, Colour, str]]]:
    rows: list[list[tuple[str, Colour, str]]] = []
    used = room + 1
    for name, (colour, pattern) in legend.items():
        if used + _entry_width(name, size) > room:
            rows.append([])
            used = 0.0
        rows[-1].append((name, colour, pattern))
        used += _entry_width(name, size)
    return rows
