"""The sentences of a passage that bear on a query."""

import re
from collections.abc import Sequence

from secondread.tools.retrieve.lexical import coverage, terms

LONGEST = 420
"""Characters of an extract."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(])")


def extract(query: str, text: str) -> str:
    """Up to `LONGEST` characters of whole sentences around the one that bears most on the query.

    A text is quoted as it stands: nothing is reworded, and what is left out at either end is marked with `...`.
    """
    clean = " ".join(text.split())
    if len(clean) <= LONGEST:
        return clean
    sentences = _SENTENCE.split(clean)
    words = terms(query)
    worth = [coverage(words, s) for s in sentences]
    best = max(range(len(sentences)), key=lambda n: (worth[n], -n))
    first, last = best, best
    length = len(sentences[best])
    while True:
        options = [
            (worth[n], -n, n)
            for n in (first - 1, last + 1)
            if 0 <= n < len(sentences) and length + 1 + len(sentences[n]) <= LONGEST
        ]
        if not options:
            break
        n = max(options)[2]
        first, last = min(first, n), max(last, n)
        length += 1 + len(sentences[n])
    return _shown(sentences, first, last)


def _shown(sentences: Sequence[str], first: int, last: int) -> str:
    said = " ".join(sentences[first : last + 1])
    cut = len(said) > LONGEST
    if cut:
        said = said[: max(said.rfind(" ", 0, LONGEST), 0) or LONGEST]
    return f"{'... ' if first else ''}{said}{' ...' if cut or last + 1 < len(sentences) else ''}"
