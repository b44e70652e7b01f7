"""The retinal vessel network: a small U-Net at half size between a folding of pixels into channels and its undoing."""

from collections.abc import Sequence

import torch
from torch import nn

from secondread.tools.segment.unet_network import UNet

CHANNELS = (16, 24, 40, 56)
FOLD = 2
"""2 x 2 pixels become four channels, so that most arithmetic runs at half size and no detail is lost."""
STEP = FOLD * 2 ** (len(CHANNELS) - 1)
"""Sides of the input must be multiples of this."""


class VesselNet(nn.Module):
    """Normalised green channel (n, 1, h, w) to vessel logits (n, 1, h, w)."""

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.fold, self.unfold = nn.PixelUnshuffle(FOLD), nn.PixelShuffle(FOLD)
        self.unet = UNet(FOLD**2, FOLD**2, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sides of `x` must be multiples of `STEP`."""
        return self.unfold(self.unet(self.fold(x)))  # type: ignore[no-any-return]  # torch modules are untyped callables

    def fuse(self) -> "VesselNet":
        """Fold all batch norms into convolutions: same outputs, faster; call after loading, in eval mode."""
        self.unet.fuse()
        return self
