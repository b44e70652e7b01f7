"""Concepts that a span may name, from the strictest way of agreeing to the loosest."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from secondread.kg.text.dictionary import Dictionary
from secondread.kg.text.normalise import EMPTY, loose, normal, unordered

HEADS = ("disease", "syndrome", "disorder", "deficiency", "tumor", "carcinoma")
"""Words that a name may end in or lack: `von Hippel-Lindau` is the disease."""
_MODIFYING = (
    "sporadic familial inherited hereditary classical classic typical atypical acute chronic severe mild moderate "
    "primary secondary early late onset advanced common rare isolated idiopathic human adult recurrent progressive "
    "bilateral unilateral left right multiple single new old large small diffuse focal"
)
MODIFIERS = frozenset(_MODIFYING.split())
"""Words that narrow a name; a name without them is broader and never something else."""
LEAST_OVERLAP = 0.62
"""Share of the weight of words that a span and a name must have in common (Dice coefficient over inverse document
frequencies) to agree at all."""
MAX_POSTINGS = 4000
"""Words that more names than this hold do not open a search."""

Level = Literal["words", "exact", "variants", "fuzzy"]


class Candidates(NamedTuple):
    """Concept ids by priority, and how the span agreed with their names; empty when nothing did."""

    ids: tuple[str, ...]
    how: str


class Overlap:
    """Names by the words they share with a span; for dictionaries that fit into memory."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._names: list[tuple[str, frozenset[str]]] = []
        self._postings: dict[str, list[int]] = defaultdict(list)
        counts: Counter[str] = Counter()
        for concept, name in names:
            words = frozenset(loose(normal(name)))
            if not words:
                continue
            for word in words:
                self._postings[word].append(len(self._names))
            counts.update(words)
            self._names.append((concept, words))
        total = max(1, len(self._names))
        self._weight = {w: math.log(1 + total / n) for w, n in counts.items()}
        self._rare = math.log(1 + total)

    def best(self, words: Sequence[str]) -> tuple[str, float] | None:
        """The concept whose name shares most of the weight of these words, and that share; None below the least."""
        asked = frozenset(loose(tuple(words)))
        if not asked:
            return None
        weight = {w: self._weight.get(w, self._rare) for w in asked}
        mine = sum(weight.values())
        shared: Counter[int] = Counter()
        for word in asked:
            postings = self._postings.get(word, ())
            if len(postings) <= MAX_POSTINGS:
                for number in postings:
                    shared[number] += weight[word]  # type: ignore[assignment]  # a Counter of floats
        best: tuple[float, int] | None = None
        for number in shared:
            held = self._names[number][1]
            both = sum(weight[w] for w in asked & held)
            score = 2 * both / (mine + sum(self._weight[w] for w in held))
            if best is None or score > best[0] + 1e-12:
                best = (score, number)
        if best is None or best[0] < LEAST_OVERLAP:
            return None
        return self._names[best[1]][0], best[0]


class Finder:
    """Finds the concepts that a span names.

    Args:
        dictionary: Of names.
        overlap: Searches by shared words when nothing else agrees; None leaves that out.
        short: Short forms that hold everywhere, to long ones.
    """

    def __init__(
        self, dictionary: Dictionary, overlap: Overlap | None = None, short: Mapping[str, str] | None = None
    ) -> None:
        self.dictionary = dictionary
        self._overlap = overlap
        self._short = dict(short or {})

    def find(self, span: str, defined: Mapping[str, str] | None = None, *, level: Level = "fuzzy") -> Candidates:
        """Concepts of a span.

        Args:
            span: Text of a mention.
            defined: Short forms that its document defines; they come before names of the dictionary.
            level: `words`: the same words in the same order; `exact`: words in this or another order; `variants`: also
                with another head (`disorder` for `disease`), ending or spelling; `fuzzy`: also a part of it, or a name
                that shares most of its words.
        """
        meant = (defined or {}).get(span.strip()) or self._short.get(span.strip())
        if meant is not None:
            found = self.of_words(normal(meant), level)
            if found.ids:
                return Candidates(found.ids, f"short form, {found.how}")
        expanded = self._expanded(span, defined or {})
        words = normal(expanded)
        return self.of_words(words, level) if words else Candidates((), "")

    def _expanded(self, span: str, defined: Mapping[str, str]) -> str:
        """The span with short forms inside it written out."""
        parts = span.split()
        if len(parts) < 2:
            return span
        return " ".join(defined.get(p.strip(",;"), p) if p.strip(",;").isupper() else p for p in parts)

    def of_words(self, words: tuple[str, ...], level: Level) -> Candidates:
        """Concepts of folded words; see `find`."""
        found = self._ids(words, "exact")
        if found or level == "words":
            return Candidates(found, "exact" if found else "")
        found = self._ids(unordered(words), "unordered")
        if found:
            return Candidates(found, "unordered")
        if level == "exact":
            return Candidates((), "")
        for how, variant in self._variants(words):
            found = self._ids(variant, "exact") or self._ids(unordered(variant), "unordered")
            if found:
                return Candidates(found, how)
        found = self._ids(loose(words), "loose")
        if found:
            return Candidates(found, "loose")
        if level == "variants":
            return Candidates((), "")
        for cut in _shorter(words):
            found = self._ids(cut, "exact") or self._ids(unordered(cut), "unordered") or self._ids(loose(cut), "loose")
            if found:
                return Candidates(found, "without modifiers")
        if self._overlap is not None:
            near = self._overlap.best(words)
            if near is not None:
                return Candidates((near[0],), f"shared words {near[1]:.2f}")
        return Candidates((), "")

    def _variants(self, words: tuple[str, ...]) -> Iterable[tuple[str, tuple[str, ...]]]:
        if words[-1] in HEADS and len(words) > 1:
            yield "without its head", words[:-1]
        if words[-1] == "deficient":
            yield "as a deficiency", (*words[:-1], "deficiency")
        if words[-1] not in HEADS:
            for head in HEADS[:3]:
                yield f"with {head}", (*words, head)
        elif len(words) > 1:
            for head in HEADS[:3]:
                if head != words[-1]:
                    yield f"as {head}", (*words[:-1], head)

    def _ids(self, words: Sequence[str], form: str) -> tuple[str, ...]:
        if not words:
            return ()
        return tuple(self.dictionary.ids[r] for r in self.dictionary.rows(words, form))


def _shorter(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """The words without narrowing ones, then without their beginning, word by word."""
    kept = tuple(w for w in words if w not in MODIFIERS)
    if kept and kept != words:
        yield kept
    for start in range(1, len(words)):
        rest = words[start:]
        if rest[0] not in EMPTY and (len(rest) > 1 or len(words) == 2):
            yield rest
