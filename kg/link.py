"""Words of a text -> concepts of the graph, with negation and side."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

from secondread.kg.graph import Graph
from secondread.kg.typos import corrected
from secondread.kg.words import Word, fold, words
from secondread.schema.record import Record

MAX_CHARACTERS = 20_000
"""Longer texts are read up to here."""


class Mention(Record):
    """One place where a text names a concept."""

    start: int
    end: int
    """Characters of the text, end exclusive."""
    text: str
    concept: str
    negated: bool = False
    laterality: str | None = None
    """`left`, `right` or `bilateral`, in the words of the text."""
    alternatives: tuple[str, ...] = ()
    """Other concepts that the same words can mean."""


class Lexicon(NamedTuple):
    """A graph's surface forms, ready for matching."""

    surfaces: dict[tuple[str, ...], tuple[str, ...]]
    longest: int
    vocabulary: frozenset[str]


_lexicons: "WeakKeyDictionary[Graph, Lexicon]" = WeakKeyDictionary()


def lexicon(graph: Graph) -> Lexicon:
    """Surface forms of a graph, kept while the graph lives."""
    held = _lexicons.get(graph)
    if held is None:
        surfaces = graph.surfaces
        held = Lexicon(
            surfaces=surfaces,
            longest=max((len(s) for s in surfaces), default=0),
            vocabulary=frozenset(w for s in surfaces for w in s),
        )
        _lexicons[graph] = held
    return held


_NEGATIONS = {
    fold(t)
    for t in (
        "no",
        "not",
        "without",
        "denies",
        "denied",
        "deny",
        "negative for",
        "absence of",
        "absent",
        "free of",
        "rule out",
        "rules out",
        "ruled out",
        "no evidence of",
        "no sign of",
        "no signs of",
        "lack of",
        "lacks",
        "never",
        "isn't",
        "aren't",
        "doesn't",
        "don't",
        "exclude",
        "excludes",
        "none",
        "neither",
        "nor",
        "rather than",
    )
}
_NOT_NEGATIONS = {
    fold(t) for t in ("not only", "no change in", "not excluded", "cannot exclude", "not ruled out", "no increase in")
}
_AFTER = {
    fold(t)
    for t in (
        "is absent",
        "are absent",
        "was excluded",
        "is excluded",
        "not seen",
        "is not seen",
        "not present",
        "is not present",
        "ruled out",
        "is ruled out",
        "not identified",
        "not found",
        "is not found",
        "are not seen",
        "is negative",
    )
}
_STOPS = frozenset(
    {"but", "however", "although", "though", "except", "because", "yet", "whereas", "while", "that", "which"}
)
_SCOPE = 6
"""Words that a negation reaches forward."""
_SIDES = {
    "left": "left",
    "right": "right",
    "bilateral": "bilateral",
    "both": "bilateral",
    "bilaterally": "bilateral",
    "lt": "left",
    "rt": "right",
}


def mentions(text: str, graph: Graph) -> list[Mention]:
    """Concepts that a text names, in order of place; the longest run of words wins.

    Words of seven letters or more may hold one typing error. Any text is read, whatever its language; what the
    graph does not know is passed over.
    """
    lex = lexicon(graph)
    found = words(text[:MAX_CHARACTERS])
    tokens = [w.text if w.text in lex.vocabulary else corrected(w.text, lex.vocabulary) for w in found]
    made: list[Mention] = []
    place = 0
    while place < len(tokens):
        for length in range(min(lex.longest, len(tokens) - place), 0, -1):
            ids = lex.surfaces.get(tuple(tokens[place : place + length]))
            if ids and not _crosses(text, found[place : place + length]):
                start, end = found[place].start, found[place + length - 1].end
                made.append(
                    Mention(
                        start=start,
                        end=end,
                        text=text[start:end],
                        concept=ids[0],
                        negated=_negated(text, found, tokens, place, length),
                        laterality=_side(text, found, tokens, place, length),
                        alternatives=ids[1:],
                    )
                )
                place += length
                break
        else:
            place += 1
    return made


def _crosses(text: str, run: Sequence[Word]) -> bool:
    """Whether a sentence ends inside a run of words."""
    return any(c in ".?!;\n" for a, b in pairwise(run) for c in text[a.end : b.start])


@lru_cache(maxsize=64)
def _lengths(which: str) -> tuple[int, ...]:
    group = {"no": _NEGATIONS, "pseudo": _NOT_NEGATIONS, "after": _AFTER}[which]
    return tuple(sorted({len(t) for t in group}, reverse=True))


def _negated(text: str, found: Sequence[Word], tokens: Sequence[str], place: int, length: int) -> bool:
    for start in range(place - 1, max(-1, place - 1 - _SCOPE), -1):
        gap = text[found[start].end : found[start + 1].start]
        if any(c in gap for c in ".?!;:\n") or tokens[start] in _STOPS:
            break
        for size in _lengths("no"):
            first = start - size + 1
            if first >= 0 and tuple(tokens[first : start + 1]) in _NEGATIONS:
                return not any(
                    _at(tokens, at, s, _NOT_NEGATIONS)
                    for s in _lengths("pseudo")
                    for at in range(max(0, first - s + 1), first + 1)
                )
    end = place + length
    return any(_at(tokens, end, s, _AFTER) for s in _lengths("after"))


def _at(tokens: Sequence[str], start: int, size: int, group: set[tuple[str, ...]]) -> bool:
    return tuple(tokens[start : start + size]) in group


def _side(text: str, found: Sequence[Word], tokens: Sequence[str], place: int, length: int) -> str | None:
    end = place + length
    inside = [_SIDES[t] for t in tokens[place:end] if t in _SIDES]
    if inside:
        return inside[0]
    for i in range(place - 1, max(-1, place - 3), -1):
        if _crosses(text, found[i : i + 2]):
            break
        if tokens[i] in _SIDES:
            return _SIDES[tokens[i]]
    for i in range(end, min(end + 4, len(tokens))):
        if _crosses(text, found[i - 1 : i + 1]):
            break
        if tokens[i] in _SIDES:
            leads = any(w in ("on", "in", "at", "of") for w in tokens[end:i])
            closes = i == end and (i + 1 == len(tokens) or tokens[i + 1] in ("and", "or", "side", "sided"))
            return _SIDES[tokens[i]] if leads or closes else None
    return None
