"""Similar cases with what is known of them, for a planner to learn from which tools and findings matter.

They are other images: evidence of kind `similar_case` establishes nothing in the asked one, and the gate holds every
claim to that. `Settings.exemplars` takes the block away, so that its worth can be measured.
"""

from collections.abc import Iterable

from secondread.schema.evidence import Evidence, SimilarCases
from secondread.schema.record import Record

SEARCH = "similar_cases"
"""The tool that finds them; intake runs it where the block is wanted."""
MOST = 5


class Exemplar(Record):
    """One other image and what its source says of it."""

    evidence: str
    """Id of the evidence that names it."""
    case: str
    """Id of the image in its corpus."""
    source: str
    labels: tuple[str, ...] = ()
    """What its source says of it; never a finding on the asked image."""
    similarity: float | None = None
    text: str = ""


def exemplars_of(ledger: Iterable[Evidence]) -> tuple[Exemplar, ...]:
    """The most similar cases found so far of which something is known, each once, the most similar first."""
    found: dict[str, Exemplar] = {}
    for item in ledger:
        for case in item.result.items if isinstance(item.result, SimilarCases) else ():
            if case.labels and case.id not in found:
                found[case.id] = Exemplar(
                    evidence=item.id,
                    case=case.id,
                    source=case.source,
                    labels=case.labels,
                    similarity=case.similarity,
                    text=case.text,
                )
    ranked = sorted(found.values(), key=lambda e: -(e.similarity if e.similarity is not None else -1.0))
    return tuple(ranked[:MOST])
