"""Checks of the authored graph: nothing orphaned, contradictory, unsourced or out of every question's reach."""

from collections.abc import Iterable, Sequence

from secondread.kg.asked import Asked
from secondread.kg.concept import SENTENCES, Concept, Edge, sentence
from secondread.kg.graph import Graph, core_graph
from secondread.kg.questions import parse
from secondread.kg.words import fold
from secondread.schema.record import Record

WORDING = {
    "finding": "Is there {name}?",
    "disease": "Does the patient have {name}?",
    "device": "Is there a {name}?",
    "measurement": "What is the {name}?",
    "attribute": "What is the {name}?",
    "anatomy": "Where is the {name}?",
    "view": "Is this a {name}?",
    "position": "Is this a {name}?",
    "population": "Is this a {name}?",
    "quality": "Is this film {name}?",
    "tool": "What does the {name} do?",
    "capability": "What does a {name} do?",
}
"""The plainest question that a concept of each kind must be reachable by, by any of its names."""
PRIOR = "prior_comparison"
"""Reached by any question about change, which is then declined."""
STANDS = ("is_a", "part_of")
"""A place is shown by its kinds or parts: both lungs for the lungs, the heart for its silhouette."""
TAXONOMIC = frozenset({"is_a", "part_of", "adjacent_to"})
"""Relations that place a concept without using it in a question, tool, constraint or differential."""


class Problem(Record):
    """One fault of the graph."""

    check: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.text}"


def lint(graph: Graph | None = None) -> list[Problem]:
    """Every fault found in a graph; the core graph when none is given. Dangling ends fail earlier, at loading."""
    graph = core_graph() if graph is None else graph
    found: list[Problem] = []
    checks = (_orphans, _surfaces, _sources, _thresholds, _contradictions, _cycles, _mimics, _anatomy, _judgeable)
    for check in (*checks, _reached, _used, _rules):
        found += check(graph)
    return found


def _orphans(graph: Graph) -> Iterable[Problem]:
    for concept in graph:
        if not graph.neighbors(concept.id, direction="both"):
            yield Problem(check="orphan", where=concept.id, text="no edge")


def _surfaces(graph: Graph) -> Iterable[Problem]:
    declared = {fold(text) for concept in graph for text in concept.ambiguous}
    for words, ids in graph.surfaces.items():
        if len(ids) > 1 and words not in declared:
            yield Problem(
                check="synonym", where=" ".join(words), text=f"means {' and '.join(ids)}, not declared ambiguous"
            )


def _sources(graph: Graph) -> Iterable[Problem]:
    for edge in graph.edges:
        if not edge.source.strip() or not edge.text.strip():
            yield Problem(check="source", where=edge.id, text="no source or no sentence")
        if edge.relation not in SENTENCES:
            yield Problem(check="relation", where=edge.id, text="unknown relation")
        if edge.subject == edge.object:
            yield Problem(check="loop", where=edge.id, text="a concept is related to itself")


def _thresholds(graph: Graph) -> Iterable[Problem]:
    """A threshold needs a number, a unit, a side, a population and a source; a measurement has one per finding."""
    for edge in graph.edges:
        q = edge.qualifiers
        if "value" not in q:
            continue
        lacking = [name for name in ("unit", "direction", "population") if not q.get(name)]
        lacking += [] if edge.source.strip() and not edge.source.startswith("authored") else ["a published source"]
        if lacking:
            yield Problem(check="threshold", where=edge.id, text=f"has a value without {', '.join(lacking)}")
        if isinstance(q["value"], bool) or not isinstance(q["value"], int | float):
            yield Problem(check="threshold", where=edge.id, text="the value is no number")
        if q.get("direction") not in (None, "above", "below"):
            yield Problem(check="threshold", where=edge.id, text="the direction is above or below")
        if edge.relation != "assessed_by":
            yield Problem(check="threshold", where=edge.id, text="only `assessed_by` carries a threshold")


def _cycles(graph: Graph) -> Iterable[Problem]:
    """Nothing is part of itself."""
    for concept in graph:
        found = [e.object for e in graph.neighbors(concept.id, "part_of")]
        for here in found:
            found += [e.object for e in graph.neighbors(here, "part_of") if e.object not in found]
        if concept.id in found:
            yield Problem(check="cycle", where=concept.id, text="is part of itself")


def _mimics(graph: Graph) -> Iterable[Problem]:
    """What implies or is a kind of a finding cannot only look like it, unless a sentence of its own explains it."""
    entailing = {(e.subject, e.object) for e in graph.edges if e.relation in ("is_a", "implies")}
    for edge in graph.edges:
        if (
            edge.relation in ("mimics", "excludes")
            and (edge.subject, edge.object) in entailing
            and not _noted(edge, graph)
        ):
            yield Problem(check="contradiction", where=edge.id, text="the same is also implied, without a note")


