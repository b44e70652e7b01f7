"""Pictures of evidence: masks, landmarks, lines and their numbers on the film."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.draw.lettering import WHITE, Labels, font, line_height, outlined, width, wrap
from secondread.imaging.draw.palette import YELLOW, Colour, colours
from secondread.schema.answer import RESEARCH_USE
from secondread.schema.errors import InputError, UsageError
from secondread.schema.image import Spacing
from secondread.schema.region import Box, Point

if TYPE_CHECKING:
    from PIL import Image

LONG_SIDE = (900, 1400)
"""The film is scaled until its long side lies in this range of pixels: small films stay readable, large ones small."""

SMALLEST = (520, 160)
"""Least width and height of the part that shows the film, so that marks and labels of narrow crops have room."""

FILL = 0.16

BACKGROUND: Colour = (24, 24, 24)

Sides = Literal["patient", "image", "none"]


@dataclass(frozen=True)
class Line:
    """A measured distance, e.g. the widest transverse diameter of the heart."""

    x0: float
    y0: float
    x1: float
    y1: float
    label: str = ""
    name: str = ""
    """Concept id that gives the colour, e.g. `heart`."""


def overlay(
    grey: NDArray[np.float32],
    *,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    points: Sequence[Point] = (),
    boxes: Sequence[Box] = (),
    lines: Sequence[Line | tuple[Point, Point, str]] = (),
    caption: str = "",
    spacing: Spacing | None = None,
    sides: Sides = "patient",
) -> "Image.Image":
    """Draw evidence on a film.

    Args:
        grey: Display grey in [0, 1], shape (rows, columns).
        masks: Concept id -> mask of the same shape; drawn as contour with a light fill.
        points: Landmarks, in pixels of `grey`; a name is written beside its point.
        boxes: Boxes, in pixels of `grey`.
        lines: Distances with their numbers: `Line`, or two points and a label.
        caption: Text under the film; wrapped.
        spacing: Draws a scale bar when given.
        sides: `patient` writes R and L (the patient's right is at the image left), `image` says only which side of the
            image it is, for films whose sides are in doubt, `none` writes nothing.

    Returns:
        RGB picture with the film on top and caption, legend and the research notice below it.

    Raises:
        InputError: A mask of another shape.
    """
    from PIL import ImageDraw

    masks = dict(masks or {})
    for name, mask in masks.items():
        if mask.shape != grey.shape:
            raise InputError(f"The mask {name} has shape {mask.shape}, not that of the image, {grey.shape}.")
    drawn = [line if isinstance(line, Line) else _line(line) for line in lines]
    scale, film_width, film_height = _target(*grey.shape)
    picture = scaled(grey, film_height, film_width).convert("RGB")
    palette = colours([*masks, *(n for n in dict.fromkeys(line.name for line in drawn) if n and n not in masks)])
    for name, mask in masks.items():
        picture = _painted(picture, mask, palette[name], scale)
    size = max(16, round(max(picture.size) / 52))
    film, left, top = _centred(picture)
    draw = ImageDraw.Draw(film, "RGBA")
    labels = Labels(draw, (2, 2, film.width - 3, film.height - 3), size)
    _sides(draw, labels, film.size, size, sides)
    if spacing is not None:
        _scale_bar(draw, labels, film.size, size, spacing, scale)
    stroke = max(2, round(max(picture.size) / 450))

    def at(x: float, y: float) -> tuple[float, float]:
        return (x + 0.5) * scale - 0.5 + left, (y + 0.5) * scale - 0.5 + top

    for box in boxes:
        corners = (*at(box.x0, box.y0), *at(box.x1, box.y1))
        draw.rectangle(corners, outline=YELLOW, width=stroke)
    for line in drawn:
        _distance(draw, at(line.x0, line.y0), at(line.x1, line.y1), palette.get(line.name, YELLOW), stroke)
    for point in points:
        _cross(draw, at(point.x, point.y), stroke)
    for line in drawn:
        if line.label:
            (ax, ay), (bx, by) = at(line.x0, line.y0), at(line.x1, line.y1)
            near = [((ax + bx) / 2, (ay + by) / 2), (ax, ay), (bx, by)]
            labels.place(line.label, near, palette.get(line.name, YELLOW))
    for box in boxes:
        if box.name:
            x, y = at((box.x0 + box.x1) / 2, box.y0)
            labels.place(_words(box.name), [(x, y), at((box.x0 + box.x1) / 2, box.y1)], YELLOW)
    for point in points:
        if point.name:
            labels.place(_words(point.name), [at(point.x, point.y)], WHITE)
    return _framed(film, caption, {name: palette[name] for name in masks}, size)


def thumbnail(grey: NDArray[np.float32], side: int = 256) -> "Image.Image":
    """The film as an 8-bit grey picture whose long side is `side` pixels at most."""
    rows, columns = grey.shape
    factor = min(1.0, side / max(rows, columns))
    return scaled(grey, max(1, round(rows * factor)), max(1, round(columns * factor)))


def scaled(grey: NDArray[np.float32], rows: int, columns: int) -> "Image.Image":
    """The film as an 8-bit grey picture of `rows` x `columns` pixels."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    if picture.size != (columns, rows):
        picture = picture.resize((columns, rows), Image.Resampling.BICUBIC)
    return Image.fromarray(np.rint(np.clip(np.asarray(picture), 0, 1) * 255).astype(np.uint8))


def save_png(picture: "Image.Image", path: str | os.PathLike[str]) -> Path:
    """Write a PNG so that `path` is either absent or whole, also when the process dies meanwhile.

    Raises:
        UsageError: The folder does not exist or cannot be written to.
    """
    target = Path(path)
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".png.part", delete=False) as file:
            temporary = file.name
            picture.save(file, format="PNG", optimize=False)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror or 'unknown reason'}.") from None
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def _target(rows: int, columns: int) -> tuple[float, int, int]:
    """Scale, and width and height of the film in the picture."""
    longest = max(rows, columns)
    scale = min(max(longest, LONG_SIDE[0]), LONG_SIDE[1]) / longest
    return scale, max(1, round(columns * scale)), max(1, round(rows * scale))


