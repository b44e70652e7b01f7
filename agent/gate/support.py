"""Does the cited evidence carry a claim: it resolves, is about this image and this concept, and the belief agrees."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from secondread.agent.gate.entities import asserting, established, measured, quality_answers
from secondread.agent.gate.violation import Violation
from secondread.agent.hierarchy import chain
from secondread.agent.planners.base import Belief
from secondread.schema.answer import Claim
from secondread.schema.evidence import Evidence, Findings

if TYPE_CHECKING:
    from secondread.kg.graph import Graph

KNOWLEDGE = ("graph_path", "passage", "similar_case")
"""Kinds of evidence that establish nothing in the asked image: general knowledge, and other images."""
PROBABILITY_TOLERANCE = 0.005


def knowledge_only(cited: Sequence[Evidence]) -> bool:
    """Whether a claim with this evidence states knowledge rather than something about an image."""
    return bool(cited) and all(e.kind in KNOWLEDGE for e in cited)


def evidence_violations(
    claim: Claim,
    ledger: Mapping[str, Evidence],
    *,
    images: Collection[str] | None,
    synthetic: Collection[str],
    graph: "Graph | None" = None,
) -> list[Violation]:
    """Ids that do not resolve, failures cited as findings, other images, evidence about other concepts."""
    if not claim.evidence:
        return [Violation(rule="evidence", reason="no evidence is cited")]
    missing = [i for i in claim.evidence if i not in ledger]
    if missing:
        return [Violation(rule="evidence", reason=f"there is no evidence {', '.join(missing)[:100]}")]
    cited = [ledger[i] for i in claim.evidence]
    found: list[Violation] = []
    failures = [e.id for e in cited if e.kind == "tool_failure"]
    if failures and claim.polarity != "uncertain":
        found.append(Violation(rule="evidence", reason=f"{', '.join(failures)} is a tool failure"))
    for item in cited:
        if item.image is None and item.kind not in (*KNOWLEDGE, "tool_failure"):
            found.append(Violation(rule="image", reason=f"{item.id} names no image"))
        elif item.image is not None and item.image in synthetic:
            found.append(Violation(rule="image", reason=f"{item.id} is about a synthetic image"))
        elif item.image is not None and images is not None and item.image not in images:
            found.append(Violation(rule="image", reason=f"{item.id} is about another image"))
    if not _about(claim, cited) and not absent_with_parent(claim, established(cited), graph):
        found.append(Violation(rule="evidence", reason=f"the cited evidence is not about {claim.concept}"))
    return found


def absent_with_parent(claim: Claim, established: Collection[str], graph: "Graph | None") -> bool:
    """Whether a claim of absence is about a kind or part of something that the evidence is about.

    Whether that is absent is for the belief to say, without which no claim of absence passes.
    """
    if graph is None or claim.polarity != "absent":
        return False
    return any(chain(graph, claim.concept, above) for above in established)


def _about(claim: Claim, cited: Sequence[Evidence]) -> bool:
    if claim.concept in established(cited) or any(claim.concept == e.tool for e in cited):
        return True
    if any(e.kind == "image" and claim.concept == f"{e.tool}_tool" for e in cited):
        return True
    if any(e.kind in ("passage", "similar_case") for e in cited) and knowledge_only(cited):
        return True
    return claim.polarity == "uncertain" and any(e.kind in ("tool_failure", *KNOWLEDGE) for e in cited)


def belief_violations(
    claim: Claim, cited: Sequence[Evidence], beliefs: Mapping[str, Belief], graph: "Graph"
) -> list[Violation]:
    """Polarity and probability against the belief, or against the tool's own verdict where there is none."""
    belief = beliefs.get(claim.concept)
    found: list[Violation] = []
    valued = claim.concept in measured(cited)
    if claim.polarity != "uncertain" and not valued and not knowledge_only(cited):
        found += _polarity(claim, belief, asserting(claim.concept, graph))
        found += _tools_disagree(claim, cited, belief)
    if valued and claim.location is not None and belief is not None and belief.polarity == "uncertain":
        found.append(Violation(rule="belief", reason=f"the sides of {claim.concept} are undecided"))
    if valued and claim.polarity == "absent":
        found.append(Violation(rule="belief", reason=f"{claim.concept} was measured, it is not absent"))
    found += _probability(claim, belief)
    return found


def _polarity(claim: Claim, belief: Belief | None, needs_belief: bool) -> list[Violation]:
    if belief is None:
        if needs_belief or claim.polarity == "absent":
            return [Violation(rule="belief", reason=f"no belief on {claim.concept} backs '{claim.polarity}'")]
        return []
    p = belief.probability
    if belief.polarity != claim.polarity:
        return [Violation(rule="belief", reason=f"the belief on {claim.concept} is '{belief.polarity}'")]
    if p is not None and (p <= 0.5 if claim.polarity == "present" else p >= 0.5):
        return [Violation(rule="belief", reason=f"the belief on {claim.concept} has probability {p:.2f}")]
    if belief.evidence and not set(belief.evidence) & set(claim.evidence):
        return [Violation(rule="belief", reason="the claim cites nothing that the belief rests on")]
    return []


def _tools_disagree(claim: Claim, cited: Sequence[Evidence], belief: Belief | None) -> list[Violation]:
    opposite = {"present": "absent", "absent": "present"}[claim.polarity]
    for item in cited:
        said = quality_answers(item).get(claim.concept)
        if said is not None and said != claim.polarity:
            return [Violation(rule="belief", reason=f"{item.id} grades {claim.concept} as '{said}'")]
        if isinstance(item.result, Findings) and (belief is None or belief.probability is None):
            finding = item.result.get(claim.concept)
            if finding is not None and finding.polarity == opposite:
                return [Violation(rule="belief", reason=f"{item.id} says that {claim.concept} is '{opposite}'")]
    return []


def _probability(claim: Claim, belief: Belief | None) -> list[Violation]:
    """A claim's probability is that of the claim being right: P(present), or its complement for `absent`."""
    if claim.probability is None:
        return []
    if belief is None or belief.probability is None:
        return [Violation(rule="belief", reason="nothing calibrated backs the claim's probability")]
    right = 1.0 - belief.probability if claim.polarity == "absent" else belief.probability
    if claim.polarity != "uncertain" and abs(claim.probability - right) > PROBABILITY_TOLERANCE:
        return [Violation(rule="belief", reason=f"the claim's probability is not {right:.2f}")]
    return []
