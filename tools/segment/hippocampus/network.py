"""The hippocampus network in plain torch: same keys and same outputs as MONAI's `DynUNet`.

MONAI takes seconds to import, so training and inference use this twin; a test compares the two. The plan is that of
nnU-Net (Isensee et al., Nature Methods 2021): two convolutions a level, instance norm, leaky ReLU, strided convolutions
down, transposed convolutions up.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

CHANNELS = (8, 16, 32, 64)
CLASSES = 3
"""0 background, 1 anterior hippocampus, 2 posterior hippocampus."""
STEP = 8
"""Sides of the input must be multiples of this."""
SLOPE = 0.01
"""Of the leaky ReLU on negative values."""


class Convolution(nn.Module):
    """One convolution under the name that MONAI gives it."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the convolution."""
        return self.conv(x)  # type: ignore[no-any-return]  # torch modules are untyped callables


def _plain(inputs: int, outputs: int, stride: int) -> Convolution:
    return Convolution(nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False))


class Block(nn.Module):
    """Two 3 x 3 x 3 convolutions, each with instance norm and leaky ReLU; the first may halve the size."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = _plain(inputs, outputs, stride), nn.InstanceNorm3d(outputs, affine=True)
        self.conv2, self.norm2 = _plain(outputs, outputs, 1), nn.InstanceNorm3d(outputs, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, x, y, z) to (n, outputs, x / stride, y / stride, z / stride)."""
        x = functional.leaky_relu(self.norm1(self.conv1(x)), SLOPE)
        return functional.leaky_relu(self.norm2(self.conv2(x)), SLOPE)


class UpBlock(nn.Module):
    """Doubles the size, joins the encoder's features of that size, and convolves twice."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.transp_conv = Convolution(nn.ConvTranspose3d(inputs, outputs, 2, stride=2, bias=False))
        self.conv_block = Block(2 * outputs, outputs)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Shape of `skip`."""
        return self.conv_block(torch.cat((self.transp_conv(x), skip), 1))  # type: ignore[no-any-return]  # as above


class HippocampusNet(nn.Module):
    """U-Net of three halvings: normalised crop (n, 1, x, y, z) to class logits (n, 3, x, y, z)."""

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.input_block = Block(1, channels[0])
        self.downsamples = nn.ModuleList(Block(a, b, 2) for a, b in itertools.pairwise(channels[:-1]))
        self.bottleneck = Block(channels[-2], channels[-1], 2)
        below = list(channels)[::-1]
        self.upsamples = nn.ModuleList(UpBlock(a, b) for a, b in itertools.pairwise(below))
        self.output_block = nn.ModuleDict({"conv": Convolution(nn.Conv3d(channels[0], CLASSES, 1))})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sides of `x` must be multiples of 8."""
        kept = [self.input_block(x)]
        for down in self.downsamples:
            kept.append(down(kept[-1]))
        x = self.bottleneck(kept[-1])
        for up, skip in zip(self.upsamples, reversed(kept), strict=True):
            x = up(x, skip)
        return self.output_block["conv"](x)  # type: ignore[no-any-return]  # as above
