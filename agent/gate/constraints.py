"""Do the claims of one answer hold together, by what the graph says implies or excludes what."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from secondread.agent.gate.entities import measured
from secondread.agent.gate.support import knowledge_only
from secondread.agent.gate.violation import Violation
from secondread.kg.reasoning.constraints import check_claims
from secondread.schema.answer import Claim
from secondread.schema.evidence import Evidence

if TYPE_CHECKING:
    from secondread.kg.graph import Graph


def stated(claim: Claim, ledger: Mapping[str, Evidence]) -> dict[str, str]:
    """What a claim says of the image, as concept -> polarity; empty for knowledge, values and open claims."""
    cited = [ledger[i] for i in claim.evidence if i in ledger]
    if claim.polarity == "uncertain" or not cited or knowledge_only(cited) or claim.concept in measured(cited):
        return {}
    return {claim.concept: claim.polarity}


def constraint_violations(
    claim: Claim, said: Mapping[str, str], ledger: Mapping[str, Evidence], graph: "Graph"
) -> list[Violation]:
    """Edges of the graph that a claim breaks together with what earlier claims said of the same image."""
    new = stated(claim, ledger)
    if not new or not said:
        return []
    before = {b.triple for b in check_claims(graph, said)}
    broken = [b for b in check_claims(graph, {**said, **new}) if b.triple not in before]
    return [Violation(rule="constraint", reason=f"it breaks {b.triple} with what was said before") for b in broken]
