"""Text to concepts: where each is mentioned, what is asserted of it, on which side, where, how severe, since when."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.kg.text.abbreviations import defined
from secondread.kg.text.assertion import Assertion, judge
from secondread.kg.text.candidates import Finder
from secondread.kg.text.dictionary import MAX_WORDS, Dictionary
from secondread.kg.text.normalise import EMPTY, Token, tokens
from secondread.kg.text.sections import Sentence, sentences
from secondread.schema.record import Record

if TYPE_CHECKING:
    from secondread.kg.graph import Graph

MAX_CHARACTERS = 200_000
SHORTEST = 4
"""Characters of a mention that is not a short form of its text or of a trusted list: shorter ones name too much."""
_SIDES = {"left": "left", "lt": "left", "l": "left", "right": "right", "rt": "right", "r": "right",
          "bilateral": "bilateral", "bilaterally": "bilateral", "both": "bilateral",
          "bibasilar": "bilateral"}  # fmt: skip
_SEVERE = {
    "minimal": "mild", "trace": "mild", "tiny": "mild", "slight": "mild", "small": "mild", "mild": "mild",
    "mildly": "mild", "subtle": "mild", "minor": "mild", "moderate": "moderate", "moderately": "moderate",
    "marked": "severe", "severe": "severe", "severely": "severe", "large": "severe", "massive": "severe",
    "extensive": "severe", "gross": "severe",
}  # fmt: skip
_TIMES = {
    "new": "new", "acute": "new", "newly": "new", "developing": "new", "interval": "changed", "increased": "changed",
    "increasing": "changed", "worsening": "changed", "worsened": "changed", "enlarging": "changed",
    "decreased": "improved", "decreasing": "improved", "improved": "improved", "improving": "improved",
    "resolving": "improved", "unchanged": "stable", "stable": "stable", "persistent": "stable", "chronic": "old",
    "old": "old", "healed": "old", "remote": "old", "longstanding": "old",
}  # fmt: skip
AND = frozenset({"and", "or"})
_AROUND = 6
"""Words before a mention in which side, severity and time are looked for; four after it."""
_GENERAL = frozenset({("disease",), ("syndrome",), ("disorder",), ("deficiency",), ("abnormality",), ("illness",)})
"""Names of everything of a kind: no mention of one thing."""
_HEADS = re.compile(
    r"(oma|osis|itis|emia|pathy|trophy|plasia|lysis|sclerosis|uria|algia|megaly|penia|cele|oid|asis|ism)$"
    r"|^(disease|syndrome|disorder|deficiency|tumor|carcinoma|cancer|failure|insufficiency|defect|anomaly|abnormality|"
    r"retardation|infection|palsy|loss|delay|malformation|neoplasm|fracture|effusion|edema|injury)$"
)
_BREAK = re.compile(r"[.;:]|,\s+(?:but|and no|with no)\b")


class LinkedMention(Record):
    """One place where a text names a concept."""

    start: int
    end: int
    """Characters of the text, end exclusive."""
    text: str
    concept: str
    candidates: tuple[str, ...] = ()
    """Every concept that the words may mean, the chosen one first."""
    how: str = ""
    """How words and name agreed."""
    assertion: Assertion = "present"
    rule: str = ""
    """The phrase that decided the assertion; empty when none did."""
    laterality: str | None = None
    location: str | None = None
    """Concept id of a structure named in the same sentence."""
    severity: str | None = None
    temporality: str | None = None
    section: str = ""


class Linker:
    """Finds concepts in texts. Stateless between texts; safe to share between threads.

    Args:
        finder: Of names.
        places: Concept ids that are structures, for the location of findings.
        trusted: Concept ids whose short names may be taken at their word.
        variants: Also take names with another head or word order, where a phrase ends like the name of a disease.
    """

    def __init__(
        self, finder: Finder, *, places: Iterable[str] = (), trusted: Iterable[str] = (), variants: bool = False
    ) -> None:
        self._finder = finder
        self._places = frozenset(places)
        self._trusted = frozenset(trusted)
        self._variants = variants

    @classmethod
    def from_graph(cls, graph: "Graph") -> "Linker":
        """A linker to the concepts of the authored graph."""
        names = [(c.id, text) for c in graph for text in c.surfaces()]
        places = [c.id for c in graph if c.kind == "anatomy"]
        return cls(Finder(Dictionary.of(names)), places=places, trusted=[c.id for c in graph])

    @classmethod
    def from_names(cls, names: Iterable[tuple[str, str]], *, places: Iterable[str] = ()) -> "Linker":
        """A linker to (concept id, name) pairs."""
        return cls(Finder(Dictionary.of(names)), places=places)

    @classmethod
    def from_dictionary(cls, folder: Path) -> "Linker":
        """A linker to a dictionary on disk.

        Raises:
            InputError: The folder holds none.
        """
        return cls(Finder(Dictionary.open(folder)))

    def link(self, text: str) -> list[LinkedMention]:
        """Mentions in order of place; the longest name wins, and none overlaps another.

        Args:
            text: Any text; what lies beyond 200,000 characters is not read.
        """
        text = text[:MAX_CHARACTERS]
        short = defined(text)
        found: list[LinkedMention] = []
        for sentence in sentences(text):
            found += self._sentence(text, sentence, short)
        return found

    def _sentence(self, text: str, sentence: Sentence, short: Mapping[str, str]) -> list[LinkedMention]:
        body = text[sentence.start : sentence.end]
        words = tokens(body)
        spans = self._spans(body, words, short)
        places = [(first, last, ids[0]) for first, last, ids, _ in spans if ids[0] in self._places]
        made: list[LinkedMention] = []
        for first, last, ids, how in spans:
            start, end = words[first].start, words[last - 1].end
            verdict = judge(body, start, end)
            near = _near(body, words, first, last)
            made.append(
                LinkedMention(
                    start=sentence.start + start,
                    end=sentence.start + end,
                    text=body[start:end],
                    concept=ids[0],
                    candidates=ids,
                    how=how,
                    assertion=verdict.assertion,
                    rule=verdict.rule,
                    laterality=next((_SIDES[w] for w in near if w in _SIDES), None),
                    location=_location(first, last, places, ids[0]),
                    severity=next((_SEVERE[w] for w in near if w in _SEVERE), None),
                    temporality=next((_TIMES[w] for w in near if w in _TIMES), None),
                    section=sentence.section,
                )
            )
        return made

    def _spans(
        self, body: str, words: list[Token], short: Mapping[str, str]
    ) -> list[tuple[int, int, tuple[str, ...], str]]:
        """(first word, last word + 1, concept ids, how) of every mention, left to right, longest first."""
        found: list[tuple[int, int, tuple[str, ...], str]] = []
        table = self._finder.dictionary.runs([w.text for w in words])
        known, begins = table.tolist(), [any(row) for row in table.tolist()]
        place = 0
        while place < len(words):
            hit = self._short_form(body, words, place, short) if short else None
            if hit is None and (self._variants or begins[place]):
                hit = self._longest(body, words, place, known[place])
            if hit is None:
                shared = self._coordinated(body, words, place) if place + 1 < len(words) else None
                if shared is not None:
                    found.append(shared)
                place += 1
                continue
            found.append((place, *hit))
            place = hit[0]
        return found

    def _short_form(
        self, body: str, words: list[Token], place: int, short: Mapping[str, str]
    ) -> tuple[int, tuple[str, ...], str] | None:
        """A short form that the text itself explains."""
        start = words[place].start
        for last in range(min(place + 3, len(words)), place, -1):
            long = short.get(body[start : words[last - 1].end])
            if long is not None:
                found = self._finder.find(long, level="variants")
                return (last, found.ids, f"short form, {found.how}") if found.ids else None
        return None

    def _longest(
        self, body: str, words: list[Token], place: int, known: list[bool]
    ) -> tuple[int, tuple[str, ...], str] | None:
        """The longest name that begins at a word and stays within a clause.

        `known` says for each length, less one, whether the words are a name as they stand.
        """
        for last in range(min(place + MAX_WORDS, len(words)), place, -1):
            run = tuple(w.text for w in words[place:last])
            loosely = self._variants and 1 < last - place <= 6 and run[0] not in EMPTY and _headed(run[-1])
            if not (loosely or known[last - place - 1]):
                continue
            found = self._finder.of_words(run, "variants" if loosely else "words")
            if not found.ids:
                continue
            start, end = words[place].start, words[last - 1].end
            if last - place > 1 and _BREAK.search(body[start:end]):
                continue
            if run in _GENERAL or (end - start < SHORTEST and found.ids[0] not in self._trusted):
                continue
            return last, found.ids, found.how
        return None

    def _coordinated(self, body: str, words: list[Token], place: int) -> tuple[int, int, tuple[str, ...], str] | None:
        """`breast` of `breast and ovarian cancer`: a word before `and`, `or` or a stroke that shares the next head."""
        if place + 2 >= len(words):
            return None
        after = place + 1
        joined = words[after].text in AND
        if not joined and body[words[place].end : words[after].start].strip() not in ("/", ","):
            return None
        start = after + 1 if joined else after
        for last in range(start + 2, min(start + 4, len(words)) + 1):
            head = words[last - 1].text
            rows = self._finder.dictionary.rows((words[place].text, head))
            whole = self._finder.dictionary.rows(tuple(w.text for w in words[start:last]))
            if rows and whole:
                return place, place + 1, tuple(self._finder.dictionary.ids[r] for r in rows), "shares a head"
        return None


def _headed(word: str) -> bool:
    """Whether names of diseases end in such a word."""
    return _HEADS.search(word) is not None


def _near(body: str, words: list[Token], first: int, last: int) -> list[str]:
    """Words around a mention within its clause, the nearest before it first, then those in it, then those after it."""
    before: list[str] = []
    for n in range(first - 1, max(-1, first - 1 - _AROUND), -1):
        if any(c in ".;:" for c in body[words[n].end : words[n + 1].start]):
            break
        before.append(words[n].text)
    after: list[str] = []
    for n in range(last, min(len(words), last + 4)):
        gap = body[words[n - 1].end : words[n].start]
        if any(c in ".;:" for c in gap):
            break
        if "," in gap:  # `effusion, unchanged.` says it of the effusion, `effusion, stable heart` does not
            rest = body[words[n].end :].lstrip()
            if words[n].text in _TIMES and (not rest or rest[0] in ".;"):
                after.append(words[n].text)
            break
        after.append(words[n].text)
    return [*(w.text for w in words[first:last]), *before, *after]


def _location(first: int, last: int, places: list[tuple[int, int, str]], own: str) -> str | None:
    """The structure of the sentence that stands nearest to a mention."""
    others = [(min(abs(a - last), abs(first - b)), c) for a, b, c in places if (a, b) != (first, last) and c != own]
    return min(others)[1] if others else None
