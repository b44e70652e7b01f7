"""First-order statistics of the values inside a mask.

Definitions: pyradiomics, van Griethuysen JJM et al., Cancer Res 2017;77:e104-e107, first-order features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, NotMeasurable

BIN_WIDTH = 25.0
"""Width of the bins of entropy and uniformity, in the unit of the values. Source: default of pyradiomics."""


@dataclass(frozen=True)
class FirstOrder:
    """Statistics of values, in their unit unless said otherwise."""

    count: int
    mean: float
    deviation: float
    """Standard deviation over all values (divided by their number)."""
    median: float
    minimum: float
    maximum: float
    percentile_10: float
    percentile_90: float
    interquartile_range: float
    mean_absolute_deviation: float
    robust_mean_absolute_deviation: float
    """Of the values between the 10th and the 90th percentile."""
    skewness: float
    """Without unit."""
    kurtosis: float
    """Without unit; 3 for a normal distribution."""
    entropy: float
    """In bits, over bins of `BIN_WIDTH`."""
    uniformity: float
    """Sum of squared bin shares, without unit."""
    energy: float
    """Sum of squared values."""


def first_order(values: NDArray[np.floating], mask: NDArray[np.bool_], bin_width: float = BIN_WIDTH) -> FirstOrder:
    """Statistics of the values inside a mask; values that are not finite are left out.

    Args:
        values: Any shape.
        mask: The same shape.
        bin_width: Of entropy and uniformity, in the unit of the values; bins start at multiples of it.

    Raises:
        InputError: Shapes differ, or the bin width is not above 0.
        NotMeasurable: No finite value lies inside the mask.
    """
    if values.shape != mask.shape:
        raise InputError(f"Values of shape {values.shape} and a mask of shape {mask.shape} do not fit.")
    if not bin_width > 0:
        raise InputError("The width of the bins is above 0.")
    inside = np.asarray(values[mask], np.float64)
    inside = inside[np.isfinite(inside)]
    if not inside.size:
        raise NotMeasurable("No value lies inside the mask.")
    low, lower, median, upper, high = (float(v) for v in np.percentile(inside, (10, 25, 50, 75, 90)))
    mean = float(inside.mean())
    off = inside - mean
    variance = float(np.square(off).mean())
    middle = inside[(inside >= low) & (inside <= high)]
    bins = np.floor(inside / bin_width).astype(np.int64)
    shares = np.bincount(bins - bins.min()) / inside.size
    shares = shares[shares > 0]
    return FirstOrder(
        count=int(inside.size),
        mean=mean,
        deviation=variance**0.5,
        median=median,
        minimum=float(inside.min()),
        maximum=float(inside.max()),
        percentile_10=low,
        percentile_90=high,
        interquartile_range=upper - lower,
        mean_absolute_deviation=float(np.abs(off).mean()),
        robust_mean_absolute_deviation=float(np.abs(middle - middle.mean()).mean()),
        skewness=float((off**3).mean() / variance**1.5) if variance else 0.0,
        kurtosis=float((off**4).mean() / variance**2) if variance else 0.0,
        entropy=float(-(shares * np.log2(shares)).sum()),
        uniformity=float(np.square(shares).sum()),
        energy=float(np.square(inside).sum()),
    )
