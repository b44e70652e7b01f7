"""What a sentence asserts of a mention: present, absent, uncertain, historical, or of a relative."""

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

Assertion = Literal["present", "absent", "uncertain", "historical", "family"]
KINDS = ("negated", "possible", "historical", "family")
_TOKEN = re.compile(r"[a-z0-9]+(?:['/][a-z0-9]+)*|[^\sa-z0-9]", re.IGNORECASE)
REACH = {"negated": 40, "possible": 12, "historical": 12, "family": 30}
"""Words that a phrase reaches forward at most; a stop word, a colon or the end of the sentence ends it earlier."""
REACH_BACK = {"negated": 7, "possible": 9, "historical": 7, "family": 7}
_ENDS = frozenset(".;:?!")


class Rules(NamedTuple):
    """Phrases by their first word, longest first: (words, kind, direction)."""

    by_first: dict[str, tuple[tuple[tuple[str, ...], str, str], ...]]


class Verdict(NamedTuple):
    """What is asserted, and the phrase that says so; an empty phrase when none does."""

    assertion: Assertion
    rule: str


class _Hit(NamedTuple):
    kind: str
    direction: str
    first: int
    last: int
    """Tokens, end exclusive."""
    words: str


def tokens(text: str) -> list[tuple[int, int, str]]:
    """(start, end, lower-case token) of words and single signs."""
    return [(m.start(), m.end(), m.group().lower()) for m in _TOKEN.finditer(text)]


@cache
def rules() -> Rules:
    """The shipped phrases."""
    import yaml

    raw = yaml.safe_load(files("secondread.kg.text").joinpath("rules.yaml").read_text(encoding="utf-8"))
    found: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}

    def add(phrase: str, kind: str, direction: str) -> None:
        if not isinstance(phrase, str):
            raise TypeError(f"rules.yaml: {phrase!r} must be quoted")
        words = tuple(t for _, _, t in tokens(phrase))
        found.setdefault(words[0], []).append((words, kind, direction))

    for kind in KINDS:
        for direction in ("forward", "backward"):
            for phrase in raw[kind].get(direction, ()):
                add(phrase, kind, direction)
    for kind in ("pseudo", "stop"):
        for phrase in raw[kind]:
            add(phrase, kind, "none")
    return Rules({k: tuple(sorted(v, key=lambda one: -len(one[0]))) for k, v in found.items()})


def _hits(words: list[tuple[int, int, str]], held: Rules) -> list[_Hit]:
    """Phrases in a sentence, the longest at each place; phrases of equal length act in every direction they have."""
    made: list[_Hit] = []
    place = 0
    while place < len(words):
        best = 0
        for phrase, kind, direction in held.by_first.get(words[place][2], ()):
            if len(phrase) < best:
                break
            if tuple(w for _, _, w in words[place : place + len(phrase)]) == phrase:
                best = len(phrase)
                made.append(_Hit(kind, direction, place, place + best, " ".join(phrase)))
        place += max(1, best)
    return made


@lru_cache(maxsize=64)
def _read(sentence: str) -> tuple[list[tuple[int, int, str]], list[_Hit], list[_Hit]]:
    """Tokens, phrases and stops of a sentence: its mentions are judged one after the other."""
    words = tokens(sentence)
    hits = _hits(words, rules())
    return words, hits, [h for h in hits if h.kind == "stop"]


def judge(sentence: str, start: int, end: int) -> Verdict:
    """What a sentence asserts of the mention at these characters.

    Args:
        sentence: One sentence.
        start: First character of the mention.
        end: Character after its last one.
    """
    words, hits, every_stop = _read(sentence)
    inside = [n for n, (a, b, _) in enumerate(words) if a < end and b > start]
    if not inside:
        return Verdict("present", "")
    first, last = inside[0], inside[-1] + 1
    found: dict[str, str] = {}
    stops = [h for h in every_stop if not (h.first < last and h.last > first)]
    for hit in hits:
        if hit.kind not in KINDS or (hit.first < last and hit.last > first and hit.first >= first):
            continue
        if hit.direction == "forward" and hit.first < first:
            gap = range(hit.last, first)
            if len(gap) <= REACH[hit.kind] and not _broken(words, gap, stops):
                found.setdefault(hit.kind, hit.words)
        elif hit.direction == "backward" and hit.first >= last:
            gap = range(last, hit.first)
            if len(gap) <= REACH_BACK[hit.kind] and not _broken(words, gap, stops):
                found.setdefault(hit.kind, hit.words)
    for kind, assertion in (("family", "family"), ("negated", "absent"), ("possible", "uncertain"),
                            ("historical", "historical")):  # fmt: skip
        if kind in found:
            return Verdict(assertion, found[kind])  # type: ignore[arg-type]  # values of the literal
    return Verdict("present", "")


def _broken(words: list[tuple[int, int, str]], gap: range, stops: list[_Hit]) -> bool:
    """Whether a sign or a word between a phrase and a mention ends the phrase's reach."""
    if any(words[n][2] in _ENDS for n in gap):
        return True
    return any(h.first >= gap.start and h.last <= gap.stop for h in stops)
