"""Tilt of the chest in the plane of a frontal film."""

from math import sqrt

from secondread.schema.evidence import Interval, Measurement, Measurements, Threshold
from secondread.schema.region import Point
from secondread.tools.base import Card, Context, tool
from secondread.tools.measure.chest_masks import (
    ChestMasks,
    ChestRequest,
    aspect_caveat,
    border_caveats,
    chest_masks,
)
from secondread.tools.measure.geometry import Mask, centroid, long_axis
from secondread.tools.measure.symmetry_axis import WIDEST_DEGREES, mirror_axis

NAME = "in_plane_rotation"
LUNGS = ("right_lung", "left_lung")
READING_SD = 1.52
"""Standard deviation, in degrees, of the mean of the two readings, from how far they differ on real lungs (see the
interval's method); anatomy that tilts both readings alike is not in it."""
ENOUGH = 1024
"""Pixels along the long side of a film up to which all of them are read; of larger films every second, third .. row."""
METHOD = (
    "half the standard deviation of the difference between the long-axis and the mirror-axis reading, "
    "182 reference-masked training films; assumes a normal error"
)

LIMIT = Threshold(
    value=6.0,
    unit="deg",
    direction="above",
    concept="rotated_film",
    population="frontal chest film, tilt to either side",
    source="convention of this project: beyond the tilt of 98 % of 182 upright training films; no published limit",
)

CARD = Card(
    name="film_rotation",
    version="1.0",
    summary="Tilt of the chest in the plane of the film, in degrees, from the axes of the two lungs.",
    kind="measurement",
    establishes=(NAME, "rotated_film"),
    modality=("CR", "DX"),
    views=("PA", "AP"),
    anatomy="chest",
    needs=("chest_anatomy",),
    cost_seconds=0.1,
    limits=(
        "Turning of the patient about the long axis is not measured: that takes the clavicles.",
        f"Tilts beyond {WIDEST_DEGREES:.0f} degrees are not found.",
    ),
)


def tilt(right: Mask, left: Mask, row_to_column: float = 1.0) -> tuple[float, float]:
    """Two readings of the tilt of a lung pair.

    Args:
        right: The lung on the image left, shape (rows, columns), not empty.
        left: The lung on the image right.
        row_to_column: Distance between rows over distance between columns.

    Returns:
        Mean tilt of the lungs' long axes, and tilt of the axis about which the pair mirrors best; in degrees,
        positive when the upper end leans to the image right (turned clockwise). Both are exact for a drawn pair that
        is its own mirror image.
    """
    step = max(1, max(right.shape) // ENOUGH)
    if right[::step, ::step].any() and left[::step, ::step].any():
        right, left = right[::step, ::step], left[::step, ::step]
    axes = (long_axis(right, row_to_column) + long_axis(left, row_to_column)) / 2.0
    return axes, mirror_axis(right | left, row_to_column)[0]


@tool(CARD, request=ChestRequest, result=Measurements, summary=lambda result: summarise(result))
def film_rotation(request: ChestRequest, ctx: Context) -> Measurements:
    """Tilt of the chest in the plane of the film, in degrees, from the axes of the two lungs."""
    film = chest_masks(request, ctx, LUNGS)
    axes, mirror = tilt(film.masks["right_lung"], film.masks["left_lung"], film.row_to_column)
    value = (axes + mirror) / 2.0
    half = 1.645 * sqrt(READING_SD**2 + ((axes - mirror) / 2.0) ** 2)
    caveats = [
        "positive: turned clockwise on the image; turning of the patient about the long axis is not measured",
        f"two readings: long axes {axes:.1f}, mirror axis {mirror:.1f} deg",
        *border_caveats(film.masks, ("image_left", "image_right", "top", "bottom")),
    ]
    aspect = aspect_caveat(film.info)
    return Measurements(
        items=(
            Measurement(
                name=NAME,
                value=value,
                unit="deg",
                interval=Interval(low=value - half, high=value + half, level=0.90, method=METHOD),
                landmarks=_centres(film),
                threshold=LIMIT,
                caveats=(*caveats, *([aspect] if aspect else [])),
            ),
        )
    )


def _centres(film: ChestMasks) -> tuple[Point, ...]:
    return tuple(film.point(*centroid(film.masks[name]), f"{name}_centre") for name in LUNGS)


def summarise(result: Measurements) -> str:
    """One line: the tilt with its interval."""
    [item] = result.items
    text = f"tilt {item.value:.1f} deg (positive: clockwise)"
    if item.interval is not None:
        text += f", {item.interval.low:.1f} to {item.interval.high:.1f} at {item.interval.level:.0%}"
    return text
