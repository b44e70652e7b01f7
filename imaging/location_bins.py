"""Boxes and points as the location tokens of vision-language models.

A relative coordinate (0 at the outer edge of the first pixel, 1 at that of the last) becomes one of `count` bins.

| convention | tokens | order | bin b stands for | source |
|---|---|---|---|---|
| PALIGEMMA | `<loc0000>` .. `<loc1023>` | y x y x | b / 1023, nearest | big_vision: paligemma segmentation evaluator |
| FLORENCE2 | `<loc_0>` .. `<loc_999>` | x y x y | (b + 0.5) / 1000, floor | processing_florence2.py, BoxQuantizer |

PALIGEMMA's rule is also that of Pix2Seq (Chen et al., 2022: coordinates times bins - 1, rounded, y first), whose tokens
are no text. A coordinate comes back within half a bin in either; bins come back unchanged.
"""

import math
import re
from dataclasses import dataclass

from secondread.imaging.coordinates import box_from_relative, box_to_relative, from_relative, to_relative
from secondread.schema.errors import InputError
from secondread.schema.region import Box, Point


@dataclass(frozen=True)
class LocationBins:
    """One convention of location tokens."""

    count: int
    ends: bool
    """True: bins stand for evenly spaced values from 0 to 1, both ends included; False: for intervals, by their
    centres."""
    y_first: bool
    template: str
    """Token of bin `b` by `str.format`."""

    @property
    def half(self) -> float:
        """Half a bin, in relative coordinates: the largest error of a round trip inside the image."""
        return 0.5 / (self.count - 1 if self.ends else self.count)

    def bin(self, value: float) -> int:
        """Bin of a relative coordinate; values outside 0..1 take the first or last bin.

        Raises:
            InputError: Not finite.
        """
        if not math.isfinite(value):
            raise InputError("A location is a finite number.")
        found = math.floor(value * (self.count - 1) + 0.5) if self.ends else math.floor(value * self.count)
        return min(max(found, 0), self.count - 1)

    def value(self, number: int) -> float:
        """Relative coordinate of a bin.

        Raises:
            InputError: No such bin.
        """
        if not 0 <= number < self.count:
            raise InputError(f"There is no location bin {number}; there are {self.count}.")
        return number / (self.count - 1) if self.ends else (number + 0.5) / self.count

    def box_tokens(self, box: Box, rows: int, columns: int) -> str:
        """The four tokens of a box in an image of `rows` x `columns`."""
        x0, y0, x1, y1 = box_to_relative(box, rows, columns)
        return self._text((y0, x0, y1, x1) if self.y_first else (x0, y0, x1, y1))

    def point_tokens(self, point: Point, rows: int, columns: int) -> str:
        """The two tokens of a point in an image of `rows` x `columns`."""
        x, y = to_relative(point.x, point.y, rows, columns)
        return self._text((y, x) if self.y_first else (x, y))

    def boxes(self, text: str, grid: str, rows: int, columns: int) -> list[Box]:
        """Boxes of a reply: four tokens each, in runs; a box without area or a run with a rest is not read.

        Args:
            text: The reply of a model; only its tokens are looked at.
            grid: Id of the image's grid.
            rows: Height of the image.
            columns: Width of the image.
        """
        found: list[Box] = []
        for a, b, c, d in self._groups(text, 4):
            values = (b, a, d, c) if self.y_first else (a, b, c, d)
            if values[0] < values[2] and values[1] < values[3]:
                found.append(box_from_relative(values, grid, rows, columns))
        return found

    def points(self, text: str, grid: str, rows: int, columns: int) -> list[Point]:
        """Points of a reply: two tokens each, in runs of them; arguments as for `boxes`."""
        found: list[Point] = []
        for a, b in self._groups(text, 2):
            x, y = from_relative(b if self.y_first else a, a if self.y_first else b, rows, columns)
            found.append(Point(grid=grid, x=x, y=y))
        return found

    def _groups(self, text: str, size: int) -> list[list[float]]:
        """Relative coordinates, `size` at a time."""
        runs = [[self.value(number) for number in run] for run in self._runs(text) if len(run) % size == 0]
        return [run[start : start + size] for run in runs for start in range(0, len(run), size)]

    def _text(self, values: tuple[float, ...]) -> str:
        return "".join(self.template.format(self.bin(value)) for value in values)

    def _runs(self, text: str) -> list[list[int]]:
        """Bins of tokens that follow each other directly; a run with an unknown bin is left out."""
        head, _, tail = self.template.partition("{")
        token = re.escape(head) + r"(\d{1,6})" + re.escape(tail.partition("}")[2])
        runs = [
            [int(n) for n in re.findall(token, run)] for run in re.findall(f"(?:{token.replace('(', '(?:')})+", text)
        ]
        return [run for run in runs if all(number < self.count for number in run)]


PALIGEMMA = LocationBins(count=1024, ends=True, y_first=True, template="<loc{:04d}>")
FLORENCE2 = LocationBins(count=1000, ends=False, y_first=False, template="<loc_{}>")
