"""Which tools serve a concept, and which gates an image has to pass before their word counts."""

from collections.abc import Iterable, Mapping, Sequence

from secondread.kg.graph import Graph
from secondread.kg.reading import OF_ANY
from secondread.kg.reason import assessments, limits_of
from secondread.schema.image import ImageInfo
from secondread.tools.base import Card
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.runtime import outside_validity, wrong_dimension

ANY_STRUCTURE = "marked_region"
"""A tool that establishes this measures whatever structure it is given."""


GIVEN = "given_masks"
"""The tool that enters outlines of the caller."""


def measures(card: Card, measurement: str, structure: str | None) -> bool:
    """Whether a tool takes this measurement of this structure; only measures that any structure has are told apart."""
    if structure is None or measurement not in OF_ANY:
        return True
    return structure in card.establishes or ANY_STRUCTURE in card.establishes


def serving(
    concept: str, cards: Sequence[Card], graph: Graph, *, limits: bool, structure: str | None = None
) -> list[str]:
    """Names of the tools that establish a concept or a measurement by which it is assessed.

    Args:
        concept: What is asked about.
        cards: Tools on offer.
        graph: Says how the concept is assessed.
        limits: Also name the tools that check what limits these measurements, as a verdict needs.
        structure: What is to be measured, for measures that any structure has.
    """
    if structure is None and graph.has(concept) and graph.concept(concept).kind == "anatomy":
        structure = concept
    direct = [c.name for c in cards if concept in c.establishes and measures(c, concept, structure)]
    measurements = [a.measurement for a in assessments(graph, concept)]
    if direct:
        measurements.append(concept)
    names = list(direct)
    for measurement in measurements:
        names += [c.name for c in cards if measurement in c.establishes and measures(c, measurement, structure)]
        for limit in limits_of(graph, measurement) if limits else ():
            for found in assessments(graph, limit.object):
                names += [c.name for c in cards if found.measurement in c.establishes]
    return list(dict.fromkeys(names))


def gates_of(names: Iterable[str], catalogue: Catalogue) -> tuple[str, ...]:
    """Installed gates of these tools and of the tools they need, each once."""
    found: list[str] = []
    queue, seen = list(names), set[str]()
    while queue:
        name = queue.pop(0)
        if name in seen or name not in catalogue:
            continue
        seen.add(name)
        card = catalogue.get(name).card
        found += [gate for gate in card.gates if gate in catalogue]
        queue.extend(card.needs)
    return tuple(dict.fromkeys(found))


def wants_film(concepts: Iterable[str], catalogue: Catalogue, graph: Graph) -> bool:
    """Whether these concepts are judged on films behind gates, or by no tool at all."""
    cards = catalogue.cards()
    for concept in concepts:
        names = serving(concept, cards, graph, limits=False)
        if not names or gates_of(names, catalogue):
            return True
    return False


def lacks_outline(card: Card, given: Mapping[str, object]) -> bool:
    """Whether a tool measures outlines of the caller and none was given."""
    return GIVEN in card.needs and GIVEN not in given


def fits(card: Card, info: ImageInfo) -> bool:
    """Whether a tool takes an image at all; outside its validity it may still do so, with a caveat."""
    if wrong_dimension(card, info):
        return False
    return card.outside != "not_applicable" or not outside_validity(card, info)


def outside(card: Card, info: ImageInfo) -> str | None:
    """Why an image lies outside of what a tool takes, or None."""
    return wrong_dimension(card, info) or outside_validity(card, info)
