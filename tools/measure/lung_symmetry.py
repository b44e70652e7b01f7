"""How the two lungs compare in width, height and area."""

from collections.abc import Callable, Mapping
from math import exp, hypot

from secondread.schema.evidence import Interval, Measurement, Measurements
from secondread.tools.base import Card, Context, tool
from secondread.tools.measure.chest_masks import (
    ChestRequest,
    aspect_caveat,
    border_caveats,
    chest_masks,
    sample_spreads,
    side_caveat,
)
from secondread.tools.measure.geometry import Mask, horizontal_extent, vertical_extent

LUNGS = ("right_lung", "left_lung")
HEART_LEFT_OUT = "the masks leave out lung behind the heart, so the lung on the heart's side measures smaller"
NO_RANGE = "no normal range is given: none was found for lung masks of this convention"
EITHER_WAY = "a squeeze along rows or columns changes both lungs alike and leaves this ratio as it is"

LOG_SD: Mapping[str, float] = {"lung_width_ratio": 0.050, "lung_height_ratio": 0.066, "lung_area_ratio": 0.060}
"""Standard deviation of log(measured / drawn) over the 182 masked train films, each outlined by the network that has
not seen it. Means lie between -0.016 and -0.003 and are left in."""
METHOD = "log-normal error, standard deviation on out-of-fold masks of 182 films (Extended Wingspan CTR, train split)"

CARD = Card(
    name="lung_symmetry",
    version="1.1",
    summary="Right lung compared with left lung: ratios of width, height and area.",
    kind="measurement",
    establishes=("lung_width_ratio", "lung_height_ratio", "lung_area_ratio"),
    modality=("CR", "DX"),
    views=("PA", "AP"),
    anatomy="chest",
    needs=("chest_anatomy",),
    cost_seconds=0.1,
    limits=("Ratios of the visible lung fields; they decide nothing by themselves.",),
)


def interval_of(name: str, value: float, spread: float | None) -> Interval:
    """The 0.90 interval of a ratio: the error of the masks, and what they waver on this film."""
    log_sd = hypot(LOG_SD[name], (spread or 0.0) / value)
    return Interval(low=value * exp(-1.645 * log_sd), high=value * exp(1.645 * log_sd), level=0.90, method=METHOD)


def width_ratio(masks: Mapping[str, Mask]) -> float:
    """Width of the right lung over that of the left, by bounding columns."""
    return horizontal_extent(masks["right_lung"]).length / horizontal_extent(masks["left_lung"]).length


def height_ratio(masks: Mapping[str, Mask]) -> float:
    """Height of the right lung over that of the left, by bounding rows."""
    return vertical_extent(masks["right_lung"]).length / vertical_extent(masks["left_lung"]).length


def area_ratio(masks: Mapping[str, Mask]) -> float:
    """Pixels of the right lung over those of the left."""
    return float(masks["right_lung"].sum()) / max(float(masks["left_lung"].sum()), 1.0)


MEASURES: Mapping[str, tuple[Callable[[Mapping[str, Mask]], float], tuple[str, ...]]] = {
    "lung_width_ratio": (width_ratio, ("image_left", "image_right")),
    "lung_height_ratio": (height_ratio, ("top", "bottom")),
    "lung_area_ratio": (area_ratio, ("image_left", "image_right", "top", "bottom")),
}


@tool(CARD, request=ChestRequest, result=Measurements, summary=lambda result: summarise(result))
def lung_symmetry(request: ChestRequest, ctx: Context) -> Measurements:
    """Right lung compared with left lung: ratios of width, height and area."""
    film = chest_masks(request, ctx, LUNGS)
    aspect = aspect_caveat(film.info)
    spreads = sample_spreads(film.regions, ctx, [measure for measure, _ in MEASURES.values()], LUNGS)
    items = []
    for (name, (measure, sides)), spread in zip(MEASURES.items(), spreads, strict=True):
        squeezed = [f"{aspect}; {EITHER_WAY}"] if aspect and name != "lung_width_ratio" else []
        value = measure(film.masks)
        items.append(
            Measurement(
                name=name,
                value=value,
                interval=interval_of(name, value, spread.within),
                spread=spread.within,
                caveats=(
                    *border_caveats(film.masks, sides),
                    *squeezed,
                    side_caveat(film.regions),
                    HEART_LEFT_OUT,
                    NO_RANGE,
                    *spread.caveats(),
                ),
            )
        )
    return Measurements(items=tuple(items))


def summarise(result: Measurements) -> str:
    """One line: the three ratios."""
    said = ", ".join(f"{i.name.split('_')[1]} {i.value:.2f}" for i in result.items)
    return f"right lung over left lung: {said}"
