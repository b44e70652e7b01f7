"""Whether a set of statements can hold together, and where a graph speaks with two tongues."""

from collections.abc import Mapping

from secondread.kg.reasoning.source import Source, entails, qualifier, triple
from secondread.schema.evidence import GraphEdge
from secondread.schema.record import Record

SOFT = ("lesion", "side")
"""Exclusions that hold for one lesion or one side only, so that an image may show both."""
AFFIRMING = ("is_a", "isa", "implies", "seen_as", "suggests", "may_indicate")
DENYING = ("excludes",)
MAX_CONCEPTS = 2000
"""Most concepts that are inferred from a set of statements."""


class Broken(Record):
    """One edge that a set of statements breaks."""

    edge: GraphEdge
    triple: str
    because: tuple[GraphEdge, ...] = ()
    """Edges by which its ends follow from what was said; empty when both were said."""
    said: tuple[str, ...] = ()
    """The statements it rests on, as concept ids."""

    @property
    def text(self) -> str:
        """The edge in words, after what leads to it."""
        return " ".join(e.text for e in (*self.because, self.edge))


class Contradiction(Record):
    """Edges between two concepts that say opposite things. They are shown side by side and never averaged."""

    subject: str
    object: str
    affirming: tuple[GraphEdge, ...]
    denying: tuple[GraphEdge, ...]

    @property
    def triples(self) -> tuple[str, ...]:
        """Ids of all its edges."""
        return tuple(triple(e) for e in (*self.affirming, *self.denying))


def check_claims(source: Source, said: Mapping[str, str]) -> list[Broken]:
    """Edges that statements break together, with all that follows strictly from them.

    A present concept makes what it is a kind of, and what it strictly implies, present; an absent one makes its kinds
    absent. `a excludes b` is broken when both are present, a strict implication when only its subject is.

    Args:
        source: The graph.
        said: Concept id -> `present`, `absent` or `uncertain`; only the first two count.
    """
    known: dict[str, tuple[str, tuple[GraphEdge, ...], str]] = {
        c: (p, (), c) for c, p in said.items() if p in ("present", "absent") and source.has(c)
    }
    todo = list(known)
    broken: dict[str, Broken] = {}
    for concept in todo:
        polarity, chain, origin = known[concept]
        there = polarity == "present"
        for edge in source.neighbors(concept, direction="out" if there else "in"):
            if not entails(edge):
                continue
            other = edge.object if there else edge.subject
            if other not in known:
                if len(known) < MAX_CONCEPTS:
                    known[other] = (polarity, (*chain, edge), origin)
                    todo.append(other)
            elif known[other][0] != polarity:
                _note(broken, edge, chain, known[other][1], (origin, known[other][2]))
    for concept, (polarity, chain, origin) in known.items():
        if polarity != "present":
            continue
        for edge in source.neighbors(concept, "excludes"):
            other_known = known.get(edge.object)
            if other_known is not None and other_known[0] == "present" and qualifier(edge, "strength") not in SOFT:
                _note(broken, edge, chain, other_known[1], (origin, other_known[2]))
    return list(broken.values())


def _note(
    broken: dict[str, Broken],
    edge: GraphEdge,
    first: tuple[GraphEdge, ...],
    second: tuple[GraphEdge, ...],
    said: tuple[str, str],
) -> None:
    name = triple(edge)
    because = {triple(e): e for e in (*first, *second) if triple(e) != name}
    made = Broken(edge=edge, triple=name, because=tuple(because.values()), said=tuple(dict.fromkeys(said)))
    broken.setdefault(name, made)


def contradictions(source: Source, subject: str, obj: str) -> Contradiction | None:
    """Edges that affirm and edges that deny the same between two concepts; None when they agree.

    Stored edges speak through their polarity (uncertain ones for neither side), authored ones through their relation.
    """
    if not source.has(subject):
        return None
    edges = [e for e in source.neighbors(subject, direction="both") if obj in (e.subject, e.object)]
    affirming = tuple(e for e in edges if _side(e) == "affirming")
    denying = tuple(e for e in edges if _side(e) == "denying")
    if not affirming or not denying:
        return None
    return Contradiction(subject=subject, object=obj, affirming=affirming, denying=denying)


def _side(edge: GraphEdge) -> str | None:
    polarity = getattr(edge, "polarity", None)
    if polarity is not None:
        return {"positive": "affirming", "negative": "denying"}.get(polarity)
    if edge.relation in DENYING:
        return None if qualifier(edge, "strength") in SOFT else "denying"
    return "affirming" if edge.relation in AFFIRMING else None
