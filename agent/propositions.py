"""A parsed question as propositions for the loop."""

from collections.abc import Sequence

from secondread.agent.planners.base import Proposition
from secondread.agent.serving import serving
from secondread.kg.asked import Asked, Question
from secondread.kg.graph import Graph
from secondread.kg.patterns import HERE
from secondread.kg.questions import IMAGE_KIND, IMAGE_PLANE, SIMILAR_CASES, STUDY_CONTENTS
from secondread.kg.reasoning.differential import tellable
from secondread.schema.evidence import Polarity
from secondread.tools.base import Card

FILM_FREE = ("listing", "knowledge")
"""Kinds that are answered without looking at an image."""
ABOUT_IMAGE = (IMAGE_KIND, IMAGE_PLANE, STUDY_CONTENTS, SIMILAR_CASES, "zoom_tool", "window_tool", "contrast_tool")
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


MAX_ASIDE = 6
"""Findings looked at for a question of what speaks for or against something."""


def asides(question: Question, cards: Sequence[Card], graph: Graph) -> list[Proposition]:
    """Findings to look for first, so that an explanation can be held against the image; none for other questions.

    They are the neighbours of what is asked about that an installed tool judges. They back the answer and never are
    its verdict.
    """
    if question.topic != "support" and not (question.topic == "causes" and HERE.search(question.text.lower())):
        return []
    near = dict.fromkeys(c for asked in question.concepts for c in tellable(graph, asked))
    found: list[Proposition] = []
    for concept in near:
        kind = graph.concept(concept).kind
        if kind in _LOOKED_AT and serving(concept, cards, graph, limits=False) and len(found) < MAX_ASIDE:
            number = len(question.asked) + len(found) + 1
            wanted = "quality" if kind == "quality" else "presence"
            found.append(Proposition.model_validate({"id": f"P{number}", "concept": concept, "kind": wanted}))
    return found


_LOOKED_AT = ("finding", "disease", "device", "quality", "view", "position", "population")


def is_aside(prop: Proposition, question: Question) -> bool:
    """Whether a proposition only backs the answer: of a question for knowledge it is not itself asked."""
    return question.topic in ("support", "causes") and int(prop.id[1:]) > len(question.asked)


def _asked(one: Asked) -> Polarity:
    """A yes to "below 0.45?" says that the ratio does not lie above 0.45."""
    return "absent" if one.direction == "below" and one.threshold is not None else one.polarity


def needs_image(question: Question) -> bool:
    """Whether anything asked is about the image itself, or about the study it came with."""
    return any(a.kind not in FILM_FREE or a.concept in ABOUT_IMAGE for a in question.asked)
