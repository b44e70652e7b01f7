"""Text on pictures: wrapped, sized to the picture, never cut off."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from secondread.imaging.draw.palette import Colour

if TYPE_CHECKING:
    from PIL import ImageDraw

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

Rectangle = tuple[float, float, float, float]


@lru_cache(maxsize=16)
def font(size: int) -> Any:
    """Pillow's own font at a size in pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def width(text: str, size: int) -> float:
    """Length of one line in pixels."""
    return float(font(size).getlength(text))


def line_height(size: int) -> int:
    """Distance of lines in pixels."""
    return round(size * 1.35)


def wrap(text: str, size: int, limit: float) -> list[str]:
    """Lines no longer than `limit` pixels; words that are longer are broken."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if width(longer, size) <= limit:
                line = longer
                continue
            if line:
                lines.append(line)
            while width(word, size) > limit and len(word) > 1:
                cut = max(1, next((n for n in range(len(word), 0, -1) if width(word[:n], size) <= limit), 1))
                lines.append(word[:cut])
                word = word[cut:]
            line = word
        lines.append(line)
    return [line for line in lines if line]


def outlined(draw: "ImageDraw.ImageDraw", at: tuple[float, float], text: str, size: int, colour: Colour) -> None:
    """One line with a dark rim, so that it reads on bright lung and on dark air."""
    draw.text(at, text, font=font(size), fill=colour, stroke_width=max(1, size // 10), stroke_fill=BLACK)


class Labels:
    """Places labels next to what they name, inside the picture and clear of each other where there is room."""

    def __init__(self, draw: "ImageDraw.ImageDraw", area: Rectangle, size: int) -> None:
        self._draw, self._area, self._size = draw, area, size
        self._taken: list[Rectangle] = []

    def reserve(self, rectangle: Rectangle) -> None:
        """Keep labels off a rectangle."""
        self._taken.append(rectangle)

    def place(self, text: str, near: Sequence[tuple[float, float]], colour: Colour) -> Rectangle:
        """Write `text` at the first of the places around the points `near` that is free; returns where it went."""
        pad = self._size * 0.25
        lines = wrap(text, self._size, (self._area[2] - self._area[0]) * 0.6) or [""]
        step = line_height(self._size)
        wide, high = max(width(line, self._size) for line in lines) + 2 * pad, step * len(lines) + pad
        gap = self._size * 0.5
        places = [
            place
            for x, y in near
            for place in (
                (x - wide / 2, y - gap - high),
                (x - wide / 2, y + gap),
                (x + gap, y - high / 2),
                (x - gap - wide, y - high / 2),
            )
        ]
        inside = [self._clamped(x, y, wide, high) for x, y in places]
        inside += [
            self._clamped(x, y + step * away, wide, high) for away in (2, -2, 3, -3, 5, -5, 8, -8) for x, y in places
        ]
        best = next((r for r in inside if not any(_meet(r, other) for other in self._taken)), None)
        if best is None:
            best = min(inside, key=lambda r: sum(_shared(r, other) for other in self._taken))
        self._taken.append(best)
        self._draw.rectangle(best, fill=(0, 0, 0, 170))
        for row, line in enumerate(lines):
            self._draw.text((best[0] + pad, best[1] + pad / 2 + row * step), line, font=font(self._size), fill=colour)
        return best

    def _clamped(self, x: float, y: float, wide: float, high: float) -> Rectangle:
        left, top, right, bottom = self._area
        x = max(left, min(x, right - wide))
        y = max(top, min(y, bottom - high))
        return x, y, x + wide, y + high


def _shared(a: Rectangle, b: Rectangle) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _meet(a: Rectangle, b: Rectangle) -> bool:
    return _shared(a, b) > 0
