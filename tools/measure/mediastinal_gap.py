"""Gap between the lung masks above the heart."""

from collections.abc import Mapping

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Measurement, Measurements
from secondread.tools.base import Card, Context, tool
from secondread.tools.measure.chest_masks import ChestRequest, border_caveats, chest_masks, sample_spread
from secondread.tools.measure.geometry import Mask, gap_between, horizontal_extent, vertical_extent

NAME = "lung_mask_gap_above_heart"
APEX_SHARE = 0.10
"""Share of the way from the lower apex to the heart that is passed over: the lungs taper there."""

CARD = Card(
    name="mediastinal_gap",
    version="1.0",
    summary="Gap between the lung masks above the heart, as a share of the thorax width; a hint, no mediastinal width.",
    kind="measurement",
    establishes=(NAME,),
    modality=("CR", "DX"),
    views=("PA", "AP"),
    anatomy="chest",
    needs=("chest_anatomy",),
    cost_seconds=0.05,
    limits=("It is bounded by lung masks, not by the mediastinum: it hints at its width and decides nothing.",),
)


def gap_share(masks: Mapping[str, Mask]) -> tuple[float, float, int]:
    """Median gap between the lungs between apices and heart.

    Args:
        masks: `right_lung`, `left_lung` and `heart`.

    Returns:
        Gap over thorax width; gap in pixels; a row that shows it.

    Raises:
        NotMeasurable: No row above the heart holds both lungs.
    """
    right, left = masks["right_lung"], masks["left_lung"]
    apex = max(vertical_extent(right).first, vertical_extent(left).first)
    heart_top = vertical_extent(masks["heart"]).first
    found = gap_between(right, left, apex + round(APEX_SHARE * (heart_top - apex)), heart_top)
    if found is None:
        raise NotMeasurable("No row above the heart shows both lungs.")
    gap, row = found
    return gap / horizontal_extent(right | left).length, gap, row


@tool(CARD, request=ChestRequest, result=Measurements, summary=lambda result: summarise(result))
def mediastinal_gap(request: ChestRequest, ctx: Context) -> Measurements:
    """Gap between the lung masks above the heart, as a share of the thorax width; a hint, no mediastinal width."""
    film = chest_masks(request, ctx)
    value, gap, row = gap_share(film.masks)
    spread = sample_spread(film.regions, ctx, lambda masks: gap_share(masks)[0])
    right = film.masks["right_lung"][row]
    inner = float(right.shape[0] - 1 - right[::-1].argmax())
    caveats = ["gap between lung masks over thorax width, median over the rows above the heart"]
    spacing = film.info.spacing
    if spacing is not None:
        plane = " in the detector plane, magnified" if spacing.kind == "detector_plane" else ""
        caveats.append(f"{gap * spacing.column_mm:.0f} mm{plane}")
    return Measurements(
        items=(
            Measurement(
                name=NAME,
                value=value,
                spread=spread.within,
                landmarks=(
                    film.point(inner + 0.5, row, "gap_image_left"),
                    film.point(inner + 0.5 + gap, row, "gap_image_right"),
                ),
                surrogate_for="mediastinal_width",
                caveats=(
                    *caveats,
                    *border_caveats(film.masks, ("image_left", "image_right", "top")),
                    "uncalibrated: no interval",
                    *spread.caveats(),
                ),
            ),
        )
    )


def summarise(result: Measurements) -> str:
    """One line: the gap as a share of the thorax."""
    [item] = result.items
    return f"gap between the lung masks above the heart {item.value:.2f} of the thorax width (a hint, no verdict)"
