"""Clauses that name nothing themselves and ask for more of what the clause before asked: its side, place or size."""

import re
from collections.abc import Sequence

from secondread.kg.asked import Asked
from secondread.kg.graph import Graph

_PLACE = re.compile(
    r"^(?:(?:and|if so|in that case|then)\b[\s,]*)*(?:"
    r"(?:on|in|at)?\s*(?:which|what)\s+(?:side|lung|lobe|zone|part|place|location|rib|bone|region|level|hemithorax)\b.*"
    r"|where(?:\s+(?:is|are|does|do)\s+(?:it|they|that|this)\b.*|\s+exactly)?"
    r"|is\s+(?:it|this|that)\s+(?:on\s+the\s+)?(?:left|right)(?:\s*(?:-|\s)sided|\s+side)?(?:\s+or\b.*)?"
    r")$"
)
_SIZE = re.compile(
    r"^(?:(?:and|if so|in that case|then)\b[\s,]*)*(?:"
    r"how\s+(?:large|big|small|wide|long|much|extensive|severe)(?:\s+(?:is|are)\s+(?:it|they|that|this))?(?:\s+(?:fluid|air))?"
    r"|(?:what\s+(?:is|are)\s+)?(?:its|the)\s+(?:size|extent|volume|diameter)"
    r"|is\s+(?:it|this|that)\s+(?:a\s+)?(?:large|big|small|massive|tiny|minor|extensive|moderate)(?:\s+(?:one|or\b.*))?"
    r")$"
)
_FOLLOWED = ("finding", "disease", "device")
"""Kinds of concepts whose side, place and size are asked for in this way."""


def follow_up(low: str, before: Sequence[Asked], graph: Graph) -> list[Asked]:
    """What a clause asks of the last thing that was asked about; empty when it is no follow-up.

    Args:
        low: The clause in lower case, without punctuation at its ends.
        before: What the clauses before asked, in order.
        graph: Says of what kind a concept is.
    """
    last = next((a for a in reversed(before) if a.kind == "presence"), None)
    if last is None or not graph.has(last.concept) or graph.concept(last.concept).kind not in _FOLLOWED:
        return []
    if _PLACE.match(low):
        return [Asked(kind="location", concept=last.concept)]
    if _SIZE.match(low):
        measured = [e.object for e in graph.neighbors(last.concept, "assessed_by") if "value" in e.qualifiers]
        return [Asked(kind="value", concept=measured[0] if measured else last.concept)]
    return []