def _centred(picture: "Image.Image") -> tuple["Image.Image", int, int]:
    """The film in the middle of a dark area of the least size, and where its left top corner lies."""
    from PIL import Image

    wide, high = max(picture.width, SMALLEST[0]), max(picture.height, SMALLEST[1])
    area = Image.new("RGB", (wide, high), BACKGROUND)
    left, top = (wide - picture.width) // 2, (high - picture.height) // 2
    area.paste(picture, (left, top))
    return area, left, top


def _line(parts: tuple[Point, Point, str]) -> Line:
    start, end, label = parts
    return Line(start.x, start.y, end.x, end.y, label, start.name)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _painted(film: "Image.Image", mask: NDArray[np.bool_], colour: Colour, scale: float) -> "Image.Image":
    """The film with a light fill inside the mask and a contour along its inner edge, smoothed over one mask pixel."""
    from PIL import Image, ImageFilter

    soft = Image.fromarray(mask.astype(np.uint8) * 255).resize(film.size, Image.Resampling.BILINEAR)
    if scale > 1.5:
        soft = soft.filter(ImageFilter.GaussianBlur(0.6 * scale))
    inside = soft.point(lambda value: 255 if value >= 128 else 0)
    reach = max(1, round(max(film.size) / 700))
    inner = np.asarray(inside.filter(ImageFilter.MinFilter(2 * reach + 1)))
    hard = np.asarray(inside)
    weight = np.where(hard > inner, 1.0, np.where(hard > 0, FILL, 0.0))[..., None]
    mixed = np.asarray(film) * (1 - weight) + np.asarray(colour) * weight
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _distance(draw: Any, a: tuple[float, float], b: tuple[float, float], colour: Colour, stroke: int) -> None:
    """A line with a bar across either end."""
    length = max(float(np.hypot(b[0] - a[0], b[1] - a[1])), 1e-6)
    across = (-(b[1] - a[1]) / length * 4 * stroke, (b[0] - a[0]) / length * 4 * stroke)
    for ink, wide in (((0, 0, 0), stroke + 2), (colour, stroke)):
        draw.line((*a, *b), fill=ink, width=wide)
        for x, y in (a, b):
            draw.line((x - across[0], y - across[1], x + across[0], y + across[1]), fill=ink, width=wide)


