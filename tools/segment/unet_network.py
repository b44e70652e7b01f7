"""A small U-Net in plain torch, shared by the trained experts on plain two-dimensional images.

After Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015, with batch norm and padded convolutions.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Block(nn.Module):
    """Two 3 x 3 convolutions, each with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), _norm(outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), _norm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        x = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(x)))

    def fuse(self) -> None:
        """Fold the batch norms into the convolutions; for inference only."""
        for i in (1, 2):
            conv, norm = getattr(self, f"conv{i}"), getattr(self, f"norm{i}")
            if isinstance(norm, nn.BatchNorm2d):
                setattr(self, f"conv{i}", fuse_conv_bn_eval(conv, norm))
                setattr(self, f"norm{i}", nn.Identity())


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels)


class UNet(nn.Module):
    """Encoder and decoder with skip connections.

    Args:
        inputs: Channels of the image.
        outputs: Channels of the logits.
        channels: Width of each level, the first at full size; each further level halves the size.
        stem: Size of the input over the size of the first level and of the output (1, 2 or 4).
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], *, stem: int = 1) -> None:
        super().__init__()
        self.stem = nn.Sequential()
        width = inputs
        for _ in range(stem.bit_length() - 1):
            self.stem.append(Block(width, channels[0] // 2))
            self.stem.append(nn.MaxPool2d(2))
            width = channels[0] // 2
        self.down = nn.ModuleList(Block(a, b) for a, b in zip((width, *channels[:-1]), channels, strict=True))
        below = list(channels)[::-1]
        self.up = nn.ModuleList(Block(a + b, b) for a, b in pairwise(below))
        self.head = nn.Conv2d(channels[0], outputs, 1)
        self.step = stem * 2 ** (len(channels) - 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to logits (n, outputs, h / stem, w / stem); sides must be multiples of `step`."""
        x = self.stem(x)
        kept = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else functional.max_pool2d(x, 2))
            kept.append(x)
        for block, skip in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), skip], 1))
        return self.head(x)  # type: ignore[no-any-return]  # torch modules are untyped callables

    def fuse(self) -> "UNet":
        """Fold all batch norms into convolutions: same outputs, faster; call after loading, in eval mode."""
        for module in list(self.modules()):
            if isinstance(module, Block):
                module.fuse()
        return self
