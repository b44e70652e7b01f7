"""Does the text say of each claim's concept what the claim says, and of no other concept anything at all."""

import re
from typing import TYPE_CHECKING

from secondread.agent.gate.entities import asserting, in_words, mentioned, neighbours, quality_answers, structural
from secondread.agent.gate.said import Said
from secondread.agent.gate.support import absent_with_parent
from secondread.agent.gate.violation import Violation
from secondread.agent.gate.vocabulary import stem, vocabulary
from secondread.agent.gate.wording import ambiguous, defining, hedged, negated, normality, yes_or_no
from secondread.schema.answer import Claim
from secondread.schema.evidence import QualityReport

STATE = re.compile(
    r"\b(?:enlarged|enlargement|enlarge|dilated|widened|abnormal\w*|usable|unusable|poor|good|adequate|inadequate"
    r"|tilted|rotated|clear|healthy|sick|ill|well|fine|bad|ok)\b",
    re.IGNORECASE,
)
"""Words that say how something is; they need a claimed concept to belong to."""
_BEFORE_NUMBER = re.compile(r"\s*(?:measures|measured|is|was|of|at|=|:)?\s*-?[\d.]", re.IGNORECASE)

if TYPE_CHECKING:
    from secondread.kg.link import Mention


def _denied(mention: "Mention", said: Said) -> bool:
    return bool(mention.negated) or negated(said.text, mention.start, mention.end)


def _only_named(mention: "Mention", said: Said) -> bool:
    """The mention only names what a threshold or tool is for, or a quality attribute before its number."""
    if defining(said.text, mention.start, mention.end):
        return True
    named = {
        a.name.replace("_", " ") for i in said.cited if isinstance(i.result, QualityReport) for a in i.result.attributes
    }
    return mention.text.lower() in named and _BEFORE_NUMBER.match(said.text, mention.end) is not None


def polarity_violations(said: Said) -> list[Violation]:
    """Negation, normality, hedging and a leading yes or no against the polarity of the claims."""
    found: list[Violation] = []
    stated = [c for c in said.claims if c.polarity != "uncertain"]
    twisted = ambiguous(said.text) if stated else None
    if twisted:
        found.append(Violation(rule="polarity", reason=f"'{twisted[:60]}' can be read either way"))
    for claim in said.claims:
        reason = _disagrees(claim, said)
        if reason:
            found.append(Violation(rule="polarity", reason=reason))
    word = yes_or_no(said.text)
    verdicts = {c.polarity for c in stated if c.concept not in said.measured}
    if word is not None and verdicts != {"present" if word == "yes" else "absent"}:
        found.append(Violation(rule="polarity", reason=f"'{word}' is not what the claims say"))
    return found if said.knowledge else found + _loose_normality(said)


_NORMAL_OF = re.compile(r"\b(?:limits?|range|ratio)\b", re.IGNORECASE)


def _loose_normality(said: Said) -> list[Violation]:
    """Normality that is not that of an absent claim's own structure or of a measured value."""
    for start, _ in normality(said.text):
        low, high = said.clause(start)
        inside = [m.concept for m in said.mentions if low <= m.start < high]
        absent = [c for c in said.claims if c.polarity == "absent"]
        of_value = _NORMAL_OF.search(said.text, low, high) and all(c in said.measured for c in inside)
        if not any(_own_structure(start, c, said) or (of_value and inside) for c in absent):
            return [Violation(rule="polarity", reason="'normal' is said of something that no claim finds absent")]
    return []


def _disagrees(claim: Claim, said: Said) -> str | None:
    about = [m for m in said.mentions if m.concept == claim.concept and not _only_named(m, said)]
    if claim.concept in said.measured:
        return _value_denied(claim, about, said)
    if claim.polarity == "uncertain":
        return None if hedged(said.text) else f"the text decides {claim.concept}, which is open"
    normal = normality(said.text)
    denied = [_denied(m, said) for m in about]
    if claim.polarity == "present":
        if any(denied):
            return f"the text denies {claim.concept}, the claim says present"
        if normal and asserting(claim.concept, said.graph) and not any("normal" in m.text.lower() for m in about):
            return f"'normal' contradicts the presence of {claim.concept}"
    elif any(not d and not _normal_near(m, normal, said) for m, d in zip(about, denied, strict=True)):
        return f"the text asserts {claim.concept}, the claim says absent"
    if not about and not normal and not said.comparisons and not states(claim, said):
        return f"the text says nothing of {claim.concept}"
    return None


