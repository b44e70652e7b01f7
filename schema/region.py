"""Regions in a named pixel grid.

Pixel-centre coordinates: x along columns, y along rows, (0, 0) is the centre of the top left pixel.
"""

from typing import Literal

from pydantic import Field, model_validator

from secondread.schema.record import Record
from secondread.schema.units import Pixels


class Point(Record):
    """A named point of a grid."""

    shape: Literal["point"] = "point"
    grid: str
    x: Pixels
    y: Pixels
    name: str = ""


class Box(Record):
    """An axis-parallel box, from the outer edge of its first pixel to the outer edge of its last."""

    shape: Literal["box"] = "box"
    grid: str
    x0: Pixels
    y0: Pixels
    x1: Pixels
    y1: Pixels
    name: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "Box":
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError("a box needs x0 < x1 and y0 < y1")
        return self


class Polygon(Record):
    """A closed polygon."""

    shape: Literal["polygon"] = "polygon"
    grid: str
    points: tuple[tuple[float, float], ...] = Field(min_length=3)
    name: str = ""


class Cuboid(Record):
    """A box of voxels of a volume, from the outer face of its first voxel to the outer face of its last."""

    shape: Literal["cuboid"] = "cuboid"
    grid: str
    """Volume id; indices are those of `VolumeInfo.affine`."""
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    name: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "Cuboid":
        if any(last <= first for first, last in zip(self.low, self.high, strict=True)):
            raise ValueError("a cuboid needs low < high along i, j and k")
        return self


class MaskRef(Record):
    """A binary mask of an image or a volume, kept in the image store under the hash of its bits."""

    shape: Literal["mask"] = "mask"
    grid: str
    blob: str
    """Handle for `Context.mask`."""
    name: str
    """Concept id of what the mask shows, e.g. `heart`."""
    pixels: int = Field(ge=0)
    """Number of set pixels or voxels."""
    box: Box | None = None
    """Bounding box; None for an empty mask or one of a volume."""
    cuboid: Cuboid | None = None
    """Bounding box of a volume's mask."""


Region = Point | Box | Polygon | MaskRef
