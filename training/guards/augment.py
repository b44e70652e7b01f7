"""Training views of an image that take away what tells its source: frame, aspect, sharpness, text, exposure."""

import math

import torch
from torch.nn import functional

from secondread.tools.classify.guard_input import finish

_DCT = torch.tensor(
    [
        [math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * (2 * n + 1) * k / 16) for n in range(8)]
        for k in range(8)
    ]
)


def _uniform(rng: torch.Generator, n: int, low: float, high: float) -> torch.Tensor:
    return torch.rand(n, generator=rng) * (high - low) + low


def _chance(rng: torch.Generator, n: int, share: float) -> torch.Tensor:
    return torch.rand(n, generator=rng) < share


def window(images: torch.Tensor, aspect: torch.Tensor, size: int, rng: torch.Generator) -> torch.Tensor:
    """Random crop, squeeze, tilt and mirror.

    Args:
        images: Shape (n, 1, rows, columns), 0..1.
        aspect: Shape (n,): width / height of the film before it was squeezed to a square; 1 where unknown. It is
            undone before the random squeeze, so that the distortion of the stored file tells nothing.
        size: Rows and columns of the result.
        rng: Source of the draws.
    """
    n = len(images)
    scale = _uniform(rng, n, 0.72, 1.08)
    squeeze = torch.exp(_uniform(rng, n, -0.2, 0.2)) / aspect.sqrt()
    turn = _uniform(rng, n, -0.14, 0.14)
    mirror = torch.where(_chance(rng, n, 0.5), -1.0, 1.0)
    sx, sy = scale * squeeze, scale / squeeze
    room = (1.06 - scale).clamp(0.04)
    dx, dy = _uniform(rng, n, -1, 1) * room, _uniform(rng, n, -1, 1) * room
    cos, sin = torch.cos(turn), torch.sin(turn)
    theta = torch.stack(
        [torch.stack([sx * cos * mirror, -sx * sin, dx], 1), torch.stack([sy * sin * mirror, sy * cos, dy], 1)], 1
    )
    grid = functional.affine_grid(theta, [n, 1, size, size], align_corners=False)
    clamp = _chance(rng, n, 0.3)[:, None, None, None]
    black = functional.grid_sample(images, grid, align_corners=False, padding_mode="zeros")
    edge = functional.grid_sample(images, grid, align_corners=False, padding_mode="border")
    return torch.where(clamp, edge, black)


def _inside(
    size: int, left: torch.Tensor, top: torch.Tensor, right: torch.Tensor, bottom: torch.Tensor
) -> torch.Tensor:
    """True inside boxes given as fractions; shape (n, 1, size, size)."""
    axis = (torch.arange(size) + 0.5) / size
    across = (axis >= left[:, None]) & (axis < right[:, None])
    down = (axis >= top[:, None]) & (axis < bottom[:, None])
    return (down[:, :, None] & across[:, None, :])[:, None]


def frame(images: torch.Tensor, rng: torch.Generator, share: float = 0.35) -> torch.Tensor:
    """A collimator frame or page border of random grey, black or white, on some images."""
    n, size = len(images), images.shape[-1]
    inset = torch.rand(4, n, generator=rng) ** 2 * 0.16 * _chance(rng, n, share)
    inside = _inside(size, inset[0], inset[1], 1 - inset[2], 1 - inset[3])
    pick = torch.rand(n, generator=rng)
    fill = torch.where(pick < 0.5, 0.0, torch.where(pick < 0.75, 1.0, torch.rand(n, generator=rng)))
    return torch.where(inside, images, fill[:, None, None, None])


