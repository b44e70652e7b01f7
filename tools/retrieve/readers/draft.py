"""What a reader yields: an item, and how its pixels are had when it has any."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.tools.retrieve.records import Item

Pictures = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Draft:
    """One item on its way into a corpus.

    Attributes:
        item: What is stored.
        pictures: Gives red, green and blue of what is embedded, each (rows, columns, 3): one picture of an image, some
            slices of a volume, whose vectors are averaged. None for texts.
    """

    item: Item
    pictures: Callable[[], Pictures] | None = None

    def ready(self) -> "Draft":
        """The same draft with its pixels in memory; what fails on the way fails again when they are asked for."""
        if self.pictures is None:
            return self
        try:
            held = self.pictures()
        except Exception:
            return self
        return Draft(self.item, lambda: held)


@dataclass(frozen=True)
class Defaults:
    """What is written on items whose file does not say it.

    Attributes:
        source: Name of the collection.
        licence: As SPDX expression or in words.
        date: ISO 8601.
        salt: Of the corpus; makes opaque keys of patients and studies that mean nothing elsewhere.
        modality: Of images that do not say it.
    """

    source: str
    licence: str = "unknown"
    date: str = ""
    salt: str = ""
    modality: str = ""
