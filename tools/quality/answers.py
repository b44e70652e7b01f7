"""From a quality report to what it says of the quality concepts of the knowledge graph.

`underexposed_film` and `overexposed_film` follow the words of screen-film radiography (an underexposed film is too
bright, an overexposed one too dark) and refer to the grey levels as stored: a digital detector's display processing
can hide either, so `absent` means "the stored levels are in the usual range", no more. `cropped_film` is about the
sides; `absent` does not tell that apices and diaphragm are complete.
`rotated_film` is not answered here: the tilt is measured on the anatomy by `film_rotation`.
"""

from secondread.schema.evidence import Polarity, QualityReport
from secondread.tools.quality.ranges import ranges

SURE = 0.9
"""Pose scores beyond this (or below one minus it) are read as present (absent); between, as uncertain."""

BEYOND = {
    "underexposed_film": ("exposure", 1),
    "overexposed_film": ("exposure", -1),
    "low_contrast_film": ("contrast", -1),
    "blurred_film": ("sharpness", -1),
    "noisy_film": ("noise", 1),
    "clipped_grey_values": ("clipping", 1),
    "cropped_film": ("cropping", 1),
}
"""Concept -> attribute, and the side of its ok range (1 above, -1 below) that the concept stands for."""


def answers(report: QualityReport) -> dict[str, tuple[Polarity, str]]:
    """Concept id -> (polarity, name of the attribute it rests on; empty for the overall grade)."""
    said: dict[str, tuple[Polarity, str]] = {
        "poor_image_quality": (
            {"ok": "absent", "limited": "uncertain", "reject": "present"}[report.overall],  # type: ignore[dict-item]  # values of the literal
            "",
        )
    }
    for concept, (name, wanted) in BEYOND.items():
        attribute = report.get(name)
        if attribute is None:
            said[concept] = ("uncertain", "")
        else:
            side = ranges().limits[name].side(attribute.value)
            said[concept] = ("present" if side == wanted else "absent", name)
    inversion = report.get("inversion")
    said["inverted_film"] = (_scored(inversion.value), "inversion") if inversion else ("uncertain", "")
    return said


def _scored(score: float) -> Polarity:
    if score > SURE:
        return "present"
    return "absent" if score < 1.0 - SURE else "uncertain"