def patches(images: torch.Tensor, rng: torch.Generator, count: int = 3) -> torch.Tensor:
    """Text-like glyphs and blank patches near the borders, on every class alike."""
    n, size = len(images), images.shape[-1]
    for _ in range(count):
        wide, high = _uniform(rng, n, 0.04, 0.28), _uniform(rng, n, 0.03, 0.14)
        along, depth = _uniform(rng, n, 0.0, 0.9), _uniform(rng, n, 0.0, 0.12)
        side = torch.randint(0, 4, (n,), generator=rng)
        left = torch.where(side == 0, depth, torch.where(side == 1, 1 - depth - wide, along))
        top = torch.where(side == 2, depth, torch.where(side == 3, 1 - depth - high, along))
        box = _inside(size, left, top, left + wide, top + high) & _chance(rng, n, 0.4)[:, None, None, None]
        ink = (torch.rand(n, 1, size, size, generator=rng) < 0.5) & _chance(rng, n, 0.5)[:, None, None, None]
        tone = torch.where(_chance(rng, n, 0.5), 1.0, torch.rand(n, generator=rng))[:, None, None, None]
        blank = torch.where(_chance(rng, n, 0.5), 0.0, torch.rand(n, generator=rng))[:, None, None, None]
        glyph = torch.where(ink, tone, images)
        solid = _chance(rng, n, 0.4)[:, None, None, None]
        images = torch.where(box, torch.where(solid, blank, glyph), images)
    return images


def soften(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Resolution of the whole batch lowered to a random size and back, on half of the batches' images."""
    size = images.shape[-1]
    low = int(torch.randint(size * 2 // 5, size, (1,), generator=rng))
    small = functional.interpolate(images, size=(low, low), mode="bilinear", antialias=True, align_corners=False)
    back = functional.interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
    return torch.where(_chance(rng, len(images), 0.5)[:, None, None, None], back, images)


def compress(images: torch.Tensor, rng: torch.Generator, share: float = 0.3) -> torch.Tensor:
    """JPEG-like loss: 8 x 8 cosine transform with coarser steps for finer waves."""
    n, _, size, _ = images.shape
    chosen = _chance(rng, n, share).nonzero()[:, 0]
    if len(chosen) == 0:
        return images
    step = (_uniform(rng, len(chosen), 0.02, 0.12))[:, None, None, None, None, None]
    ramp = 1 + (torch.arange(8)[:, None] + torch.arange(8)[None, :]) / 4
    blocks = images[chosen].reshape(len(chosen), 1, size // 8, 8, size // 8, 8).transpose(3, 4)
    waves = _DCT @ blocks @ _DCT.T
    coarse = torch.round(waves / (step * ramp)) * step * ramp
    images = images.clone()
    images[chosen] = (_DCT.T @ coarse @ _DCT).transpose(3, 4).reshape(len(chosen), 1, size, size)
    return images


def expose(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Clipped ends, gamma, noise and inversion; equalisation undoes what is monotone, not what was clipped."""
    n = len(images)
    low, high = _uniform(rng, n, -0.05, 0.1)[:, None, None, None], _uniform(rng, n, 0.88, 1.05)[:, None, None, None]
    gamma = torch.exp(_uniform(rng, n, -0.5, 0.5))[:, None, None, None]
    images = ((images - low) / (high - low)).clamp(0, 1) ** gamma
    noise = _uniform(rng, n, 0.0, 0.025)[:, None, None, None] * _chance(rng, n, 0.5)[:, None, None, None]
    images = (images + torch.randn(images.shape, generator=rng) * noise).clamp(0, 1)
    return torch.where(_chance(rng, n, 0.08)[:, None, None, None], 1 - images, images)


def training_view(squares: torch.Tensor, aspect: torch.Tensor, size: int, rng: torch.Generator) -> torch.Tensor:
    """Network input of one random view of each image.

    Args:
        squares: uint8, shape (n, 128, 128).
        aspect: Shape (n,), see `window`.
        size: Rows and columns of the result; a multiple of 8.
        rng: Source of the draws.

    Returns:
        float32, shape (n, 1, size, size).
    """
    images = window(squares[:, None].float() / 255, aspect, size, rng)
    images = frame(patches(images, rng), rng)
    images = compress(soften(images, rng), rng).clamp(0, 1)
    return finish(expose(images, rng))
