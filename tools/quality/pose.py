"""Which way up, which way round the grey levels, and how much is missing at the sides of a chest film.

A film shrunk to 16 x 16 and standardised is compared with one weight map under the four quarter turns and both signs
of grey; the softmax over these eight readings is the score. A second, linear map estimates the share of the width
that was cut off at a side. Both are fitted by `training/film_pose.py` on frontal chest films only: on anything else
the answers mean nothing.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.record import Record
from secondread.tools.quality.grid import Grey

SIDE = 16
SURE = 0.95
"""An upright film is set right before its sides are judged only when it reads as inverted with this score."""
WEIGHTS = Path(__file__).with_name("pose.json")


class Pose(Record):
    """Scores of the eight readings of a film, summed up; sigmoid-like, not calibrated."""

    inverted: float
    """Score that grey levels are inverted (air bright), 0 to 1."""
    turned: float
    """Score that the film is turned by 90, 180 or 270 degrees, 0 to 1."""
    quarter_turns: int
    """Quarter turns counter-clockwise that would set the film upright, by the best reading."""
    missing: float
    """Estimated share of the width that was cut off at the worse side, 0 to 1; means nothing on a turned film."""


def features(film: Grey) -> NDArray[np.float64]:
    """A film as `SIDE` x `SIDE` standardised means.

    Returns:
        Shape (SIDE, SIDE), mean 0 and standard deviation 1; all zero for a flat film.
    """
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(film, dtype=np.float32)).resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR
    )
    values = np.asarray(small, dtype=np.float64)
    deviation = float(values.std())
    return (values - values.mean()) / deviation if deviation > 1e-6 else np.zeros((SIDE, SIDE))


def readings(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the eight readings.

    Args:
        values: `features` of a film.
        weights: The weight map, same shape.

    Returns:
        Shape (4, 2): quarter turns that set the film upright, by normal or inverted grey.
    """
    match = np.array([float(np.sum(np.rot90(values, k) * weights)) for k in range(4)])
    logits = np.stack([match, -match], axis=1)
    odds = np.exp(logits - logits.max())
    return np.asarray(odds / odds.sum())


class Maps(Record):
    """The shipped weight maps, each `SIDE` x `SIDE` in row order."""

    fitted_on: dict[str, int]
    data_sha256: str
    left_out_errors: dict[str, dict[str, float]]
    pose: tuple[float, ...]
    cut: tuple[float, ...]
    """For the image left; mirrored for the image right."""
    cut_offset: float


@cache
def maps() -> Maps:
    """The shipped weight maps."""
    return Maps.model_validate_json(WEIGHTS.read_text())


def missing(values: NDArray[np.float64], weights: NDArray[np.float64], offset: float) -> float:
    """Share of the width missing at the worse side of an upright, not inverted film, from its `features`."""
    left, right = (float(np.sum(v * weights)) for v in (values, values[:, ::-1]))
    return float(np.clip(max(left, right) + offset, 0.0, 1.0))


def pose(film: Grey) -> Pose:
    """Reading of a film on the common grid, padding removed."""
    stored = maps()
    values = features(film)
    scores = readings(values, np.reshape(stored.pose, (SIDE, SIDE)))
    inverted = float(scores[0, 1]) >= SURE
    return Pose(
        inverted=float(scores[:, 1].sum()),
        turned=float(np.clip(1.0 - scores[0].sum(), 0.0, 1.0)),
        quarter_turns=int(np.argmax(scores.sum(axis=1))),
        missing=missing(-values if inverted else values, np.reshape(stored.cut, (SIDE, SIDE)), stored.cut_offset),
    )
