"""The guards' networks: one small convolutional net per question and fold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MEMBERS = 5
"""Networks per guard, one per cross-validation fold; their log-odds are averaged."""


@dataclass(frozen=True)
class GuardNet:
    """Size of one guard's networks.

    Attributes:
        name: Concept its logit speaks for.
        size: Rows and columns of the input.
        widths: Channels after each halving of the resolution.
    """

    name: str
    size: int
    widths: tuple[int, int, int, int]


GUARDS = {
    "frontal_chest_radiograph": GuardNet("frontal_chest_radiograph", 64, (16, 24, 32, 48)),
    "pa_view": GuardNet("pa_view", 96, (16, 32, 48, 64)),
    "child": GuardNet("child", 96, (16, 32, 48, 64)),
}


def build(guard: GuardNet, dropout: float = 0.2) -> "torch.nn.Sequential":
    """An untrained network: shape (n, 1, size, size) to (n, 1) log-odds of the concept."""
    from torch import nn

    layers: list[nn.Module] = []
    before = 1
    for stage, width in enumerate(guard.widths):
        layers += [nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
        if stage >= 2:
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
        before = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(before, 1)]
    return nn.Sequential(*layers)
