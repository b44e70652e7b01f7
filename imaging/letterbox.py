"""An image scaled into the rectangle that a model reads, with the way back for regions and masks.

Edges map to edges (pixel-centre coordinates): original x = (model x + 0.5 - left) * columns / width - 0.5. The
transform is a `CropTransform` whose parent is the original, so `coordinates.up` and `mask_up` bring results back and
`down` and `mask_down` take regions there.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secondread.imaging.coordinates import Geometry, down, mask_down, mask_up, up
from secondread.schema.errors import UsageError
from secondread.schema.image import CropTransform


@dataclass(frozen=True)
class Letterbox:
    """How an image of `rows` x `columns` lies in a model input of `model_rows` x `model_columns`."""

    rows: int
    columns: int
    model_rows: int
    model_columns: int
    height: int
    """Rows of the input that the image fills."""
    width: int
    top: int
    """Padding rows above the image."""
    left: int

    @property
    def transform(self) -> CropTransform:
        """Original = offset + model * scale, in pixel-centre coordinates."""
        scale_x, scale_y = self.columns / self.width, self.rows / self.height
        return CropTransform(
            x0=(0.5 - self.left) * scale_x - 0.5, y0=(0.5 - self.top) * scale_y - 0.5, scale_x=scale_x, scale_y=scale_y
        )

    def to_model(self, region: Geometry, grid: str) -> Geometry:
        """A region of the original in the model input."""
        return down(region, self.transform, grid)

    def to_original(self, region: Geometry, grid: str) -> Geometry:
        """A region of the model input in the original; may reach beyond it where the model saw padding."""
        return up(region, self.transform, grid)

    def pixels(self, grey: NDArray[np.float32], fill: float = 0.0) -> NDArray[np.float32]:
        """The model input: the image resized (bilinear, averaged where it shrinks) and padded with `fill`.

        Args:
            grey: Shape (rows, columns).
            fill: Value of the padding.

        Raises:
            UsageError: Another shape.
        """
        from PIL import Image

        if grey.shape != (self.rows, self.columns):
            raise UsageError(f"This fit is for {self.rows} x {self.columns} pixels, not {grey.shape}.")
        part = np.ascontiguousarray(grey, np.float32)
        if part.shape != (self.height, self.width):
            size = (self.width, self.height)
            part = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BILINEAR))
        result = np.full((self.model_rows, self.model_columns), fill, np.float32)
        result[self.top : self.top + self.height, self.left : self.left + self.width] = part
        return result

    def mask_to_original(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of the model input on the original grid, by the nearest pixel."""
        return mask_up(mask, self.transform, self.rows, self.columns)

    def mask_to_model(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of the original on the model input, by the nearest pixel; False in the padding."""
        return mask_down(mask, self.transform, self.model_rows, self.model_columns)


def fit(
    rows: int,
    columns: int,
    model_rows: int,
    model_columns: int,
    *,
    place: Literal["centre", "corner"] = "centre",
    keep_aspect: bool = True,
    enlarge: bool = True,
) -> Letterbox:
    """How an image is fitted into a model input.

    The image is scaled to whole pixels, so the two axes differ in scale by less than one pixel over their length; the
    transform uses the scale of each axis as it came out and stays exact.

    Args:
        rows: Height of the image.
        columns: Width of the image.
        model_rows: Height of the input.
        model_columns: Width of the input.
        place: Padding on both sides, or below and right only.
        keep_aspect: False stretches the image over the whole input.
        enlarge: False leaves a small image at its size.

    Raises:
        UsageError: A size below 1.
    """
    if min(rows, columns, model_rows, model_columns) < 1:
        raise UsageError("Sizes of images and model inputs are at least one pixel.")
    if keep_aspect:
        scale = min(model_rows / rows, model_columns / columns)
        scale = scale if enlarge else min(scale, 1.0)
        height = min(model_rows, max(1, math.floor(rows * scale + 0.5)))
        width = min(model_columns, max(1, math.floor(columns * scale + 0.5)))
    else:
        height, width = (model_rows, model_columns) if enlarge else (min(rows, model_rows), min(columns, model_columns))
    spare_rows, spare_columns = model_rows - height, model_columns - width
    top, left = (spare_rows // 2, spare_columns // 2) if place == "centre" else (0, 0)
    return Letterbox(rows, columns, model_rows, model_columns, height, width, top, left)
