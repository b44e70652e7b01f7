"""The network of the nucleus expert."""

import torch
from torch.nn import functional

from secondread.tools.segment.unet_network import UNet

CHANNELS = (16, 32, 48, 64, 64)
INSIDE, CONTACT, CORE = 0, 1, 2
"""Output channels: inside any nucleus, where two nuclei touch, in the core of a nucleus."""

BLOCK = 8
"""Side of the blocks over which the local mean is taken first; five of them make its window."""

FAINTEST = 0.03
"""Smallest standard deviation that the local contrast is divided by: noise of an empty ground is not blown up."""


class NucleusNet(UNet):
    """U-Net on RGB and one more channel: grey against its surroundings, so that dim nuclei beside bright ones count."""

    def __init__(self) -> None:
        super().__init__(4, 3, CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """RGB (n, 3, h, w) in 0..1, nuclei bright, to logits (n, 3, h, w); sides multiples of 16."""
        return super().forward(torch.cat([x, local_contrast(x)], 1))


def local_contrast(images: torch.Tensor) -> torch.Tensor:
    """Grey minus its mean over about 40 x 40 pixels, over its standard deviation there, times a quarter.

    Args:
        images: Shape (n, 3, h, w), sides multiples of 8.

    Returns:
        Shape (n, 1, h, w).
    """
    grey = images.float().mean(1, keepdim=True)
    blocks = functional.avg_pool2d(torch.cat([grey, grey**2], 1), BLOCK)
    wide = functional.avg_pool2d(blocks, 5, stride=1, padding=2, count_include_pad=False)
    both = functional.interpolate(wide, size=grey.shape[2:], mode="bilinear", align_corners=False)
    mean, square = both[:, :1], both[:, 1:]
    spread = (square - mean**2).clamp_min(0).sqrt()
    result: torch.Tensor = 0.25 * (grey - mean) / (spread + FAINTEST)
    return result


def build() -> NucleusNet:
    """Untrained network."""
    return NucleusNet()
