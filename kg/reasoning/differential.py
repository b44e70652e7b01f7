"""What may explain a finding, ranked by what was found present and absent; every point for or against is an edge."""

from collections.abc import Collection

from secondread.kg.reasoning.rank import pagerank
from secondread.kg.reasoning.source import Source, kinds_of, other_end, qualifier, triple
from secondread.schema.evidence import GraphEdge
from secondread.schema.record import Record

POINTS = {
    "implies": 1.0, "suggests": 1.0, "seen_as": 1.0, "may_indicate": 0.75, "differential": 0.5, "mimics": 0.5,
}  # fmt: skip
"""What an edge between a candidate and a present finding counts. The order of the relations is that of their strength
in words (goes with, may indicate, may be confused with); the numbers only keep that order and are fitted to nothing."""
MISSING = {"implies": 1.0, "seen_as": 0.5, "suggested": 0.25}
"""What it counts against a candidate that something it is usually seen as is absent."""
STRICTLY_MISSING = 2.0
EXCLUDED = 2.0
ITSELF = 1.0
"""Counted for a candidate that was itself found present, and against one that was itself found absent."""
EXTRA = 0.25
"""Share that a second edge between the same two counts."""
SOFT = ("lesion", "side")


class Candidate(Record):
    """One explanation with what speaks for and against it."""

    concept: str
    score: float
    """Points for less points against: an order, no probability."""
    link: tuple[GraphEdge, ...] = ()
    """Edges that tie it to the finding asked about."""
    support: tuple[GraphEdge, ...] = ()
    """Edges to other things that were found present."""
    against: tuple[GraphEdge, ...] = ()
    """Edges to things that were found absent although it would show them, or present although it excludes them."""
    found: bool | None = None
    """Whether it was itself found present (True) or absent (False)."""
    near: float = 0.0
    """Share of a random walk around what is present; only orders candidates of equal score."""

    @property
    def contradicted(self) -> bool:
        """Whether something speaks for it and something against it; both are shown, neither cancels the other."""
        return bool(self.against) and bool(self.support or self.link)

    @property
    def triples(self) -> tuple[str, ...]:
        """Ids of all its edges."""
        return tuple(triple(e) for e in (*self.link, *self.support, *self.against))


def explanations(source: Source, finding: str) -> dict[str, list[GraphEdge]]:
    """Concepts that may explain a finding, or be taken for it, with the edges that say so."""
    found: dict[str, list[GraphEdge]] = {}
    if not source.has(finding):
        return found
    for edge in source.neighbors(finding, direction="both"):
        out = edge.subject == finding
        if (
            (edge.relation in ("suggests", "may_indicate") and out)
            or (edge.relation in ("seen_as", "mimics") and not out)
            or edge.relation == "differential"
        ):
            found.setdefault(other_end(edge, finding), []).append(edge)
    found.pop(finding, None)
    return found


def weigh(
    source: Source, concept: str, present: Collection[str] = (), absent: Collection[str] = (), *, besides: str = ""
) -> Candidate:
    """What speaks for and against one concept, given what was found.

    Args:
        source: The graph.
        concept: The candidate.
        present: Concept ids found present; what they are a kind of counts too.
        absent: Concept ids found absent; their kinds count as absent.
        besides: A finding whose own links are passed over.
    """
    shown = {up: one for one in present if one != besides for up in reversed(kinds_of(source, one))}
    shown.pop(concept, None)
    gone = set(absent)
    support: dict[str, list[GraphEdge]] = {}
    against: list[GraphEdge] = []
    score = 0.0
    for edge in source.neighbors(concept, direction="both") if source.has(concept) else ():
        other = other_end(edge, concept)
        out = edge.subject == concept
        if edge.relation == "excludes" and qualifier(edge, "strength") not in SOFT and other in shown:
            against.append(edge)
            score -= EXCLUDED
        elif other in shown and edge.relation in POINTS and (out or edge.relation != "seen_as"):
            if edge.relation in ("differential", "mimics") and other != shown[other]:
                continue
            support.setdefault(other, []).append(edge)
        elif out and edge.relation in ("seen_as", "implies") and gone & set(kinds_of(source, other)):
            strict = qualifier(edge, "strength") == "strict"
            against.append(edge)
            score -= STRICTLY_MISSING if strict else MISSING[edge.relation]
    for edges in support.values():
        score += _points(edges)
    found = True if concept in present else False if concept in gone else None
    score += ITSELF if found else -ITSELF if found is False else 0.0
    return Candidate(
        concept=concept,
        score=round(score, 4),
        support=tuple(e for edges in support.values() for e in edges),
        against=tuple(against),
        found=found,
    )


def _points(edges: list[GraphEdge]) -> float:
    points = sorted((POINTS.get(e.relation, 0.0) for e in edges), reverse=True)
    return points[0] + EXTRA * sum(points[1:2]) if points else 0.0


def ranked_differential(
    source: Source, finding: str, present: Collection[str] = (), absent: Collection[str] = (), *, limit: int = 20
) -> list[Candidate]:
    """What may explain a finding, best supported first.

    A candidate counts what ties it to the finding, what ties it to the other present findings, less what is absent
    although it would show it. Equal scores are ordered by nearness to what is present.

    Args:
        source: The graph.
        finding: What is to be explained.
        present: Concept ids found present.
        absent: Concept ids found absent.
        limit: Most candidates returned.
    """
    made: list[Candidate] = []
    linked = explanations(source, finding)
    near = dict(pagerank(source, (finding, *present), limit=1000)) if linked else {}
    for concept, edges in linked.items():
        one = weigh(source, concept, present, absent, besides=finding)
        score = round(one.score + _points(edges), 4)
        made.append(one.model_copy(update={"score": score, "link": tuple(edges), "near": near.get(concept, 0.0)}))
    made.sort(key=lambda c: (-c.score, -c.near, c.concept))
    return made[:limit]


def tellable(source: Source, concept: str) -> list[str]:
    """Concepts whose presence or absence would speak for or against a concept, nearest first, itself in front."""
    found = [concept]
    for edge in source.neighbors(concept, direction="both") if source.has(concept) else ():
        if edge.relation in POINTS or edge.relation == "excludes":
            other = other_end(edge, concept)
            if other not in found:
                found.append(other)
    return found
