"""A text cut into clauses that each ask one thing, without the polite wrapping."""

import re

_START = (
    r"(?:is|are|does|do|has|have|can|could|what|what's|whats|which|where|how|any|show|"
    r"compare|was|were|why|who|tell|give|when|measure|locate)"
)
_CUT = re.compile(
    (
        rf"[?;\n]+|\.(?=\s|$)|!+|,?\s+(?:and|but|also|plus|or)\s+(?:also\s+)?(?={_START}\b)|"
        rf",\s*(?:and\s+)?(?={_START}\b)"
    ),
    re.IGNORECASE,
)
_SEGMENT = re.compile(r"\s*,\s*|\s+(?:and|or|but|nor|plus)\s+|\s*[/&]\s*|\s+-\s+", re.IGNORECASE)
_POLITE = re.compile(
    r"^\s*(?:(?:hello|hi|hey|dear|good (?:morning|day|evening)|please|pls|kindly|ok|okay|"
    r"so|well|then|thanks|thank you|doc|doctor|"
    r"sir|and|also|now|quick question|question|sorry|excuse me)\b[\s,:.!-]*)+"
    r"|^\s*(?:can|could|would|will) you (?:please |kindly |pls )?(?:tell me|say|check|see|"
    r"look|determine|let me know)"
    r"(?: me)?(?: whether| if| for me)?\s*"
    r"|^\s*(?:i'd|i would|we'd|we would) like to know (?:whether |if )?|^\s*(?:please |"
    r"pls )?(?:tell me|let me know|check|say) (?:whether|if)\s+"
    r"|^\s*(?:do|would) you (?:think|say|know)(?: that| whether| if)?\s+|^\s*i (?:wonder|"
    r"want to know|was wondering)(?: whether| if)?\s+",
    re.IGNORECASE,
)


def strip_politeness(text: str) -> str:
    """The text without greetings and "could you tell me whether"."""
    for _ in range(4):
        shorter = _POLITE.sub("", text, count=1)
        if shorter == text or not shorter.strip(" ?.!"):
            return text
        text = shorter
    return text


def clauses(text: str) -> list[str]:
    """Parts of a text that each carry a question of their own; never an empty one."""
    found = [strip_politeness(p).strip() for p in _CUT.split(text)]
    return [p for p in found if p]


def segments(clause: str) -> list[tuple[int, int]]:
    """Character ranges of the parts of a clause between commas, "and" and "or"."""
    made: list[tuple[int, int]] = []
    start = 0
    for cut in _SEGMENT.finditer(clause):
        made.append((start, cut.start()))
        start = cut.end()
    made.append((start, len(clause)))
    return [(a, b) for a, b in made if clause[a:b].strip()]
