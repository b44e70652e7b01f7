"""Cardiothoracic ratio on a frontal chest radiograph."""

from collections.abc import Mapping

from secondread.schema.evidence import Interval, Measurement, Measurements, Threshold
from secondread.schema.image import ImageInfo
from secondread.schema.region import Point
from secondread.tools.base import Card, Context, tool
from secondread.tools.measure.chest_masks import (
    ChestMasks,
    ChestRequest,
    Spread,
    border_caveats,
    chest_masks,
    sample_spread,
)
from secondread.tools.measure.error_model import error_model, record, records
from secondread.tools.measure.geometry import Extent, Mask, horizontal_extent

NAME = "cardiothoracic_ratio"
THRESHOLD = Threshold(
    value=0.50,
    unit="1",
    direction="above",
    concept="enlarged_cardiac_silhouette",
    population="adult, upright PA film",
    source="Danzer CS, The cardiothoracic ratio, Am J Med Sci 1919;157:513",
)
CONVENTION = "thorax width is that of the two lung masks (bounding columns), close to the inner rib margin"

CARD = Card(
    name=NAME,
    version="1.0",
    summary="Heart size on a frontal chest film: widest heart over widest thorax, and both widths.",
    kind="measurement",
    establishes=(NAME, "heart_width", "thorax_width"),
    modality=("CR", "DX"),
    views=("PA",),
    population="adult",
    anatomy="chest",
    outside="caveat",
    needs=("chest_anatomy",),
    cost_seconds=0.05,
    limits=(
        "An AP or supine film magnifies the heart; the ratio is then too high.",
        "It tells the size of the shadow: fat pads and effusions widen it too.",
    ),
    calibration=records(NAME),
)


def heart_and_thorax(masks: Mapping[str, Mask]) -> tuple[Extent, Extent]:
    """Bounding columns of the heart and of both lungs together.

    Args:
        masks: `heart`, `right_lung` and `left_lung`, each of shape (rows, columns).

    Raises:
        NotMeasurable: A structure is empty.

    Source:
        Danzer, Am J Med Sci 1919;157:513, with the lungs' outer borders for the inner rib margin.
    """
    return horizontal_extent(masks["heart"]), horizontal_extent(masks["right_lung"] | masks["left_lung"])


def ratio(masks: Mapping[str, Mask]) -> float:
    """Widest heart over widest thorax."""
    heart, thorax = heart_and_thorax(masks)
    return heart.length / thorax.length


def border_points(film: ChestMasks, name: str, extent: Extent) -> tuple[Point, Point]:
    """The outer edges of an extent, as landmarks `<name>_image_left` and `<name>_image_right`."""
    return (
        film.point(extent.first - 0.5, extent.at_first, f"{name}_image_left"),
        film.point(extent.last + 0.5, extent.at_last, f"{name}_image_right"),
    )


def width_item(film: ChestMasks, name: str, extent: Extent, landmarks: tuple[Point, ...]) -> Measurement:
    """A width in mm when the film has a spacing, else in pixels."""
    spacing = film.info.spacing
    if spacing is None:
        told = ("no pixel spacing: mm cannot be given",)
        return Measurement(name=name, value=float(extent.length), unit="px", landmarks=landmarks, caveats=told)
    caveats = (f"spacing from {spacing.source}",)
    if spacing.kind == "detector_plane":
        caveats = (f"detector plane, magnified: the width of the shadow ({spacing.source})",)
    return Measurement(
        name=name, value=extent.length * spacing.column_mm, unit="mm", landmarks=landmarks, caveats=caveats
    )


def interval_of(value: float, spread: Spread, uncertainty: float | None) -> tuple[Interval | None, list[str]]:
    """The calibrated interval, or None with the reason as a caveat."""
    model, calibration = error_model(NAME), record(NAME)
    if model is None or calibration is None:
        return None, ["uncalibrated: no error model is installed, so no interval"]
    if spread.within is None:
        return None, ["no mask samples, so no interval"]
    method = f"{calibration.method}; {calibration.data}"
    told: list[str] = []
    if model.outside(uncertainty):
        told.append("the masks are less sure than those the error model was fitted on: the interval may be too narrow")
    return model.interval(value, spread.within, method, uncertainty), told


def view_caveats(info: ImageInfo) -> list[str]:
    """What the film's view and age leave open for the threshold."""
    told = []
    if info.view == "UNKNOWN":
        told.append("view unknown: not read as PA")
    if info.view == "AP" or info.position == "supine" or info.portable:
        told.append("AP, supine or portable film: the heart is magnified")
    if info.age_years is not None and info.age_years < 18:
        told.append("under 18 years: the threshold holds for adults")
    return told


@tool(CARD, request=ChestRequest, result=Measurements, summary=lambda result: summarise(result))
def cardiothoracic_ratio(request: ChestRequest, ctx: Context) -> Measurements:
    """Heart size on a frontal chest film: widest heart over widest thorax, and both widths."""
    film = chest_masks(request, ctx)
    heart, thorax = heart_and_thorax(film.masks)
    value = heart.length / thorax.length
    spread = sample_spread(film.regions, ctx, ratio)
    interval, caveats = interval_of(value, spread, film.regions.network_uncertainty)
    heart_points = border_points(film, "heart", heart)
    thorax_points = border_points(film, "thorax", thorax)
    cut = border_caveats(film.masks, ("image_left", "image_right"))
    return Measurements(
        items=(
            Measurement(
                name=NAME,
                value=value,
                interval=interval,
                spread=spread.within,
                spread_between=spread.between,
                uncertainty=film.regions.network_uncertainty,
                landmarks=heart_points + thorax_points,
                threshold=THRESHOLD,
                caveats=(*cut, *view_caveats(film.info), *caveats, *spread.caveats(), CONVENTION),
            ),
            width_item(film, "heart_width", heart, heart_points),
            width_item(film, "thorax_width", thorax, thorax_points),
        )
    )


def summarise(result: Measurements) -> str:
    """One line: the ratio with its interval, and the widths."""
    first, heart, thorax = result.items
    text = f"cardiothoracic ratio {first.value:.2f}"
    if first.interval is not None:
        text += f" ({first.interval.low:.2f} to {first.interval.high:.2f}, {first.interval.level:.0%})"
    return f"{text}; heart {heart.value:.0f} {heart.unit}, thorax {thorax.value:.0f} {thorax.unit}"