def _own_structure(position: int, claim: Claim, said: Said) -> bool:
    """Whether the clause names a structure of the claimed concept, and no other one."""
    if not said.graph.has(claim.concept):
        return False
    entry = said.graph.concept(claim.concept)
    labels = vocabulary([entry.name, *entry.synonyms])
    low, high = said.clause(position)
    others = [m for m in said.mentions if low <= m.start < high and m.concept != claim.concept]
    named = [m for m in others if m.concept not in said.measured]
    own = [m for m in named if structural(m.concept, said.graph) and vocabulary([m.text]) <= labels]
    return bool(own) and len(own) == len(named)


def states(claim: Claim, said: Said) -> list[tuple[int, int]]:
    """Where a state word of the claimed concept stands with that concept's own structure, denied as the claim is.

    "The heart is not enlarged" states the absence of an enlarged heart: `enlarged` and `heart` are both words of its
    names and no other structure stands in the clause.
    """
    if claim.polarity == "uncertain" or not said.graph.has(claim.concept):
        return []
    entry = said.graph.concept(claim.concept)
    labels = vocabulary([entry.name, *entry.synonyms])
    found: list[tuple[int, int]] = []
    for match in STATE.finditer(said.text):
        if stem(match[0].lower()) not in labels or not _own_structure(match.start(), claim, said):
            continue
        if negated(said.text, match.start(), match.end()) == (claim.polarity == "absent"):
            found.append(match.span())
    return found


def _value_denied(claim: Claim, about: "list[Mention]", said: Said) -> str | None:
    for mention in about:
        rest = said.text[mention.end : mention.end + 24].lower()
        low, _ = said.clause(mention.start)
        before = said.text[max(low, mention.start - 24) : mention.start].lower().split()
        if any(w in ("no", "not", "never", "without") for w in before[-3:]) or rest.lstrip().startswith(
            ("is not ", "isn't ", "was not ", "not ", "cannot ")
        ):
            number = next((n for n in said.numbers if n.start >= mention.end), None)
            if number is None or number.role != "bound":
                return f"the text denies the value of {claim.concept}"
    return None


def _normal_near(mention: "Mention", normal: list[tuple[int, int]], said: Said) -> bool:
    low, high = said.clause(mention.start)
    return any(low <= a < high for a, _ in normal)


def entity_violations(said: Said) -> list[Violation]:
    """Concepts that the evidence does not hold, and findings told without a claim of their own."""
    claimed = {c.concept for c in said.claims}
    carried = said.established & claimed | said.measured | {c for c in claimed if _of_tool(c, said)}
    carried |= {c.concept for c in said.claims if absent_with_parent(c, said.established, said.graph)}
    near = neighbours(said.established | claimed, said.graph)
    told = in_words(said.cited, said.graph)
    noted = {m.concept for n in said.notes for m in mentioned(n, said.graph)}
    found: list[Violation] = []
    for mention in said.mentions:
        concept = mention.concept
        if concept in carried or concept in noted:
            continue
        if _only_named(mention, said) and concept in said.established | near:
            continue
        if not asserting(concept, said.graph):
            if concept in said.established | told or (concept in near and structural(concept, said.graph)):
                continue
        elif said.knowledge and concept in said.established | told:
            continue
        found.append(Violation(rule="entity", reason=f"'{mention.text}' ({concept}) is not carried by a cited claim"))
    return found


def _of_tool(concept: str, said: Said) -> bool:
    return any(concept == e.tool or concept in quality_answers(e) for e in said.cited)
