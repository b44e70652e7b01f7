"""Questions of which one depends on another: which part of a question is a detail, kind or part of another part.

"Is there a pleural effusion, and on which side?" asks twice, and a no to the first answers both.
"""

from collections.abc import Mapping, Sequence

from secondread.agent.judging.judgement import Judgement
from secondread.agent.planners.base import Belief, Proposition
from secondread.kg.graph import Graph
from secondread.kg.reasoning.source import entails
from secondread.schema.evidence import GraphEdge

MAX_CHAIN = 6
"""Most edges between a concept and the one that it depends on."""
ASKS_WHETHER = ("presence", "quality")
DEPENDENT = (*ASKS_WHETHER, "value", "location", "comparison")


def chain(graph: Graph, below: str, above: str) -> tuple[GraphEdge, ...] | None:
    """The shortest chain of edges by which `below` cannot be there without `above`; empty for equal ids, None for none.

    Edges that count: `is_a`, `implies` without exception, and `part_of`.
    """
    if below == above:
        return ()
    if not (graph.has(below) and graph.has(above)):
        return None
    reached: dict[str, tuple[GraphEdge, ...]] = {below: ()}
    queue = [below]
    for here in queue:
        if len(reached[here]) == MAX_CHAIN:
            continue
        for edge in graph.neighbors(here):
            if (edge.relation == "part_of" or entails(edge)) and edge.object not in reached:
                reached[edge.object] = (*reached[here], edge)
                if edge.object == above:
                    return reached[above]
                queue.append(edge.object)
    return None


def with_parents(props: Sequence[Proposition], graph: Graph) -> list[Proposition]:
    """The propositions, each with the nearest other one that it depends on.

    The parent asks whether a concept is there, without a side; the child asks for its place, size or side, or for a
    concept that cannot be there without it.
    """
    return [p.model_copy(update={"parent": _nearest(p, props, graph)}) for p in props]


def _nearest(prop: Proposition, props: Sequence[Proposition], graph: Graph) -> str | None:
    if prop.kind not in DEPENDENT:
        return None
    found: list[tuple[int, str]] = []
    for other in props:
        if other.id == prop.id or other.kind not in ASKS_WHETHER or other.laterality not in (None, prop.laterality):
            continue
        links = chain(graph, subject(prop), other.concept)
        if links is None or (not links and not is_detail(prop, other)):
            continue
        found.append((len(links), other.id))
    return min(found)[1] if found else None


def subject(prop: Proposition) -> str:
    """What a proposition is about: the structure that is measured, else its concept."""
    return prop.structure or prop.concept


def is_detail(child: Proposition, parent: Proposition) -> bool:
    """Whether a child asks for a property of the very thing that its parent asks about."""
    if subject(child) != parent.concept:
        return False
    return child.kind not in ASKS_WHETHER or (child.laterality is not None and parent.laterality is None)


def waiting(props: Sequence[Proposition], judged: Mapping[str, Judgement]) -> dict[str, str]:
    """Propositions whose parent is not decided yet, with that parent: no tool is run for them before."""
    held: dict[str, str] = {}
    for prop in props:
        parent = prop.parent
        if parent is not None and (parent not in judged or judged[parent].outcome == "pending"):
            held[prop.id] = parent
    return held


def closed(
    child: Proposition, parent: Proposition, above: Judgement, graph: Graph, name: str, own: str
) -> Judgement | None:
    """What the parent's judgement leaves of a child; None when the child is still to be judged by itself.

    An absent parent makes its kinds and parts absent too, at least as surely as itself, and questions for its place,
    size or side not applicable. A parent on which nothing could be decided takes the details with it: the place of
    something that may not be there is not told. Its kinds and parts stay open, since a tool may find one of them.

    Args:
        child: The dependent proposition.
        parent: What it depends on.
        above: What was found on the parent.
        graph: Says how both are related.
        name: Of the parent's concept, in words.
        own: Of the child's concept, in words.
    """
    detail = is_detail(child, parent)
    if above.outcome not in ("no", "not_applicable"):
        if not detail or above.outcome not in ("indeterminate", "unanswerable"):
            return None
        reason = f"whether there is {name} was not decided"
        return _made(child, above, "indeterminate", reason, Belief(method="not judged", reason=reason))
    if detail or child.kind not in ASKS_WHETHER or above.outcome == "not_applicable":
        reason = f"there is no {name}"
        belief = Belief(method="not applicable", polarity="absent", evidence=above.belief.evidence, reason=reason)
        return _made(child, above, "not_applicable", reason, belief)
    why = "; ".join(e.text.rstrip(".") for e in chain(graph, subject(child), parent.concept) or ())
    belief = above.belief.model_copy(
        update={"method": f"{above.belief.method}; {own} is at most as probable as {name}", "reason": why}
    )
    return _made(child, above, "no", f"there is no {name}: {why}" if why else f"there is no {name}", belief)


def _made(child: Proposition, above: Judgement, outcome: str, reason: str, belief: Belief) -> Judgement:
    return Judgement.model_validate(
        {
            "proposition": child.id,
            "concept": child.concept,
            "outcome": outcome,
            "belief": belief,
            "evidence": above.evidence,
            "reasons": (reason,),
            "closed_by": above.proposition,
        }
    )
