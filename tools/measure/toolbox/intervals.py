"""How far a measure of a mask may be off because its outline is known to the pixel only.

An outline drawn on pixels says where the border is to half a pixel. The intervals here hold when the true outline lies
anywhere within half a pixel of the drawn one, everywhere by the same amount, all amounts being equally likely; they do
not cover a segmentation that is wrong by more than that.
"""

from secondread.schema.evidence import Interval

LEVEL = 0.90
SHIFT = 0.5 * LEVEL
"""Share of a pixel by which the outline moves at the ends of the interval."""
METHOD = "outline moved by up to half a pixel, everywhere alike; a wrong outline is not covered"


def of_length(length: float, pixel: float) -> Interval:
    """Of a diameter: both of its ends move.

    Args:
        length: In mm or pixels.
        pixel: Distance between pixel centres along the diameter, in the same unit.
    """
    margin = 2 * SHIFT * pixel
    return Interval(low=max(0.0, length - margin), high=length + margin, level=LEVEL, method=METHOD)


def of_area(area: float, perimeter: float, pixel: float) -> Interval:
    """Of an area: its whole outline moves."""
    margin = SHIFT * pixel * perimeter
    return Interval(low=max(0.0, area - margin), high=area + margin, level=LEVEL, method=METHOD)


def of_volume(volume: float, surface: float, voxel: float) -> Interval:
    """Of a volume: its whole surface moves.

    Args:
        volume: In mm3.
        surface: In mm2.
        voxel: Mean distance between voxel centres in mm (cube root of the volume of one).
    """
    margin = SHIFT * voxel * surface
    return Interval(low=max(0.0, volume - margin), high=volume + margin, level=LEVEL, method=METHOD)


def of_samples(values: list[float], level: float = LEVEL) -> Interval | None:
    """Of a measure taken on several equally meant masks: its central range; None with fewer than five of them."""
    import numpy as np

    if len(values) < 5:
        return None
    tail = 50 * (1 - level)
    low, high = (float(v) for v in np.percentile(values, (tail, 100 - tail)))
    return Interval(
        low=low, high=high, level=level, method=f"central {level:.0%} of {len(values)} mask samples, uncalibrated"
    )
