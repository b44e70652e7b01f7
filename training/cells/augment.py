"""Random pieces of smears with their boxes, and the maps the network should give for them."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from secondread.tools.detect.cells.layout import KINDS, STEM
from secondread.training.cells.data import Field

Rng = np.random.Generator

SEEN = 0.35
"""A box of which less than this share lies in the piece is no object there; the pixels of its remains are left out."""


def piece(
    field: Field, side: int, rng: Rng
) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """One augmented square piece: size, place, quarter turns, mirror, colour.

    Args:
        field: Where it is cut from.
        side: Rows and columns of the result.
        rng: Source of chance.

    Returns:
        float32 (3, side, side) image in 0..1; boxes (n, 4) in its pixels, clipped to it; their classes; and boxes
        (m, 4) of objects of which too little is left to say anything.
    """
    zoom = math.exp(rng.uniform(math.log(0.72), math.log(1.35)))
    rows, columns = field.image.shape[:2]
    span = side / zoom
    left, top = (rng.uniform(min(0.0, n - span), max(0.0, n - span)) for n in (columns, rows))
    x = (torch.arange(side) + 0.5) / zoom + left
    y = (torch.arange(side) + 0.5) / zoom + top
    grid = torch.stack(torch.meshgrid(2 * y / rows - 1, 2 * x / columns - 1, indexing="ij")[::-1], -1)[None]
    whole = torch.from_numpy(field.image).permute(2, 0, 1)[None].float() / 255
    image = functional.grid_sample(whole, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    boxes = (field.boxes * field.scale - np.array([left, top, left, top])) * zoom
    clipped = np.clip(boxes, 0, side)
    share = _area(clipped) / np.maximum(_area(boxes), 1e-6)
    # An annotator draws what the camera sees: a cell at the border of the field is a whole object there.
    kept, remains = share >= SEEN, (share > 0) & (share < SEEN)
    turns, flip = int(rng.integers(0, 4)), rng.random() < 0.5
    if flip:
        image = image.flip(2)
    image = torch.rot90(image, turns, (1, 2))
    good, rest = (_turn(clipped[rows_], side, turns, flip) for rows_ in (kept, remains))
    return _colour(image, rng).clamp(0, 1), good, field.classes[kept], rest


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    size: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return size


def _turn(boxes: NDArray[np.float32], side: int, turns: int, flip: bool) -> NDArray[np.float32]:
    """Boxes after a mirror image and quarter turns against the clock, as `torch.rot90` turns the picture."""
    left, top, right, bottom = boxes.T.astype(np.float32)
    if flip:
        left, right = side - right, side - left
    for _ in range(turns):
        left, top, right, bottom = top, side - right, bottom, side - left
    return np.stack([left, top, right, bottom], 1)


def _colour(image: torch.Tensor, rng: Rng) -> torch.Tensor:
    if rng.random() < 0.15:  # grey, so that colour is a help and not a need
        image = image.mean(0, keepdim=True).expand(3, -1, -1)
    elif rng.random() < 0.8:
        gain = torch.from_numpy(rng.uniform(0.85, 1.15, (3, 1, 1))).float()
        mix = torch.eye(3) + torch.from_numpy(rng.normal(0, 0.05, (3, 3))).float()
        image = torch.einsum("ij,jhw->ihw", mix, image) * gain
    image = image.clamp(0, 1) ** math.exp(rng.uniform(math.log(0.75), math.log(1.35)))
    image = image * rng.uniform(0.85, 1.15) + rng.uniform(-0.05, 0.05)
    if rng.random() < 0.25:
        factor = rng.uniform(1.2, 2.0)
        side = image.shape[1]
        small = max(8, round(side / factor))
        image = functional.interpolate(image[None], size=(small, small), mode="bilinear", antialias=True)
        image = functional.interpolate(image, size=(side, side), mode="bilinear")[0]
    if rng.random() < 0.3:
        image = image + torch.from_numpy(rng.normal(0, rng.uniform(0.005, 0.04), tuple(image.shape))).float()
    return image


def maps_of(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], remains: NDArray[np.float32], side: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the network should give for a piece.

    Args:
        boxes: (n, 4) in pixels of the piece.
        classes: (n,).
        remains: (m, 4) boxes inside which the heat maps are not judged.
        side: Rows and columns of the piece.

    Returns:
        float32 (4, s, s) with s = side / 4: three heat maps, 1 at the output pixel nearest to a middle and falling off
        as a Gaussian of a sixth of the box, and 1 where they are judged; float32 (4, s, s) distances to left, top,
        right and bottom of the box, in output pixels; float32 (s, s) weight of these distances, the heat of the
        nearest object where it is above 0.3.
    """
    size = side // STEM
    axis = np.arange(size, dtype=np.float32) + 0.5
    heat = np.zeros((len(KINDS) + 1, size, size), np.float32)
    heat[-1] = 1
    distance = np.ones((4, size, size), np.float32)
    weight = np.zeros((size, size), np.float32)
    for left, top, right, bottom in remains / STEM:
        heat[-1, int(top) : math.ceil(bottom), int(left) : math.ceil(right)] = 0
    for (left, top, right, bottom), kind in zip(boxes / STEM, classes, strict=True):
        middle_x = min(size - 1, int((left + right) / 2)) + 0.5
        middle_y = min(size - 1, int((top + bottom) / 2)) + 0.5
        spread_x, spread_y = max(0.6, (right - left) / 6), max(0.6, (bottom - top) / 6)
        bump = np.exp(
            -0.5 * (((axis[:, None] - middle_y) / spread_y) ** 2 + ((axis[None] - middle_x) / spread_x) ** 2)
        ).astype(np.float32)
        heat[kind] = np.maximum(heat[kind], bump)
        nearer = (bump > 0.3) & (bump > weight)
        weight[nearer] = bump[nearer]
        ones = np.ones((size, size), np.float32)
        sides = np.stack(
            [
                axis[None] - left * ones,
                axis[:, None] - top * ones,
                right * ones - axis[None],
                bottom * ones - axis[:, None],
            ]
        )
        distance[:, nearer] = np.maximum(sides[:, nearer], 0.05)
    return torch.from_numpy(heat), torch.from_numpy(distance), torch.from_numpy(weight)
