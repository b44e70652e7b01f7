"""The chest anatomy network in plain torch: same keys and same outputs as the MONAI network that was trained.

MONAI takes seconds to import, so inference uses this twin; a test compares the two. Residual U-Net after
Zhang, Liu and Wang, "Road extraction by deep residual U-Net", IEEE GRSL 2018; parameter names follow MONAI's `UNet`.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

CHANNELS = (24, 48, 96, 160, 224)
CLASSES = 4
"""0 background, 1 lung on the image left (`right_lung`), 2 lung on the image right (`left_lung`), 3 heart."""


class NormActivation(nn.Module):
    """Batch norm, then a PReLU with one slope."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.N: nn.Module = nn.BatchNorm2d(channels)
        self.A = nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape is kept."""
        return self.A(self.N(x))  # type: ignore[no-any-return]  # torch modules are untyped callables


class Convolution(nn.Module):
    """A 3 x 3 convolution (or its transpose, which doubles the size), batch norm and PReLU unless `bare`."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, up: bool = False, bare: bool = False) -> None:
        super().__init__()
        self.conv: nn.Module = (
            nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
            if up
            else nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        )
        self.adn: nn.Module = nn.Identity() if bare else NormActivation(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h', w')."""
        return self.adn(self.conv(x))  # type: ignore[no-any-return]  # torch modules are untyped callables

    def fuse(self) -> None:
        """Fold the batch norm into the convolution; for inference only."""
        if isinstance(self.adn, NormActivation) and isinstance(self.adn.N, nn.BatchNorm2d):
            transposed = isinstance(self.conv, nn.ConvTranspose2d)
            self.conv = fuse_conv_bn_eval(self.conv, self.adn.N, transpose=transposed)  # type: ignore[type-var]  # either kind is accepted
            self.adn.N = nn.Identity()


class ResidualUnit(nn.Module):
    """One or two convolutions with a shortcut; the shortcut is a convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, units: int, *, bare: bool = False) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(units):
            first = i == 0
            layers[f"unit{i}"] = Convolution(
                inputs if first else outputs, outputs, stride if first else 1, bare=bare and i == units - 1
            )
        self.conv = nn.Sequential(layers)
        self.residual: nn.Module = nn.Identity()
        if stride != 1:
            self.residual = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        elif inputs != outputs:
            self.residual = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return self.conv(x) + self.residual(x)  # type: ignore[no-any-return]  # torch modules are untyped callables


class SkipConnection(nn.Module):
    """Its input beside what the deeper levels make of it."""

    def __init__(self, submodule: nn.Module) -> None:
        super().__init__()
        self.submodule = submodule

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Channels are concatenated, input first."""
        return torch.cat([x, self.submodule(x)], dim=1)


class ChestAnatomyNet(nn.Module):
    """Residual U-Net of four halvings: grey film (n, 1, 256, 256) to class logits (n, 4, 256, 256)."""

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.model = _level(1, CLASSES, list(channels), top=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sides of `x` must be multiples of 16."""
        return self.model(x)  # type: ignore[no-any-return]  # torch modules are untyped callables

    def fuse(self) -> "ChestAnatomyNet":
        """Fold all batch norms into convolutions: same outputs, faster; call after loading, in eval mode."""
        for module in list(self.modules()):
            if isinstance(module, Convolution):
                module.fuse()
        return self


def _level(inputs: int, outputs: int, channels: list[int], *, top: bool = False) -> nn.Sequential:
    """One level: halve, go deeper, double; the lowest of `channels` is the bottom, which keeps its size."""
    here, below = channels[0], channels[1]
    if len(channels) > 2:
        deeper: nn.Module = _level(here, here, channels[1:])
        joined = 2 * here
    else:
        deeper = ResidualUnit(here, below, 1, 2)
        joined = here + below
    up = nn.Sequential(
        Convolution(joined, outputs, up=True),
        ResidualUnit(outputs, outputs, 1, 1, bare=top),
    )
    return nn.Sequential(ResidualUnit(inputs, here, 2, 2), SkipConnection(deeper), up)
