"""Which tools serve a concept, and which gates an image has to pass before their word counts."""

from collections.abc import Iterable, Sequence

from secondread.kg.graph import Graph
from secondread.kg.reason import assessments, limits_of
from secondread.schema.image import ImageInfo
from secondread.tools.base import Card
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.runtime import outside_validity, wrong_dimension


def serving(concept: str, cards: Sequence[Card], graph: Graph, *, limits: bool) -> list[str]:
    """Names of the tools that establish a concept or a measurement by which it is assessed.

    Args:
        concept: What is asked about.
        cards: Tools on offer.
        graph: Says how the concept is assessed.
        limits: Also name the tools that check what limits these measurements, as a verdict needs.
    """
    direct = [c.name for c in cards if concept in c.establishes]
    measurements = [a.measurement for a in assessments(graph, concept)]
    if direct:
        measurements.append(concept)
    names = list(direct)
    for measurement in measurements:
        names += [c.name for c in cards if measurement in c.establishes]
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


def fits(card: Card, info: ImageInfo) -> bool:
    """Whether a tool takes an image at all; outside its validity it may still do so, with a caveat."""
    if wrong_dimension(card, info):
        return False
    return card.outside != "not_applicable" or not outside_validity(card, info)