def _noted(edge: Edge, graph: Graph) -> bool:
    return edge.text != sentence(graph.concept(edge.subject), edge.relation, graph.concept(edge.object))


def _contradictions(graph: Graph) -> Iterable[Problem]:
    """What a concept entails must not be what it, or anything else it entails, excludes; `is_a` has no cycle."""
    for concept in graph:
        entailed = set(graph.parents(concept.id))
        for one in list(entailed):
            entailed.update(e.object for e in graph.neighbors(one, "implies"))
        for one in entailed:
            for edge in graph.neighbors(one, "excludes"):
                if edge.object in entailed:
                    yield Problem(check="contradiction", where=concept.id, text=f"entails both ends of {edge.id}")
        for edge in graph.neighbors(concept.id, "is_a"):
            if concept.id in graph.parents(edge.object):
                yield Problem(check="cycle", where=concept.id, text=f"is a kind of itself through {edge.object}")


def _anatomy(graph: Graph) -> Iterable[Problem]:
    """Every finding, device and disease lies in or next to a structure, itself or through what it is a kind of."""
    for concept in graph:
        if concept.kind not in ("finding", "device", "disease"):
            continue
        ends = [
            e.object
            for p in graph.parents(concept.id)
            for e in graph.neighbors(p)
            if e.relation in ("located_in", "adjacent_to")
        ]
        if not any(graph.concept(end).kind == "anatomy" for end in ends):
            yield Problem(check="anatomy", where=concept.id, text="lies in no structure")
        if concept.kind == "finding" and set(concept.attributes) != {"shape", "density", "location", "border"}:
            yield Problem(check="attributes", where=concept.id, text="needs shape, density, location and border")


def _judgeable(graph: Graph) -> Iterable[Problem]:
    """Whatever can be asked for has a shipped tool or says which capability is missing."""
    from secondread.kg.reason import assessments, missing_capability, tools_of

    for concept in graph:
        if concept.kind in ("anatomy", "tool", "capability"):
            continue
        shipped = tools_of(graph, concept.id) or any(a.tool for a in assessments(graph, concept.id))
        if not shipped and missing_capability(graph, concept.id) is None:
            yield Problem(check="judgeable", where=concept.id, text="neither a tool nor a missing capability")


def _reached(graph: Graph) -> Iterable[Problem]:
    """Each name of each concept leads from the plainest question back to the concept, or to what stands for it."""
    for concept in graph:
        for name in concept.surfaces():
            if len(graph.lookup(name)) != 1:
                continue
            question = parse(WORDING[concept.kind].format(name=name), graph)
            asked = question.asked
            if not _means(concept, asked, graph) and not (concept.id == PRIOR and question.needs_prior):
                got = ", ".join(a.concept for a in asked) or "nothing"
                yield Problem(check="reached", where=concept.id, text=f"asking for {name!r} gives {got}")


def _means(concept: Concept, asked: Sequence[Asked], graph: Graph) -> bool:
    ids = {a.concept for a in asked}
    ids |= {
        e.object for a in asked for e in graph.neighbors(a.concept) if a.kind == "location" and e.relation in STANDS
    }
    if concept.kind == "attribute":
        ids |= {concept.id} if any(e.object in ids for e in graph.neighbors(concept.id, "assessed_by")) else set()
    return concept.id in ids


def _used(graph: Graph) -> Iterable[Problem]:
    """Each concept takes part in more than taxonomy: a tool, threshold, limit, constraint, cause or differential.

    A structure may do so through its parts, or by being where a finding lies.
    """
    for concept in graph:
        edges = graph.neighbors(concept.id, direction="both")
        if not any(e.relation not in TAXONOMIC for e in edges) and not (concept.kind == "anatomy" and len(edges) >= 2):
            yield Problem(check="used", where=concept.id, text="takes part in taxonomy only")


def _rules(graph: Graph) -> Iterable[Problem]:
    """Rules name concepts, measurements and tools that the graph knows; a file that cannot be read fails at loading."""
    from secondread.kg.rulebook import ANY, shipped_rules

    tools = {concept.tool for concept in graph if concept.tool}
    for rule in shipped_rules():
        for condition in (*rule.when, *rule.then):
            for name in (condition.concept, *condition.measures):
                if name is None or name == ANY:
                    continue
                if not graph.has(name):
                    yield Problem(check="rule", where=rule.id, text=f"no concept {name}")
                elif name in condition.measures and graph.concept(name).kind not in ("measurement", "attribute"):
                    yield Problem(check="rule", where=rule.id, text=f"{name} is no measurement")
        for name in rule.withdraws:
            if not graph.has(name):
                yield Problem(check="rule", where=rule.id, text=f"no concept {name} to withdraw")
        for name in rule.tools:
            if name not in tools:
                yield Problem(check="rule", where=rule.id, text=f"no tool {name}")
