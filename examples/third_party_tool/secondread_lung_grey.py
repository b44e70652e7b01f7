"""Mean grey of both lungs on a frontal chest film, and their difference."""

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Measurement, Measurements, Regions
from secondread.tools.base import Card, Context, ToolRequest, tool

CARD = Card(
    name="lung_grey",
    version="1",
    summary="Compare how bright the two lungs are on a frontal chest film: mean grey of each, and right minus left.",
    kind="measurement",
    establishes=("right_lung_grey", "left_lung_grey", "lung_grey_difference"),
    modality=("CR", "DX", "RG"),
    views=("PA", "AP"),
    anatomy="chest",
    # The runtime runs this tool first, once however many tools need it, and fills the field of this name in.
    needs=("chest_anatomy",),
    gates=("film_quality", "chest_film_guard"),
    cost_seconds=0.01,
    # The outlines come from networks, whose sums differ in the last digits between processors.
    tolerance=1e-3,
    limits=(
        "Display grey depends on exposure and processing: compare the sides of one film, never two films.",
        "A turned patient makes one lung brighter than the other without any disease.",
    ),
)
CAVEATS = ("display grey from 0 (black) to 1 (white), not calibrated",)


class LungGreyRequest(ToolRequest):
    """A frontal chest film with its outlined lungs."""

    chest_anatomy: str
    """Id of the chest anatomy evidence."""


@tool(CARD, request=LungGreyRequest, result=Measurements, summary=lambda result: summarise(result))
def lung_grey(request: LungGreyRequest, ctx: Context) -> Measurements:
    """Compare how bright the two lungs are on a frontal chest film.

    Raises:
        NotMeasurable: The outlines are implausible, or a lung was not found.
    """
    assert request.image is not None, "the card says that an image is required"
    anatomy = ctx.evidence(request.chest_anatomy).result
    if not isinstance(anatomy, Regions) or not anatomy.plausible:
        raise NotMeasurable("The outlines of the lungs are not plausible.", hint="Look at the quality report.")
    pixels = ctx.pixels(request.image)
    greys = {}
    for side in ("right_lung", "left_lung"):
        outline = anatomy.masks.get(side)
        if outline is None or not outline.pixels:
            raise NotMeasurable(f"No {side.replace('_', ' ')} was found.")
        greys[side] = float(pixels[ctx.mask(outline)].mean())
    difference = greys["right_lung"] - greys["left_lung"]
    return Measurements(
        items=(
            Measurement(name="right_lung_grey", value=greys["right_lung"], caveats=CAVEATS),
            Measurement(name="left_lung_grey", value=greys["left_lung"], caveats=CAVEATS),
            Measurement(name="lung_grey_difference", value=difference, caveats=CAVEATS),
        )
    )


def summarise(result: Measurements) -> str:
    """One line: both greys and their difference."""
    right, left, difference = result.items
    return f"right lung {right.value:.3f}, left lung {left.value:.3f}, right minus left {difference.value:+.3f}"
