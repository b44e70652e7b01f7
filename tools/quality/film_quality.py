"""Whether a chest film is good enough to be read, and what is wrong with it."""

import numpy as np

from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Grade, QualityAttribute, QualityReport
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.quality import measures
from secondread.tools.quality.grid import Grey, content, to_grid
from secondread.tools.quality.pose import pose
from secondread.tools.quality.ranges import LIMITED_CAP, graded

CARD = Card(
    name="film_quality",
    version="1.0",
    summary="Is a film usable: exposure, contrast, sharpness, noise, inversion, clipping, cropping, resolution.",
    kind="quality",
    establishes=(
        "poor_image_quality",
        "underexposed_film",
        "overexposed_film",
        "low_contrast_film",
        "blurred_film",
        "noisy_film",
        "clipped_grey_values",
        "inverted_film",
        "cropped_film",
    ),
    modality=("CR", "DX"),
    anatomy="chest",
    outside="caveat",
    cost_seconds=0.02,
    limits=(
        "Grey levels are judged as stored: display processing hides how a digital film was exposed.",
        "Cropping is judged at the sides only.",
        "Inversion, orientation and cropping assume a frontal chest film.",
    ),
)

BLANK = 0.01
"""Below this grey range nothing but the contrast is measured."""


class QualityRequest(ToolRequest):
    """The quality of one film."""


def measured(film: Grey) -> list[QualityAttribute]:
    """The attributes that rest on grey values.

    Args:
        film: Display grey, 0 to 1, any size; measured on a common small grid, so file size changes nothing.
    """
    grid = to_grid(film)
    if float(np.ptp(grid)) < BLANK:
        return [graded("contrast", float(np.ptp(grid)))]
    found, reach = pose(content(grid)), measures.contrast(grid)
    return [
        graded("exposure", measures.exposure(grid)),
        graded("contrast", reach),
        graded("clipping", measures.clipping(grid)),
        graded("sharpness", measures.sharpness(grid)),
        graded("noise", measures.noise(grid, reach)),
        graded("inversion", found.inverted),
        graded("orientation", found.turned),
        graded("cropping", found.missing),
        graded("text_burden", measures.text_burden(grid)),
    ]


def overall(attributes: list[QualityAttribute]) -> Grade:
    """The worst grade."""
    grades = {a.grade for a in attributes}
    return "reject" if "reject" in grades else "limited" if "limited" in grades else "ok"


def report(film: Grey, *, colour: bool = False) -> QualityReport:
    """The quality report of a film.

    Args:
        film: Display grey, 0 black to 1 white, shape (rows, columns).
        colour: The source had colour channels that differ.

    Raises:
        NotMeasurable: Pixels are not finite.
    """
    if not np.isfinite(film).all():
        raise NotMeasurable("The film has pixels that are not numbers.")
    rows, columns = film.shape
    attributes = [
        graded("resolution", float(min(rows, columns)), "px"),
        graded("aspect", columns / rows),
        graded("colour", float(colour)),
        *measured(film),
    ]
    grade = overall(attributes)
    return QualityReport(
        overall=grade,
        attributes=tuple(attributes),
        reasons=tuple(f"{a.name}: {a.reason}" for a in attributes if a.grade != "ok"),
        log_odds_cap=None if grade == "ok" else LIMITED_CAP,
    )


def summarise(result: QualityReport) -> str:
    """One line: the overall grade and what is wrong."""
    return f"film quality {result.overall}" + (f": {'; '.join(result.reasons)}" if result.reasons else "")


@tool(CARD, request=QualityRequest, result=QualityReport, summary=summarise)
def film_quality(request: QualityRequest, ctx: Context) -> QualityReport:
    """Is a film usable: exposure, contrast, sharpness, noise, inversion, clipping, cropping, resolution."""
    if request.image is None:
        raise NotMeasurable("The request names no image.")
    return report(ctx.pixels(request.image), colour=ctx.info(request.image).colour)
