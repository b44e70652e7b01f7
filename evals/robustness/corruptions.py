"""Corruptions of each modality at severities 1 to 5, through MONAI's array transforms.

Strengths were set before any expert was run on them: 1 is barely visible, 5 leaves little of the picture's detail. Each
is relative to the grey range 0..1 and to the shorter side of the image, so that it means the same for every size.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import UsageError

Pixels = NDArray[np.float32]
SEVERITIES = (1, 2, 3, 4, 5)
STRENGTHS: dict[str, tuple[float, ...]] = {
    "noise": (0.02, 0.04, 0.08, 0.12, 0.18),  # standard deviation, Gaussian
    "rician_noise": (0.02, 0.04, 0.08, 0.12, 0.18),  # standard deviation, magnitude MR
    "blur": (0.002, 0.004, 0.007, 0.011, 0.016),  # standard deviation in sides
    "low_resolution": (0.6, 0.4, 0.28, 0.2, 0.14),  # zoom before it is enlarged again
    "low_contrast": (0.85, 0.7, 0.55, 0.4, 0.25),  # factor about the mean
    "gamma": (1.25, 1.6, 2.0, 2.6, 3.4),  # exponent of the grey values
    "illumination": (0.1, 0.2, 0.35, 0.5, 0.7),  # coefficient of a smooth field of degree 3
    "occlusion": (0.06, 0.1, 0.15, 0.2, 0.28),  # side of each of three dropped squares
    "gibbs": (0.2, 0.35, 0.5, 0.65, 0.8),  # share of k-space that is cut
}
OF_MODALITY: dict[str, tuple[str, ...]] = {
    "x-ray": ("noise", "blur", "low_resolution", "low_contrast", "gamma", "occlusion"),
    "microscopy": ("noise", "blur", "low_resolution", "low_contrast", "gamma", "illumination"),
    "fundus": ("noise", "blur", "low_resolution", "low_contrast", "gamma", "illumination"),
    "ultrasound": ("noise", "blur", "low_resolution", "low_contrast", "gamma", "occlusion"),
    "mr": ("rician_noise", "blur", "low_resolution", "low_contrast", "illumination", "gibbs"),
}


def corrupted(pixels: Pixels, name: str, severity: int, key: str) -> Pixels:
    """The image with one corruption.

    Args:
        pixels: float32 in 0..1, (rows, columns), (rows, columns, 3) or (i, j, k); the last axis of length 3 is colour.
        name: Of `STRENGTHS`.
        severity: 1 to 5.
        key: Of the image; equal keys get equal noise.

    Returns:
        float32 in 0..1, same shape.

    Raises:
        UsageError: There is no such corruption or severity.
    """
    if name not in STRENGTHS or severity not in SEVERITIES:
        raise UsageError(
            f"There is no corruption {name} of severity {severity}.", hint=f"Names: {', '.join(STRENGTHS)}."
        )
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    channels = np.moveaxis(pixels, 2, 0) if colour else pixels[None]
    strength = STRENGTHS[name][severity - 1]
    side = min(channels.shape[1:3])
    seed = zlib.crc32(f"{key}/{name}/{severity}".encode())
    found = np.asarray(
        _transform(name, strength, side, seed, channels.ndim - 1)(channels.astype(np.float32)), np.float32
    )
    clipped = np.clip(found, 0.0, 1.0)
    return np.ascontiguousarray(np.moveaxis(clipped, 0, 2) if colour else clipped[0])


def _transform(name: str, strength: float, side: int, seed: int, dimension: int) -> Callable[[Pixels], Any]:
    """The MONAI transform of one corruption, its chance fixed."""
    from monai import transforms as t

    smooth = "trilinear" if dimension == 3 else "bilinear"
    made: dict[str, Callable[[], Any]] = {
        "noise": lambda: t.RandGaussianNoise(prob=1.0, std=strength, sample_std=False),
        "rician_noise": lambda: t.RandRicianNoise(prob=1.0, std=strength, sample_std=False),
        "blur": lambda: t.GaussianSmooth(sigma=strength * side),
        "low_resolution": lambda: t.RandSimulateLowResolution(
            prob=1.0, zoom_range=(strength, strength), upsample_mode=smooth
        ),
        "gamma": lambda: t.AdjustContrast(gamma=strength),
        "illumination": lambda: t.RandBiasField(degree=3, coeff_range=(strength, strength), prob=1.0),
        "occlusion": lambda: t.RandCoarseDropout(
            holes=3, spatial_size=max(1, round(strength * side)), fill_value=0.0, prob=1.0
        ),
        "gibbs": lambda: t.GibbsNoise(alpha=strength),
    }
    if name == "low_contrast":
        return lambda x: (x - x.mean()) * strength + x.mean()
    found = made[name]()
    if isinstance(found, t.Randomizable):
        found.set_random_state(seed=seed)
    return found  # type: ignore[no-any-return]  # monai has no types
