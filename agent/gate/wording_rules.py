"""Words that state more than the evidence: unknown words, degrees, certainty, loose size words, grades."""

import re

from secondread.agent.gate.entities import mentioned
from secondread.agent.gate.facts import names, told
from secondread.agent.gate.polarity_rules import STATE, states
from secondread.agent.gate.said import Said
from secondread.agent.gate.sides import RIGHT_OVER_LEFT, side_words
from secondread.agent.gate.violation import Violation
from secondread.agent.gate.vocabulary import glue, stem, unsupported, vocabulary
from secondread.agent.gate.wording import about_patient, degrees, negated, overclaim
from secondread.schema.evidence import GraphPaths, QualityReport

_SIZE = re.compile(
    r"\b(?:larger|bigger|greater|wider|taller|higher|smaller|narrower|shorter|lower|exceeds|wide|tall|high|long|low)\b"
    r"|\bless\b(?! than)|\bmore\b(?! than| or)",
    re.IGNORECASE,
)
_SIZE_CARRIED = re.compile(r"(?:\bas|\bhow|\d|mm|cm|px|pixels|times|or|than|interval|range)\s*$", re.IGNORECASE)
_GRADED = re.compile(r"\bgrade[ds]?\s+(?:is\s+|as\s+|of\s+)?(?P<grade>[a-z]+)", re.IGNORECASE)


def wording_violations(said: Said) -> list[Violation]:
    """Every word that needs support and has none."""
    known = _known(said)
    found: list[Violation] = []
    strange = unsupported(said.text, known)
    if strange:
        found.append(Violation(rule="wording", reason=f"not in the evidence: {', '.join(strange[:6])[:120]}"))
    loose = [w for w in degrees(said.text) if stem(w) not in known]
    if loose:
        found.append(Violation(rule="wording", reason=f"no evidence grades it as '{loose[0]}'"))
    certain = overclaim(said.text)
    if certain and not said.knowledge and stem(certain.lower()) not in known:
        found.append(Violation(rule="wording", reason=f"no evidence carries '{certain}'"))
    found += _sizes(said, known)
    found += _states(said)
    found += _grades(said)
    return found


def _known(said: Said) -> frozenset[str]:
    texts = [t for item in said.cited for t in (names(item), *told(item))]
    texts += list(said.notes)
    for concept in said.established | {c.concept for c in said.claims}:
        texts.append(concept)
        if said.graph.has(concept):
            entry = said.graph.concept(concept)
            texts += [entry.name, *getattr(entry, "synonyms", ())]
    texts += [m.text for m in said.mentions]  # unsupported mentions have a violation of their own
    return vocabulary(texts)


def _sizes(said: Said, known: frozenset[str]) -> list[Violation]:
    """Size words outside a comparison with a number, with a side, or with a threshold."""
    if said.knowledge:
        return []
    sided_words = side_words(said.text) if said.measured & set(RIGHT_OVER_LEFT) else []
    for match in _SIZE.finditer(said.text):
        low, high = said.clause(match.start())
        compared = any(low <= c.start <= high for c in said.comparisons)
        sided = any(low <= w.start < high for w in sided_words)
        if compared or sided or _SIZE_CARRIED.search(said.text[low : match.start()]):
            continue
        if any(m.start <= match.start() < m.end for m in said.mentions) or stem(match[0].lower()) in known - glue():
            continue
        return [Violation(rule="comparison", reason=f"'{match[0]}' has no number beside it")]
    return []


def _states(said: Said) -> list[Violation]:
    """Words of state must belong to a mention, so that their subject and their negation are checked with it."""
    owned = [span for claim in said.claims for span in states(claim, said)]
    owned += [(m.start, m.end) for m in said.mentions]
    owned += [m.span("grade") for m in _GRADED.finditer(said.text)]
    for match in STATE.finditer(said.text):
        if not said.knowledge and not any(a <= match.start() < b for a, b in owned):
            return [Violation(rule="wording", reason=f"'{match[0]}' belongs to no concept of a cited claim")]
    return []


def _grades(said: Said) -> list[Violation]:
    reports = [i.result for i in said.cited if isinstance(i.result, QualityReport)]
    for match in _GRADED.finditer(said.text) if reports else []:
        low, _ = said.clause(match.start())
        before = said.text[low : match.start()].lower()
        grades = {a.grade for r in reports for a in r.attributes if a.name.replace("_", " ") in before}
        if not grades or "overall" in before:
            grades = {r.overall for r in reports}
        if match["grade"].lower() not in grades:
            return [Violation(rule="wording", reason=f"'{match[0]}' is not the measured grade")]
    return []


def knowledge_violations(said: Said) -> list[Violation]:
    """Knowledge in other words than the cited ones: one cited relation, in its direction, of nobody in particular."""
    if not said.knowledge:
        return []
    personal = about_patient(said.text)
    if personal:
        return [Violation(rule="wording", reason=f"knowledge says nothing of '{personal}'")]
    edges = [e for i in said.cited if isinstance(i.result, GraphPaths) for path in i.result.paths for e in path]
    if not edges:
        return []
    first = {m.concept: m.start for m in reversed(said.mentions)}
    pairs = [e for e in edges if e.subject in first and e.object in first]
    if not pairs:
        return [Violation(rule="entity", reason="no cited relation has both its ends in the text")]
    for edge in pairs:
        spoken = {m.concept: m for m in reversed(mentioned(edge.text, said.graph))}
        if edge.subject in spoken and edge.object in spoken:
            turned = (spoken[edge.subject].start < spoken[edge.object].start) != (
                first[edge.subject] < first[edge.object]
            )
            if turned:
                return [Violation(rule="entity", reason=f"the relation of {edge.subject} and {edge.object} is turned")]
        for mention in said.mentions:
            same = spoken.get(mention.concept)
            if same is None:
                continue
            here = negated(said.text, mention.start, mention.end)
            if here != negated(edge.text, same.start, same.end):
                return [
                    Violation(rule="polarity", reason=f"the cited relation does not deny {mention.concept} this way")
                ]
    return []
