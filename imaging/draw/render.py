"""Pictures of evidence: masks, landmarks, lines and their numbers on the film."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.draw.band import framed
from secondread.imaging.draw.canvas import centred, fit, scaled, thumbnail
from secondread.imaging.draw.lettering import WHITE, Labels
from secondread.imaging.draw.marks import Sides, edge_letters, scale_bar, write_edges, write_sides
from secondread.imaging.draw.masks import painted, patterns
from secondread.imaging.draw.palette import YELLOW, Colour, colours
from secondread.schema.errors import InputError, UsageError
from secondread.schema.image import Spacing
from secondread.schema.region import Box, Point
from secondread.schema.study import PlaneGeometry

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Line", "Sides", "overlay", "save_png", "scaled", "thumbnail"]


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
    geometry: PlaneGeometry | None = None,
) -> "Image.Image":
    """Draw evidence on a film.

    Args:
        grey: Display grey in [0, 1], shape (rows, columns).
        masks: Concept id -> mask of the same shape; drawn as contour with a light hatching of its own. Empty ones take
            part in the choice of colours, so that a structure looks alike on all slices.
        points: Landmarks, in pixels of `grey`; a name is written beside its point.
        boxes: Boxes, in pixels of `grey`.
        lines: Distances with their numbers: `Line`, or two points and a label.
        caption: Text under the film; wrapped.
        spacing: Draws a scale bar when given, and long pixels long.
        sides: `patient` writes R and L (the patient's right is at the image left), `image` says only which side of the
            image it is, for films whose sides are in doubt, `none` writes nothing.
        geometry: How the image lies in the patient; its four edges then get the letters R, L, A, P, H, F in place of
            `sides` (unless that is `none`).

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
    rows, columns = grey.shape
    shown = fit(rows, columns, spacing)
    picture = scaled(grey, shown.height, shown.width).convert("RGB")
    palette = colours([*masks, *(n for n in dict.fromkeys(line.name for line in drawn) if n and n not in masks)])
    hatched = patterns(list(masks))
    for name, mask in masks.items():
        picture = painted(picture, mask, palette[name], hatched[name], shown.scale_x)
    size = max(16, round(max(picture.size) / 52))
    film, left, top = centred(picture)
    draw = ImageDraw.Draw(film, "RGBA")
    labels = Labels(draw, (2, 2, film.width - 3, film.height - 3), size)
    if geometry is not None and sides != "none":
        write_edges(draw, labels, film.size, round(size * 1.4), edge_letters(geometry))
    else:
        write_sides(draw, labels, film.size, size, sides)
    if spacing is not None:
        scale_bar(draw, labels, film.size, size, spacing, shown.scale_x)
    stroke = max(2, round(max(picture.size) / 450))

    def at(x: float, y: float) -> tuple[float, float]:
        return (x + 0.5) * shown.scale_x - 0.5 + left, (y + 0.5) * shown.scale_y - 0.5 + top

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
    legend = {name: (palette[name], hatched[name]) for name, mask in masks.items() if mask.any()}
    return framed(film, caption, legend, size)


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


def _line(parts: tuple[Point, Point, str]) -> Line:
    start, end, label = parts
    return Line(start.x, start.y, end.x, end.y, label, start.name)


def _words(name: str) -> str:
    return name.replace("_", " ")


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
