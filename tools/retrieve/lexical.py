"""Words of a query and how much of its meaning a passage covers."""

import math
import re
from collections.abc import Sequence

_ASKING = (
    "a about above after again all also am an and any are as at be because been before being between both "
    "but by can could did do does doing done down during each few for from further had has have having he "
    "her here hers him his how i if in into is it its just know like me more most my no nor not now of "
    "off on once only or other our out over own please same say says she should so some such tell than "
    "that the their them then there these they this those through to too under until up very was we were "
    "what when where which while who whom why will with would you your literature find show give evidence "
    "source sources passages articles paper papers study studies "
)
STOP = frozenset(_ASKING.split())
"""Words that ask, not what is asked for."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def terms(text: str) -> list[str]:
    """Telling words of a query in lower case, in order, each once, at most 64."""
    found = (w.lower() for w in _WORD.findall(text[:4000]))
    return list(dict.fromkeys(w for w in found if w not in STOP and (len(w) > 1 or w.isdigit())))[:64]


def stem(word: str) -> str:
    """The beginning by which words of one family are held to be the same."""
    for ending in ("ations", "ation", "ically", "ities", "ments", "ment", "ness", "ings", "ing", "ical", "ies", "ed",
                   "es", "ic", "al", "ly", "s", "y", "e"):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def stems(text: str) -> frozenset[str]:
    """Stems of the words of a text."""
    return frozenset(stem(w.lower()) for w in _WORD.findall(text))


def coverage(query: Sequence[str], text: str) -> float:
    """Share of a query's words whose stems stand in a text, 0 to 1."""
    held = stems(text)
    return sum(stem(w) in held for w in query) / len(query) if query else 0.0


def idf(frequency: int, count: int) -> float:
    """Inverse document frequency as BM25 has it (Robertson and Zaragoza, 2009), never below 0."""
    return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))
