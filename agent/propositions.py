"""A parsed question as propositions for the loop."""

from secondread.agent.planners.base import Proposition
from secondread.kg.asked import Asked, Question
from secondread.kg.questions import SIMILAR_CASES, STUDY_CONTENTS
from secondread.schema.evidence import Polarity

FILM_FREE = ("listing", "knowledge")
"""Kinds that are answered without looking at an image."""
ABOUT_IMAGE = (STUDY_CONTENTS, SIMILAR_CASES, "zoom_tool", "window_tool", "contrast_tool")
"""Tools asked for by name that take an image all the same."""


def propositions(question: Question) -> list[Proposition]:
    """One proposition per asked item, in the order asked."""
    return [
        Proposition(
            id=f"P{number}",
            concept=one.concept,
            kind=one.kind,
            asked=_asked(one),
            structure=one.structure,
            laterality=one.laterality,
            threshold=one.threshold,
        )
        for number, one in enumerate(question.asked, 1)
    ]


def _asked(one: Asked) -> Polarity:
    """A yes to "below 0.45?" says that the ratio does not lie above 0.45."""
    return "absent" if one.direction == "below" and one.threshold is not None else one.polarity


def needs_image(question: Question) -> bool:
    """Whether anything asked is about the image itself, or about the study it came with."""
    return any(a.kind not in FILM_FREE or a.concept in ABOUT_IMAGE for a in question.asked)
