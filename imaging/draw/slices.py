"""Slices of a volume as pictures: one, or many side by side, each with its number, place, window and sides."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.draw.band import framed
from secondread.imaging.draw.canvas import BACKGROUND, fit, scaled
from secondread.imaging.draw.lettering import WHITE, Labels, outlined, width
from secondread.imaging.draw.marks import edge_letters, scale_bar, write_edges
from secondread.imaging.draw.masks import painted, patterns
from secondread.imaging.draw.palette import colours
from secondread.imaging.draw.render import overlay
from secondread.schema.errors import UsageError
from secondread.schema.image import ImageInfo
from secondread.schema.region import Box, Point
from secondread.schema.study import Plane

if TYPE_CHECKING:
    from PIL import Image

    from secondread.imaging.volume.volume import Volume

Window = tuple[float, float]

MOST_TILES = 120
WIDEST = 1400
"""Pixels of a montage."""


def slice_picture(
    volume: "Volume",
    plane: Plane,
    index0: int,
    *,
    window: Window | None = None,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    points: Sequence[Point] = (),
    boxes: Sequence[Box] = (),
    caption: str = "",
) -> "Image.Image":
    """One slice with the letters of its edges, a scale bar, its place and the window it is shown in.

    Args:
        volume: The volume.
        plane: Which plane.
        index0: From 0 at the low RAS end.
        window: Centre and width in the unit of the volume; None for the volume's own.
        masks: Concept id -> mask of the volume, shape (i, j, k).
        points: Landmarks, in pixels of the slice.
        boxes: Boxes, in pixels of the slice.
        caption: Text before place and window.

    Raises:
        UsageError: No such slice, or a window that is not one.
        InputError: A mask of another shape.
    """
    info = volume.slice_info(plane, index0)
    shown = {name: volume.shown(mask, plane, index0) for name, mask in (masks or {}).items()}
    words = [
        part for part in (caption, _place(info, plane, index0, volume.count(plane)), _window(volume, window)) if part
    ]
    return overlay(
        volume.grey(plane, index0, window),
        masks=shown,
        points=points,
        boxes=boxes,
        caption=". ".join(words),
        spacing=info.spacing,
        geometry=info.geometry,
        sides="patient" if info.geometry is not None else "none",
    )


def montage(
    volume: "Volume",
    plane: Plane = "axial",
    *,
    count: int = 12,
    first: int | None = None,
    last: int | None = None,
    window: Window | None = None,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    caption: str = "",
) -> "Image.Image":
    """Slices at even steps, numbered from 1, with their position in mm.

    Args:
        volume: The volume.
        plane: Which plane.
        count: How many slices, first and last included; fewer when there are not as many.
        first: First slice, from 0; None for the lowest.
        last: Last slice, from 0; None for the highest.
        window: As for `slice_picture`.
        masks: As for `slice_picture`.
        caption: Text before plane and window.

    Raises:
        UsageError: A count or range that is none.
        InputError: A mask of another shape.
    """
    chosen = spread(volume.count(plane), count, first, last)
    info = volume.slice_info(plane, chosen[0])
    rows, columns = info.ref.rows, info.ref.columns
    across = columns_of(len(chosen), _aspect(info))
    side = WIDEST // across - GAP
    tile = fit(rows, columns, info.spacing, (1, 10**6))
    room = min(side / tile.width, 1.2 * side / tile.height)
    tile = fit(rows, columns, info.spacing, (max(1, round(max(tile.width, tile.height) * room)),) * 2)
    size = max(12, min(20, tile.width // 14))
    palette, hatched = colours(list(masks or {})), patterns(list(masks or {}))
    tiles, seen = [], set[str]()
    for index0 in chosen:
        picture = scaled(volume.grey(plane, index0, window), tile.height, tile.width).convert("RGB")
        for name, mask in (masks or {}).items():
            part = volume.shown(mask, plane, index0)
            if part.any():
                seen.add(name)
                picture = painted(picture, part, palette[name], hatched[name], tile.scale_x)
        tiles.append(_labelled(picture, volume.slice_info(plane, index0), index0, size))
    sheet = _sheet(tiles, across, info, tile.scale_x, size)
    steps = f"slices {chosen[0] + 1} to {chosen[-1] + 1} of {volume.count(plane)} ({plane})"
    words = [part for part in (caption, steps, _window(volume, window)) if part]
    legend = {name: (palette[name], hatched[name]) for name in masks or {} if name in seen}
    return framed(sheet, ". ".join(words), legend, 18)


GAP = 4
"""Pixels between tiles."""


def spread(total: int, count: int, first: int | None, last: int | None) -> list[int]:
    """Indices at even steps from first to last, both included.

    Raises:
        UsageError: A count outside 1 to 120, or a range outside 0 to total - 1.
    """
    low, high = 0 if first is None else first, total - 1 if last is None else last
    if not 1 <= count <= MOST_TILES:
        raise UsageError(f"A montage shows 1 to {MOST_TILES} slices, not {count}.")
    if not 0 <= low <= high < total:
        raise UsageError(f"There are slices 1 to {total}; {low + 1} to {high + 1} is no part of them.")
    if count == 1:
        return [(low + high) // 2]
    return sorted({round(value) for value in np.linspace(low, high, min(count, high - low + 1))})


def columns_of(count: int, aspect: float) -> int:
    """How many tiles of this width / height stand side by side so that the sheet is about 4 wide to 3 high."""
    return max(1, min(count, round(float(np.sqrt(count * 4 / 3 / max(aspect, 0.05))))))


def _aspect(info: ImageInfo) -> float:
    shown = fit(info.ref.rows, info.ref.columns, info.spacing, (1000, 1000))
    return shown.width / shown.height


def _labelled(picture: "Image.Image", info: ImageInfo, index0: int, size: int) -> "Image.Image":
    """A tile with its number and position in the top left corner."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    outlined(draw, (size * 0.3, size * 0.15), str(index0 + 1), size, WHITE)
    if info.place is not None and info.place.position_mm is not None and info.place.plane is not None:
        axis = {"axial": "z", "coronal": "y", "sagittal": "x"}[info.place.plane]
        text = f"{axis} {info.place.position_mm:.0f} mm"
        if width(text, size) < picture.width - size * 3:
            outlined(draw, (picture.width - size * 0.3 - width(text, size), size * 0.15), text, size, WHITE)
    return picture


