"""How the chest anatomy networks are shown a film: turned, sized and exposed a little differently; and the way back."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from secondread.tools.segment.grid import GRID

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Look:
    """How a network is shown the film.

    Attributes:
        name: Shown in the sample's source.
        degrees: Rotation, positive turns the film counter-clockwise on the screen.
        scale: Above 1 the chest appears larger.
        shift_x: To the image right, in shares of the width.
        shift_y: Downwards, in shares of the height.
        gamma: Exponent on the stretched grey value.
    """

    name: str
    degrees: float = 0.0
    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    gamma: float = 1.0


LOOKS = (
    Look("plain"),
    Look("smaller", degrees=3.0, scale=0.92, shift_x=0.012, shift_y=-0.01, gamma=0.8),
    Look("larger", degrees=-3.0, scale=1.04, shift_x=-0.012, shift_y=0.01, gamma=1.25),
)


def show(film: "torch.Tensor", look: Look) -> "torch.Tensor":
    """The film (1, 1, 256, 256) as the look shows it."""
    if look == Look(look.name):
        return film
    return warped(film, look, inverse=False, padding="zeros").clamp(0, 1) ** look.gamma


def back(maps: "torch.Tensor", look: Look) -> "torch.Tensor":
    """Maps (n, channels, 256, 256) of what a look shows, on the plain grid; what it hides repeats its border."""
    return maps if look == Look(look.name) else warped(maps, look, inverse=True, padding="border")


def warped(maps: "torch.Tensor", look: Look, *, inverse: bool, padding: str) -> "torch.Tensor":
    """Maps sampled where a look takes each grid point, or with `inverse` brings it back from."""
    from torch.nn import functional

    positions = _positions(look, inverse)
    return functional.grid_sample(maps, positions, mode="bilinear", padding_mode=padding, align_corners=False)


@lru_cache(maxsize=32)
def _positions(look: Look, inverse: bool) -> "torch.Tensor":
    """Sampling positions of a look, shape (1, 256, 256, 2)."""
    import torch
    from torch.nn import functional

    theta = torch.tensor([_matrix(look, inverse=inverse)], dtype=torch.float32)
    return functional.affine_grid(theta, [1, 1, GRID, GRID], align_corners=False)


def _matrix(look: Look, *, inverse: bool) -> list[list[float]]:
    """Affine map of sampling positions (x, y in -1..1): output position to input position."""
    c, s = math.cos(math.radians(look.degrees)), math.sin(math.radians(look.degrees))
    tx, ty = 2 * look.shift_x, 2 * look.shift_y
    if inverse:
        return [[c * look.scale, s * look.scale, tx], [-s * look.scale, c * look.scale, ty]]
    a, b, d, e = c / look.scale, -s / look.scale, s / look.scale, c / look.scale
    return [[a, b, -(a * tx + b * ty)], [d, e, -(d * tx + e * ty)]]