def _cross(draw: Any, at: tuple[float, float], stroke: int) -> None:
    reach = 4 * stroke
    x, y = at
    for ink, wide in (((0, 0, 0), stroke + 2), (WHITE, stroke)):
        draw.line((x - reach, y, x + reach, y), fill=ink, width=wide)
        draw.line((x, y - reach, x, y + reach), fill=ink, width=wide)


def _sides(draw: Any, labels: Labels, film: tuple[int, int], size: int, sides: Sides) -> None:
    if sides == "none":
        return
    left, right = ("R", "L") if sides == "patient" else ("image left", "image right")
    large = round(size * (1.6 if sides == "patient" else 1.0))
    margin = size * 0.5
    high = line_height(large)
    outlined(draw, (margin, margin), left, large, WHITE)
    labels.reserve((0, 0, 2 * margin + width(left, large), margin + high))
    start = film[0] - margin - width(right, large)
    if start > 2 * margin + width(left, large):
        outlined(draw, (start, margin), right, large, WHITE)
        labels.reserve((start - margin, 0, film[0], margin + high))


def _scale_bar(draw: Any, labels: Labels, film: tuple[int, int], size: int, spacing: Spacing, scale: float) -> None:
    """A bar of a round length, at most a third of the film, with its unit and plane."""
    pixels_per_mm = scale / spacing.column_mm
    length = next((mm for mm in (100, 50, 20, 10, 5, 2, 1) if mm * pixels_per_mm <= film[0] / 3), None)
    if length is None:
        return
    text = f"{length} mm" + (" at detector plane (magnified)" if spacing.kind == "detector_plane" else "")
    margin, long = size, length * pixels_per_mm
    x1, y = film[0] - margin, film[1] - margin
    draw.rectangle((x1 - long - 1, y - size * 0.3 - 1, x1 + 1, y + 1), fill=(0, 0, 0))
    draw.rectangle((x1 - long, y - size * 0.3, x1, y), fill=WHITE)
    top = y - size * 0.5 - line_height(size)
    outlined(draw, (x1 - width(text, size), top), text, size, WHITE)
    labels.reserve((x1 - max(long, width(text, size)) - margin / 2, top, film[0], film[1]))


def _framed(film: "Image.Image", caption: str, legend: Mapping[str, Colour], size: int) -> "Image.Image":
    """The film with caption, legend and notice in a band below it."""
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
        for name, colour in row:
            draw.rectangle((x, y + size * 0.25, x + size * 0.8, y + size * 1.05), fill=colour)
            draw.text((x + size * 1.2, y), _words(name), font=font(size), fill=WHITE)
            x += _entry_width(name, size)
        y += step
    for line in notice:
        draw.text((margin, y), line, font=font(round(size * 0.85)), fill=(190, 190, 190))
        y += line_height(round(size * 0.85))
    return picture


def _entry_width(name: str, size: int) -> float:
    return width(_words(name), size) + size * 2.4


def _legend_rows(legend: Mapping[str, Colour], size: int, room: float) -> list[list[tuple[str, Colour]]]:
    rows: list[list[tuple[str, Colour]]] = []
    used = room + 1
    for name, colour in legend.items():
        if used + _entry_width(name, size) > room:
            rows.append([])
            used = 0.0
        rows[-1].append((name, colour))
        used += _entry_width(name, size)
    return rows