def _sheet(tiles: list["Image.Image"], across: int, info: ImageInfo, scale_x: float, size: int) -> "Image.Image":
    """Tiles in rows; side letters and scale bar on the first alone, since they hold for all."""
    from PIL import Image, ImageDraw

    wide, high = tiles[0].size
    down = -(-len(tiles) // across)
    sheet = Image.new("RGB", (max(520, across * (wide + GAP) - GAP), down * (high + GAP) - GAP), BACKGROUND)
    first = tiles[0]
    draw = ImageDraw.Draw(first, "RGBA")
    labels = Labels(draw, (0, 0, wide, high), size)
    if info.geometry is not None:
        letters = edge_letters(info.geometry)
        write_edges(draw, labels, first.size, size, {edge: letters[edge] for edge in ("left", "right")})
    if info.spacing is not None:
        scale_bar(draw, labels, first.size, size, info.spacing, scale_x)
    for number, tile in enumerate(tiles):
        sheet.paste(tile, ((number % across) * (wide + GAP), (number // across) * (high + GAP)))
    return sheet


def _place(info: ImageInfo, plane: Plane, index0: int, count: int) -> str:
    if info.place is not None:
        return info.place.words()
    return f"slice {index0 + 1} of {count} ({plane})"


def _window(volume: "Volume", window: Window | None) -> str:
    centre, wide = window if window is not None else volume.window
    unit: Any = " HU" if volume.header.unit == "HU" else ""
    return f"Window: centre {centre:g}{unit}, width {wide:g}{unit}"
