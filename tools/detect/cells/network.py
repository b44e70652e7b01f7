"""The network of the blood-cell detector: class heat maps and distances to the four sides of the box."""

from secondread.tools.detect.cells.layout import KINDS, STEM
from secondread.tools.segment.unet_network import UNet

CHANNELS = (24, 32, 48, 64)


def build() -> UNet:
    """Untrained network: RGB (n, 3, h, w) to (n, 7, h / 4, w / 4), sides multiples of 32."""
    return UNet(3, len(KINDS) + 4, CHANNELS, stem=STEM)
