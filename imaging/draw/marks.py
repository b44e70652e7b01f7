"""Side letters and the scale bar."""

from typing import Any, Literal

import numpy as np

from secondread.imaging.draw.lettering import BLACK, WHITE, Labels, line_height, outlined, width
from secondread.schema.image import Spacing
from secondread.schema.study import PlaneGeometry

Sides = Literal["patient", "image", "none"]

SECOND_LETTER = 0.26
"""A direction that leans this much (sine of 15 degrees) to a second axis gets a second letter, e.g. `RA`."""

_LETTERS = (("R", "L"), ("A", "P"), ("H", "F"))
"""Positive and negative end of the RAS axes. Source: DICOM PS3.3 C.7.6.1.1.1, letters for bipeds."""


def edge_letters(geometry: PlaneGeometry) -> dict[str, str]:
    """What lies at the edges of an image: `left`, `right`, `top`, `bottom` -> letters such as `R` or `RA`."""
    across, down = np.array(geometry.per_column), np.array(geometry.per_row)
    return {"left": _letters(-across), "right": _letters(across), "top": _letters(-down), "bottom": _letters(down)}


def _letters(direction: Any) -> str:
    length = float(np.linalg.norm(direction))
    if length == 0:
        return ""
    unit = direction / length
    order = np.argsort(-np.abs(unit), kind="stable")
    chosen = [axis for place, axis in enumerate(order[:2]) if place == 0 or abs(unit[axis]) >= SECOND_LETTER]
    return "".join(_LETTERS[axis][0 if unit[axis] > 0 else 1] for axis in chosen)


def write_edges(draw: Any, labels: Labels, area: tuple[int, int], size: int, letters: dict[str, str]) -> None:
    """Write letters in the middle of the edges of the picture.

    Args:
        draw: Of the picture.
        labels: Keeps later labels off them.
        area: Width and height of the picture.
        size: Of the letters.
        letters: As `edge_letters` gives them.
    """
    wide, high, margin, step = *area, size * 0.4, line_height(size)
    for edge, text in letters.items():
        if not text:
            continue
        long = width(text, size)
        x = {"left": margin, "right": wide - margin - long}.get(edge, (wide - long) / 2)
        y = {"top": margin * 0.5, "bottom": high - margin * 0.5 - step}.get(edge, (high - step) / 2)
        outlined(draw, (x, y), text, size, WHITE)
        labels.reserve((x - margin, y, x + long + margin, y + step))


def write_sides(draw: Any, labels: Labels, area: tuple[int, int], size: int, sides: Sides) -> None:
    """Write the sides of a frontal film into its top corners; see `overlay`."""
    if sides == "none":
        return
    left, right = ("R", "L") if sides == "patient" else ("image left", "image right")
    large = round(size * (1.6 if sides == "patient" else 1.0))
    margin = size * 0.5
    high = line_height(large)
    outlined(draw, (margin, margin), left, large, WHITE)
    labels.reserve((0, 0, 2 * margin + width(left, large), margin + high))
    start = area[0] - margin - width(right, large)
    if start > 2 * margin + width(left, large):
        outlined(draw, (start, margin), right, large, WHITE)
        labels.reserve((start - margin, 0, area[0], margin + high))


def scale_bar(
    draw: Any, labels: Labels, area: tuple[int, int], size: int, spacing: Spacing, pixels_per_column: float
) -> None:
    """A bar of a round length, at most a third of the picture, with its unit and plane.

    Args:
        draw: Of the picture.
        labels: Keeps later labels off it.
        area: Width and height of the picture.
        size: Of the letters.
        spacing: Of the image.
        pixels_per_column: Picture pixels per column of the image.
    """
    if spacing.column_mm <= 0:
        return
    pixels_per_mm = pixels_per_column / spacing.column_mm
    steps = (100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
    length = next((mm for mm in steps if mm * pixels_per_mm <= area[0] / 3), None)
    if length is None or length * pixels_per_mm < 4:
        return
    text = f"{length:g} mm" + (" at detector plane (magnified)" if spacing.kind == "detector_plane" else "")
    margin, long = size, length * pixels_per_mm
    x1, y = area[0] - margin, area[1] - margin
    draw.rectangle((x1 - long - 1, y - size * 0.3 - 1, x1 + 1, y + 1), fill=BLACK)
    draw.rectangle((x1 - long, y - size * 0.3, x1, y), fill=WHITE)
    top = y - size * 0.5 - line_height(size)
    outlined(draw, (x1 - width(text, size), top), text, size, WHITE)
    labels.reserve((x1 - max(long, width(text, size)) - margin / 2, top, area[0], area[1]))
