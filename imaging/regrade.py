"""The same pixels shown otherwise: another window, another contrast, outlines drawn in. Size and place are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.loaded import read_only
from secondread.imaging.windows import apply_window
from secondread.schema.errors import InputError
from secondread.schema.image import CropTransform, ImageInfo
from secondread.schema.record import Record, short_hash

LOW, HIGH = 1.0, 99.0
"""Percentiles that a stretch brings to black and white."""
CLIP = 0.01
"""Limit of the local histogram's slope in contrast-limited adaptive equalisation (scikit-image's default)."""


class Regrade(Record):
    """How an image is shown again; exactly one kind."""

    kind: Literal["window", "stretch", "equalise", "mark"]
    centre: float | None = None
    """Of a window, in the unit of the image's values."""
    width: float | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Of marks: x0, y0, x1, y1 in pixel-centre coordinates, outer edge to outer edge."""


def regraded_info(info: ImageInfo, how: Regrade) -> ImageInfo:
    """What is known of an image shown again: a derived image on a grid of its own that lies on its parent one to one.

    Raises:
        InputError: A window on an image without values, or a box outside the image.
    """
    ref = info.ref
    if how.kind == "window" and info.unit == "grey":
        raise InputError("A window needs an image with values; this one has display grey only.")
    for box in how.boxes:
        x0, y0, x1, y1 = box
        if not (-0.5 <= x0 < x1 <= ref.columns - 0.5 and -0.5 <= y0 < y1 <= ref.rows - 0.5):
            raise InputError("A box to mark lies outside the image.")
    name = f"img-{short_hash([ref.id, how])}"
    whole = CropTransform(x0=0.0, y0=0.0, scale_x=1.0, scale_y=1.0)
    return info.model_copy(
        update={"ref": ref.model_copy(update={"id": name, "grid": name, "parent": ref.id, "transform": whole})}
    )


@dataclass(frozen=True)
class FromRegrade:
    """An image shown again, made from its parent whenever its pixels are asked for."""

    how: Regrade
    parent_grey: Callable[[], NDArray[np.float32]]
    parent_values: Callable[[], NDArray[np.float32]]
    path: None = None

    def grey(self) -> NDArray[np.float32]:
        """See `Origin.grey`."""
        return read_only(regraded(self.how, self.parent_grey, self.parent_values))

    def values(self) -> NDArray[np.float32] | None:
        """The values do not change with how they are shown."""
        return self.parent_values()

    def colour(self) -> NDArray[np.uint8] | None:
        """See `Origin.colour`."""
        return None


def regraded(
    how: Regrade, grey: Callable[[], NDArray[np.float32]], values: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Display grey of an image shown again, shape (rows, columns), 0 to 1."""
    if how.kind == "window":
        assert how.centre is not None and how.width is not None
        return apply_window(values(), how.centre, how.width)
    if how.kind == "mark":
        return _marked(grey(), how.boxes)
    shown = np.asarray(grey(), np.float32)
    low, high = np.percentile(shown, [LOW, HIGH])
    if high - low < 1e-6:
        return shown
    stretched: NDArray[np.float32] = np.clip((shown - low) / (high - low), 0, 1).astype(np.float32)
    if how.kind == "stretch":
        return stretched
    from skimage.exposure import equalize_adapthist

    return np.asarray(equalize_adapthist(stretched, clip_limit=CLIP), np.float32)


def _marked(grey: NDArray[np.float32], boxes: tuple[tuple[float, float, float, float], ...]) -> NDArray[np.float32]:
    """White rectangles with a black rim, so that they show on any ground."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray((np.clip(grey, 0, 1) * 255).round().astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    thick = max(1, round(max(grey.shape) / 300))
    for x0, y0, x1, y1 in boxes:
        corners = (round(x0 + 0.5), round(y0 + 0.5), round(x1 - 0.5), round(y1 - 0.5))
        pen.rectangle(corners, outline=0, width=min(3 * thick, *_sides(corners)))
        pen.rectangle(_inset(corners, thick), outline=255, width=thick)
    return np.asarray(picture, np.float32) / np.float32(255)


def _sides(corners: tuple[int, int, int, int]) -> tuple[int, int]:
    return max(1, corners[2] - corners[0]), max(1, corners[3] - corners[1])


def _inset(corners: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = corners
    by = min(by, (x1 - x0) // 2, (y1 - y0) // 2)
    return x0 + by, y0 + by, x1 - by, y1 - by
