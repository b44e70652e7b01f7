"""The claim gate: nothing goes out that its cited evidence does not carry. No language model judges here.

A claim passes when its evidence resolves, is about the asked image and the claim's concept, agrees with the belief, and
when every number, side, finding, comparison, negation and content word of its text is in that evidence. Sentences that
a planner wrote over accepted claims are held to the same rules on text.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from secondread.agent.gate.constraints import constraint_violations, stated
from secondread.agent.gate.facts import told
from secondread.agent.gate.number_rules import comparison_violations, number_violations
from secondread.agent.gate.polarity_rules import entity_violations, polarity_violations
from secondread.agent.gate.said import Said
from secondread.agent.gate.side_rules import location_violations, side_violations
from secondread.agent.gate.support import belief_violations, evidence_violations, knowledge_only
from secondread.agent.gate.text import MAX_CHARACTERS, bare, plain, tags
from secondread.agent.gate.text import images as images_named
from secondread.agent.gate.violation import Violation
from secondread.agent.gate.wording_rules import knowledge_violations, wording_violations
from secondread.agent.planners.base import Belief, Sentence
from secondread.schema.answer import Claim
from secondread.schema.evidence import Evidence, SimilarCases
from secondread.schema.record import Record

if TYPE_CHECKING:
    from secondread.kg.graph import Graph

_PROGRAMS = re.compile(
    r"\b(?:verdicts?|confiden\w*|abstain\w*|approv\w+|review(?:ed|er)\w*|checked|verified|validated|certified|gate)\b",
    re.IGNORECASE,
)
"""Words about the answer itself: what it concludes, how sure it is, who has looked at it."""
__all__ = ["GateReport", "Rejected", "Violation", "check", "check_sentence", "gate"]


class Rejected(Record):
    """A claim that may not go out, and every rule it breaks."""

    claim: Claim
    violations: tuple[Violation, ...]

    @property
    def reasons(self) -> str:
        """The reasons in one line."""
        return "; ".join(dict.fromkeys(v.reason for v in self.violations))


class GateReport(Record):
    """What passed and what did not, in the order given."""

    accepted: tuple[Claim, ...]
    rejected: tuple[Rejected, ...]


def check(
    claim: Claim,
    ledger: Mapping[str, Evidence],
    beliefs: Mapping[str, Belief],
    graph: "Graph",
    *,
    images: Collection[str] | None = None,
    synthetic: Collection[str] = (),
    thresholds: Mapping[str, float] | None = None,
    notes: Collection[str] = (),
) -> list[Violation]:
    """Every rule that a claim breaks; empty when it may go out.

    Args:
        claim: The claim; its `probability` is that of the claim being right.
        ledger: Evidence by id.
        beliefs: Belief by concept id.
        graph: The knowledge graph that links words to concepts.
        images: Ids of the asked images and of all derived from them; None skips the check.
        synthetic: Ids of generated images, which are never evidence.
        thresholds: Thresholds that the question named, by concept id.
        notes: Sentences of the program's own rules that may stand in the text word for word.
    """
    found = evidence_violations(claim, ledger, images=images, synthetic=synthetic, graph=graph)
    cited = [ledger[i] for i in claim.evidence if i in ledger]
    if not cited:
        return found
    found += belief_violations(claim, cited, beliefs, graph)
    said, problems = _said(claim.text, [claim], cited, graph, thresholds or {}, notes)
    found += problems
    if said is not None:
        found += location_violations(claim, said)
        found += _text_violations(said)
    return found


def gate(
    claims: Iterable[Claim],
    ledger: Mapping[str, Evidence],
    beliefs: Mapping[str, Belief],
    graph: "Graph",
    *,
    images: Collection[str] | None = None,
    synthetic: Collection[str] = (),
    thresholds: Mapping[str, float] | None = None,
    notes: Collection[str] = (),
) -> GateReport:
    """Accepted and rejected claims; arguments as for `check`. A second claim with a used id is rejected."""
    accepted: list[Claim] = []
    rejected: list[Rejected] = []
    used: set[str] = set()
    said: dict[str, str] = {}
    for claim in claims:
        found = check(
            claim, ledger, beliefs, graph, images=images, synthetic=synthetic, thresholds=thresholds, notes=notes
        )
        if claim.id in used:
            found.append(Violation(rule="evidence", reason=f"the id {claim.id} is used twice"))
        used.add(claim.id)
        found += constraint_violations(claim, said, ledger, graph)
        if found:
            rejected.append(Rejected(claim=claim, violations=tuple(found)))
        else:
            accepted.append(claim)
            said |= stated(claim, ledger)
    return GateReport(accepted=tuple(accepted), rejected=tuple(rejected))


def check_sentence(
    sentence: Sentence,
    accepted: Mapping[str, Claim],
    ledger: Mapping[str, Evidence],
    graph: "Graph",
    *,
    images: Collection[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    notes: Collection[str] = (),
) -> list[Violation]:
    """Every rule that a sentence over accepted claims breaks; empty when it may go out.

    Args:
        sentence: Text and the ids of the claims it words.
        accepted: Claims that passed `gate`, by id.
        ledger: Evidence by id.
        graph: The knowledge graph.
        images: As for `check`.
        thresholds: As for `check`.
        notes: As for `check`.
    """
    if not sentence.claims:
        return [Violation(rule="evidence", reason="the sentence names no claim")]
    unknown = [c for c in sentence.claims if c not in accepted]
    if unknown:
        return [Violation(rule="evidence", reason=f"not an accepted claim: {', '.join(unknown)[:80]}")]
    claims = [accepted[c] for c in dict.fromkeys(sentence.claims)]
    cited = [ledger[i] for i in dict.fromkeys(i for c in claims for i in c.evidence) if i in ledger]
    if images is not None and any(e.image is not None and e.image not in images for e in cited):
        return [Violation(rule="image", reason="a claim of the sentence cites another image")]
    said, problems = _said(sentence.text, claims, cited, graph, thresholds or {}, notes)
    if said is None or problems:
        return problems
    program = _PROGRAMS.search(said.text)
    if program:
        return [Violation(rule="wording", reason=f"'{program[0]}' is for the program to state")]
    if not _without(said.text, [bare(plain(c.text)) for c in claims]):
        return []
    return _text_violations(said)


def _said(
    text: str,
    claims: Sequence[Claim],
    cited: Sequence[Evidence],
    graph: "Graph",
    thresholds: Mapping[str, float],
    notes: Collection[str],
) -> tuple[Said | None, list[Violation]]:
    """The text made ready for the rules, or why it cannot be; None without problems when nothing is left to check."""
    clean = plain(text)
    if not clean or len(clean) > MAX_CHARACTERS:
        return None, [Violation(rule="wording", reason="the text is empty or too long")]
    allowed = {i for c in claims for i in c.evidence}
    quotes = [*notes, *(t for e in cited for t in told(e) if knowledge_only(cited) or _own_words(e))]
    problems = [
        Violation(rule="evidence", reason=f"the text cites {t}, the claim does not")
        for t in tags(_without(clean, [plain(q) for q in quotes]))
        if t not in allowed
    ]
    about = {e.image for e in cited} | {
        c.id for e in cited if isinstance(e.result, SimilarCases) for c in e.result.items
    }
    problems += [
        Violation(rule="image", reason=f"the text names image {i}") for i in images_named(clean) if i not in about
    ]
    rest = _without(bare(clean), [bare(plain(q)) for q in quotes])
    if not rest:
        if knowledge_only(cited) or not bare(clean):
            return None, problems if bare(clean) else [*problems, Violation(rule="wording", reason="nothing is said")]
        return None, [*problems, Violation(rule="wording", reason="the text only repeats a note")]
    return Said(text=rest, claims=claims, cited=cited, graph=graph, thresholds=thresholds, notes=notes), problems


def _own_words(item: Evidence) -> bool:
    """Whether the texts of this evidence were written by a tool about what it measured, not retrieved or echoed."""
    return item.kind in ("measurement", "quality", "region", "finding")


def _without(text: str, quotes: Sequence[str]) -> str:
    """What is left of a text once these quotes are taken out; empty when only punctuation is left."""
    for quote in sorted({q.rstrip(" .;") for q in quotes if len(q) > 12}, key=len, reverse=True):
        at = text.lower().find(quote.lower())
        while at >= 0:
            text = f"{text[:at]} ; {text[at + len(quote) :]}"
            at = text.lower().find(quote.lower(), at + 3)
    rest = text.strip(" .,;:()[]-\n")
    return text.strip(" ;\n") if rest else ""


def _text_violations(said: Said) -> list[Violation]:
    return [
        *number_violations(said),
        *comparison_violations(said),
        *side_violations(said),
        *entity_violations(said),
        *polarity_violations(said),
        *wording_violations(said),
        *knowledge_violations(said),
    ]
