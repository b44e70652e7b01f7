"""Surrogates for depth of inspiration and for turning of the patient: support only, never a verdict."""

from collections.abc import Mapping

from secondread.schema.evidence import Measurement, Measurements
from secondread.tools.base import Card, Context, tool
from secondread.tools.measure.chest_masks import (
    ChestMasks,
    ChestRequest,
    Spread,
    aspect_caveat,
    border_caveats,
    chest_masks,
    sample_spreads,
    side_caveat,
)
from secondread.tools.measure.geometry import Mask, horizontal_extent, vertical_extent

INSPIRATION, OBLIQUITY = "inspiration", "obliquity"
LUNGS = ("right_lung", "left_lung")
SUPPORT_ONLY = "surrogate: supports, decides nothing; no cut-off is given"

CARD = Card(
    name="inspiration",
    version="1.0",
    summary="Hints at depth of inspiration (lung height over thorax width) and at a turned patient (width asymmetry).",
    kind="measurement",
    establishes=(INSPIRATION, OBLIQUITY),
    modality=("CR", "DX"),
    views=("PA", "AP"),
    anatomy="chest",
    needs=("chest_anatomy",),
    cost_seconds=0.05,
    limits=("Body build and disease change both numbers as much as breathing and turning do.",),
)


def height_over_width(masks: Mapping[str, Mask], row_to_column: float = 1.0) -> float:
    """Mean lung height over thorax width."""
    heights = [vertical_extent(masks[name]).length for name in LUNGS]
    thorax = horizontal_extent(masks["right_lung"] | masks["left_lung"]).length
    return sum(heights) / 2.0 * row_to_column / thorax


def width_asymmetry(masks: Mapping[str, Mask]) -> float:
    """(Right lung width - left lung width) / (their sum): 0 when alike, positive when the right one is wider."""
    right, left = (horizontal_extent(masks[name]).length for name in LUNGS)
    return (right - left) / (right + left)


@tool(CARD, request=ChestRequest, result=Measurements, summary=lambda result: summarise(result))
def inspiration(request: ChestRequest, ctx: Context) -> Measurements:
    """Hints at depth of inspiration (lung height over thorax width) and at a turned patient (width asymmetry)."""
    film = chest_masks(request, ctx, LUNGS)
    spread, of_height = sample_spreads(
        film.regions, ctx, (width_asymmetry, lambda masks: height_over_width(masks, film.row_to_column)), LUNGS
    )
    turned = Measurement(
        name=OBLIQUITY,
        value=width_asymmetry(film.masks),
        spread=spread.within,
        surrogate_for=OBLIQUITY,
        caveats=(
            "(right lung width - left lung width) / (sum of both)",
            SUPPORT_ONLY,
            "the heart leaves the lung on its side narrower even on a straight film",
            side_caveat(film.regions),
            *border_caveats(film.masks, ("image_left", "image_right")),
            *spread.caveats(),
        ),
    )
    return Measurements(items=(_breath(film, of_height), turned))


def _breath(film: ChestMasks, spread: Spread) -> Measurement:
    if film.info.squeezed:
        return Measurement(
            name=INSPIRATION,
            surrogate_for=INSPIRATION,
            not_measurable="the film has lost its aspect ratio, so height and width do not compare",
        )
    aspect = aspect_caveat(film.info)
    return Measurement(
        name=INSPIRATION,
        value=height_over_width(film.masks, film.row_to_column),
        spread=spread.within,
        surrogate_for=INSPIRATION,
        caveats=(
            "mean lung height / thorax width",
            SUPPORT_ONLY,
            *([aspect] if aspect else []),
            *border_caveats(film.masks, ("image_left", "image_right", "top", "bottom")),
            *spread.caveats(),
        ),
    )


def summarise(result: Measurements) -> str:
    """One line: both surrogates."""
    breath, turned = result.items
    height = f"{breath.value:.2f}" if breath.value is not None else f"not measurable ({breath.not_measurable})"
    return f"lung height over thorax width {height}, lung width asymmetry {turned.value:+.2f} (hints, no verdict)"
