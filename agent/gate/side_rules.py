"""Left and right against the evidence: named structures, the claim's location, and comparisons of both sides."""

from secondread.agent.gate.facts import told
from secondread.agent.gate.said import Said
from secondread.agent.gate.sides import (
    RIGHT_OVER_LEFT,
    SideWord,
    compares_sides,
    contradicts,
    side_words,
    sides_of_name,
)
from secondread.agent.gate.text import clauses
from secondread.agent.gate.violation import Violation
from secondread.schema.answer import Claim
from secondread.schema.evidence import Findings, Measurement, Regions


def _range(measurement: Measurement) -> tuple[float, float, float]:
    value = measurement.value or 0.0
    if measurement.interval is not None:
        return value, measurement.interval.low, measurement.interval.high
    margin = 1.645 * (measurement.spread or 0.0)
    return value, value - margin, value + margin


def location_violations(claim: Claim, said: Said) -> list[Violation]:
    """A claim's `location` must be in its evidence: the item's name, box, note, or the right / left ratio itself."""
    if claim.location is None:
        return []
    ratio = said.measurements.get(claim.concept)
    if ratio is not None and claim.concept in RIGHT_OVER_LEFT:
        larger = "right" if (ratio.value or 0.0) > 1.0 else "left"
        wrong = claim.location in ("left", "right") and claim.location != larger
        return (
            [Violation(rule="side", reason=f"the ratio {ratio.value:.3g} is larger on the {larger}")] if wrong else []
        )
    wanted = sides_of_name(claim.location)
    if wanted <= _sides_of(claim.concept, said) and (wanted or claim.location.lower() in _notes(said)):
        return []
    return [Violation(rule="side", reason=f"the evidence does not place {claim.concept} at '{claim.location}'")]


def _sides_of(concept: str, said: Said) -> set[str]:
    """Patient sides that the evidence gives for one concept; a structure that is named by its side has that one."""
    found = sides_of_name(concept)
    if found:
        return found
    for item in said.cited:
        if isinstance(item.result, Findings):
            finding = item.result.get(concept)
            if finding is not None:
                found |= sides_of_name(finding.region.name) if finding.region else set()
                found |= {w.side for w in side_words(finding.note) if w.frame == "patient"}
    return found


def _notes(said: Said) -> str:
    return " ".join(t for item in said.cited for t in told(item)).lower()


def _image_sides(said: Said) -> set[str]:
    found = {w.side for item in said.cited for t in told(item) for w in side_words(t) if w.frame == "image"}
    for item in said.cited:
        if isinstance(item.result, Regions) and item.result.heart_side.startswith("image_"):
            found.add(item.result.heart_side.removeprefix("image_"))
        if isinstance(item.result, Findings):
            for finding in item.result.items:
                if finding.concept.startswith("image_"):
                    found |= sides_of_name(finding.concept)
    return found


def side_violations(said: Said) -> list[Violation]:
    """Side words that the evidence does not hold, and comparisons of sides that the numbers contradict."""
    if said.knowledge:
        known = {w.side for item in said.cited for t in told(item) for w in side_words(t)}
        known |= {s for c in said.established for s in sides_of_name(c)}
        stray = [w.side for w in side_words(said.text) if w.side not in known]
        return [Violation(rule="side", reason=f"'{s}' is in no cited sentence") for s in stray[:1]]
    found = _compared(said)
    ratios = [n for n in said.measurements if n in RIGHT_OVER_LEFT]
    allowed: set[str] = set()
    for claim in said.claims:
        allowed |= _sides_of(claim.concept, said)
        if claim.location is not None:
            allowed |= sides_of_name(claim.location)
    image = _image_sides(said)
    for word in side_words(said.text):
        if word.frame == "image":
            bad = word.side not in image
        elif _in_structure(word, said) or (ratios and _between_sides(word, said)):
            bad = False
        else:
            bad = not ({"left", "right"} <= allowed if word.side == "both" else word.side in allowed)
        if bad:
            found.append(Violation(rule="side", reason=f"'{said.text[word.start : word.end]}' is not in the evidence"))
    return found


def _in_structure(word: SideWord, said: Said) -> bool:
    """Whether the side belongs to a structure that the evidence names, such as the right lung."""
    for mention in said.mentions:
        if mention.start <= word.start < mention.end and word.side in sides_of_name(mention.concept):
            return mention.concept in said.established
    return False


def _between_sides(word: SideWord, said: Said) -> bool:
    """Whether a side stands in a clause that sets one side against the other, as a ratio of both does."""
    low, high = next(((a, b) for a, b in clauses(said.text) if a <= word.start < b), (0, len(said.text)))
    clause = said.text[low:high]
    named = {w.side for w in side_words(clause) if w.frame == "patient"}
    return {"left", "right"} <= named or (word.side in ("left", "right") and compares_sides(clause))


def _compared(said: Said) -> list[Violation]:
    ratios = [m for n, m in said.measurements.items() if n in RIGHT_OVER_LEFT]
    found: list[Violation] = []
    for low, high in clauses(said.text) if ratios else []:
        if compares_sides(said.text[low:high]) and all(c.location is None for c in said.claims):
            found.append(Violation(rule="side", reason="no cited claim says which side is larger"))
        named = said.last_mention(high, set(RIGHT_OVER_LEFT))
        chosen = [m for m in ratios if m.name == named] or _claimed(said, ratios) or ratios
        for ratio in chosen:
            reason = contradicts(said.text[low:high], *_range(ratio))
            if reason:
                found.append(Violation(rule="side", reason=reason))
    return found


def _claimed(said: Said, ratios: list[Measurement]) -> list[Measurement]:
    wanted = {c.concept for c in said.claims}
    return [m for m in ratios if m.name in wanted]
