"""What the graph lets one conclude: how a finding is assessed, what contradicts, what is missing, what explains."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from secondread.kg.concept import Edge, definition
from secondread.kg.graph import Graph
from secondread.schema.evidence import Threshold
from secondread.schema.record import Record

if TYPE_CHECKING:
    from secondread.kg.questions import Question

ENTRY_POINT = "secondread.tools"
STRICT = "strict"
"""Strength of an implication that holds without exception; an implication by `is_a` always does."""
SOFT_EXCLUSIONS = frozenset({"lesion", "side"})
"""Exclusions that hold for one lesion or one side only, so a film may show both."""
EXPLAINING: tuple[str, ...] = (
    "suggests",
    "may_indicate",
    "seen_as",
    "assessed_by",
    "suggested_by",
    "limited_by",
    "magnifies",
    "mimics",
    "differential",
    "stands_in_for",
    "implies",
    "derived_from",
    "measured_on",
    "hides",
    "preferred_for",
    "requires_capability",
    "is_a",
    "located_in",
    "part_of",
    "established_by",
    "seen_on",
    "describes",
    "shows",
    "valid_on",
    "needs",
    "helps",
    "explains",
    "lists",
    "would_compare",
)
"""Relations that a knowledge question may be answered with, most telling first."""


class Assessment(Record):
    """One way in which a finding is judged."""

    finding: str
    measurement: str
    threshold: Threshold | None = None
    tool: str | None = None
    """Catalogue name of the shipped tool that measures it; None: no tool ships for it."""
    edge: str
    """Id of the `assessed_by` edge."""


class Missing(Record):
    """The capability that would be needed, and how to add it."""

    concept: str
    capability: str
    text: str


def assessments(graph: Graph, finding: str) -> list[Assessment]:
    """Measurements by which a finding is assessed, in the order of the graph; its own before those of its parents.

    Empty for a concept the graph lacks, so that a plug-in may establish concepts of its own.
    """
    found: list[Assessment] = []
    for concept in graph.parents(finding) if graph.has(finding) else []:
        for edge in graph.neighbors(concept, "assessed_by"):
            tools = tools_of(graph, edge.object)
            found.append(
                Assessment(
                    finding=finding,
                    measurement=edge.object,
                    threshold=_threshold(edge),
                    tool=tools[0] if tools else None,
                    edge=edge.id,
                )
            )
    return found


def _threshold(edge: Edge) -> Threshold | None:
    q = edge.qualifiers
    if "value" not in q:
        return None
    return Threshold(
        value=q["value"],
        unit=q.get("unit", "1"),
        direction=q.get("direction", "above"),
        concept=edge.subject,
        population=q.get("population", "any"),
        source=edge.source,
    )


def tools_of(graph: Graph, concept: str) -> list[str]:
    """Catalogue names of the shipped tools that establish a concept."""
    if not graph.has(concept):
        return []
    names = (graph.concept(e.object).tool for e in graph.neighbors(concept, "established_by"))
    return [n for n in names if n]


def implied(graph: Graph, said: Mapping[str, str]) -> dict[str, str]:
    """What follows strictly from what is said: concept id -> polarity, without the given ones.

    A present concept makes what it is a kind of, and what it strictly implies, present; an absent one makes its
    own kinds absent. Only `present` and `absent` entries count.
    """
    known = {c: p for c, p in said.items() if p in ("present", "absent") and graph.has(c)}
    todo = list(known)
    for concept in todo:
        if known[concept] == "present":
            follows = [e.object for e in graph.neighbors(concept) if _entails(e)]
        else:
            follows = [e.subject for e in graph.neighbors(concept, direction="in") if _entails(e)]
        for other in follows:
            if other not in known:
                known[other] = known[concept]
                todo.append(other)
    return {c: p for c, p in known.items() if c not in said}


def _entails(edge: Edge) -> bool:
    return edge.relation == "is_a" or (edge.relation == "implies" and edge.qualifiers.get("strength") == STRICT)


def excluded(graph: Graph, said: Mapping[str, str]) -> list[Edge]:
    """Edges that the given polarities break together, with what follows from them.

    `a excludes b` is broken when both are present; `a is_a b` and a strict `a implies b` when only a is present.
    """
    everything = {**implied(graph, said), **said}
    present = {concept for concept, polarity in everything.items() if polarity == "present"}
    broken: list[Edge] = []
    for edge in (
        e for concept in everything if concept in present and graph.has(concept) for e in graph.neighbors(concept)
    ):
        if edge.relation == "excludes" and edge.qualifiers.get("strength") not in SOFT_EXCLUSIONS:
            if edge.object in present:
                broken.append(edge)
        elif _entails(edge) and everything.get(edge.object) == "absent":
            broken.append(edge)
    return broken


def differential(graph: Graph, finding: str) -> list[Edge]:
    """What else a finding may be or may be due to: its mimics, its differentials, and the causes it may indicate."""
    if not graph.has(finding):
        return []
    edges = graph.neighbors(finding, direction="both")
    both_ways = [e for e in edges if e.relation == "differential"]
    mimics = [e for e in edges if e.relation == "mimics" and e.object == finding]
    causes = [e for e in edges if e.relation in ("may_indicate", "suggests") and e.subject == finding]
    return both_ways + mimics + causes


def limits_of(graph: Graph, measurement: str) -> list[Edge]:
    """Conditions under which a measurement misleads: its `limited_by` edges."""
    return graph.neighbors(measurement, "limited_by") if graph.has(measurement) else []


def missing_capability(graph: Graph, concept: str) -> Missing | None:
    """What is missing to judge a concept and how to add it; None when a shipped tool establishes or assesses it.

    A concept that says itself what it needs, needs it although a tool takes a measurement that bears on it.

    A concept without an entry of its own takes that of what it is a kind of, then that of what it is assessed by.
    """
    if not graph.has(concept) or tools_of(graph, concept):
        return None
    found = assessments(graph, concept)
    own = graph.neighbors(concept, "requires_capability")
    if not own and any(a.tool for a in found):
        return None
    for one in (*graph.parents(concept), *(a.measurement for a in found)):
        edges = graph.neighbors(one, "requires_capability")
        if edges:
            return Missing(
                concept=concept, capability=edges[0].object, text=how_to_add(graph, concept, edges[0].object)
            )
    return None


def how_to_add(graph: Graph, concept: str, capability: str) -> str:
    """One or two plain sentences: what is missing, and where it would plug in."""
    name, needed = graph.concept(concept).name, graph.concept(capability)
    if capability == "clinical_assessment":
        return (
            f"Missing: {name} is a diagnosis that needs more than a film (history, examination, further tests); "
            f"no installed tool gives it. A package can offer a tool establishing `{concept}` through the entry point "
            f"`{ENTRY_POINT}`."
        )
    if capability in ("age_record", "acquisition_record"):
        return (
            f"Missing: the image file does not say it and no installed tool tells {name} from the pixels; "
            "state it when asking."
        )
    article = "an" if needed.name[0] in "aeiou" else "a"
    return (
        f"Missing: {article} {needed.name}. To add one, install a package that offers a tool establishing `{concept}` "
        f"through the entry point `{ENTRY_POINT}`."
    )


Topic = Literal["all", "definition", "causes", "meaning", "limits", "assessment", "place"]
_TOPICS: dict[str, tuple[tuple[str, str], ...]] = {
    "meaning": (("suggests", "out"), ("may_indicate", "out"), ("implies", "out"), ("seen_as", "both")),
    "causes": (("may_indicate", "out"), ("suggests", "out"), ("seen_as", "in"), ("mimics", "in"),
               ("differential", "both")),
    "limits": (("limited_by", "out"), ("magnifies", "both"), ("mimics", "in"), ("hides", "in")),
    "assessment": (("assessed_by", "out"), ("suggested_by", "out"), ("derived_from", "out"), ("measured_on", "out"),
                   ("established_by", "out"), ("requires_capability", "out")),
    "place": (("located_in", "out"), ("part_of", "out"), ("adjacent_to", "both")),
}  # fmt: skip


def facts(
    graph: Graph, concepts: Iterable[str], *, topic: str = "all", relations: Iterable[str] = (), limit: int = 12
) -> list[tuple[Edge, ...]]:
    """Paths that tell something about the concepts: links between them first, then each one's own edges.

    Args:
        graph: The graph.
        concepts: Ids in the order asked; unknown ones are passed over.
        topic: What is wanted of them.
        relations: Only these relations, when given.
        limit: Most paths returned.
    """
    asked = [c for c in dict.fromkeys(concepts) if graph.has(c)]
    allowed = tuple(relations) or EXPLAINING
    found: list[tuple[Edge, ...]] = []
    for i, first in enumerate(asked):
        for second in asked[i + 1 :]:
            paths = graph.paths(first, second, max_hops=2, limit=2, relations=allowed)
            found += [p for p in paths if p not in found]
    for concept in asked:
        for path in _about(graph, concept, topic, allowed):
            if path not in found:
                found.append(path)
    return found[:limit]


def _about(graph: Graph, concept: str, topic: str, allowed: tuple[str, ...]) -> list[tuple[Edge, ...]]:
    """Own edges of a concept, by topic; a measurement speaks through the finding that its threshold names."""
    wanted = _TOPICS.get(topic) or tuple((r, "both") for r in allowed)
    found: list[tuple[Edge, ...]] = []
    if topic == "definition":
        return [(definition(graph.concept(concept)),), *_about(graph, concept, "all", allowed)]
    if topic in ("meaning", "causes", "all"):
        for edge in graph.neighbors(concept, "assessed_by", "in"):
            if _threshold(edge) is not None:
                onward = [e for e in graph.neighbors(edge.subject) if e.relation in ("suggests", "may_indicate")]
                found += [(edge, e) for e in onward if e.relation in allowed and edge.relation in allowed]
    for relation, way in wanted:
        if relation in allowed or topic != "all":
            found += [(e,) for e in graph.neighbors(concept, relation, way)]  # type: ignore[arg-type]  # values of the literal
    if not found and topic != "all":
        return _about(graph, concept, "all", allowed)
    return found


def explain(question: "Question", graph: Graph, limit: int = 12) -> list[tuple[Edge, ...]]:
    """Paths that bear on a question's concepts, by what it wants to know of them."""
    return facts(graph, question.concepts, topic=question.topic, limit=limit)
