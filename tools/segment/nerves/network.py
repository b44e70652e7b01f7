"""The network of the nerve and vessel expert."""

from secondread.tools.segment.unet_network import UNet

CHANNELS = (16, 24, 32, 48, 64)
CLASSES = 3
"""0 ground, 1 nerve, 2 vessel."""


def build() -> UNet:
    """Untrained network: grey (n, 1, h, w) to class logits (n, 3, h, w), sides multiples of 16."""
    return UNet(1, CLASSES, CHANNELS)
