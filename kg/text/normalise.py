"""Words of a name or a text in the form in which they are compared."""

import re
from typing import NamedTuple

from secondread.kg.words import fold_word

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_ROMAN = {
    "i": "1",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "v": "5",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "x": "10",
}
_COUNTED = frozenset({"type", "stage", "grade", "class", "factor", "group", "zone", "mucopolysaccharidosis", "subtype"})
"""Words after which a Roman number is a number."""
EMPTY = frozenset(
    {"the", "a", "an", "of", "in", "and", "or", "with", "to", "for", "by", "on", "at", "from", "due", "nos"}
)
"""Words that do not tell names apart; dropped in the form that ignores word order."""
_SAME = {
    "cancer": "carcinoma", "neoplasm": "tumor", "tumour": "tumor", "kidney": "renal", "liver": "hepatic",
    "heart": "cardiac", "lung": "pulmonary", "stomach": "gastric", "disorder": "disease", "inherited": "hereditary",
    "familial": "hereditary", "congenital": "hereditary", "deficient": "deficiency", "tumorigenesis": "tumor",
}  # fmt: skip
"""Words that stand for each other in names of diseases; used only when nothing else is found."""
_TAIL = re.compile(r"\s*[\[(][^\])]*[\])]\s*$|,?\s*\b(nos|unspecified|not otherwise specified)\s*$", re.IGNORECASE)
MAX_CHARACTERS = 200_000


class Token(NamedTuple):
    """One word and the characters it covers."""

    start: int
    end: int
    text: str


def tokens(text: str) -> list[Token]:
    """Words in order, folded: case, accents, plural, possessive, British spelling, Roman numbers after `type`."""
    found: list[Token] = []
    for match in _WORD.finditer(text[:MAX_CHARACTERS]):
        word = fold_word(match.group())
        if word in _ROMAN and found and found[-1].text in _COUNTED:
            word = _ROMAN[word]
        found.append(Token(match.start(), match.end(), word))
    return found


def normal(text: str) -> tuple[str, ...]:
    """A name as folded words."""
    return tuple(t.text for t in tokens(text))


def bare(name: str) -> str:
    """A name without a bracketed suffix, `NOS` or `unspecified` at its end."""
    cut = _TAIL.sub("", name)
    return cut if cut and cut != name else name


def unordered(words: tuple[str, ...]) -> tuple[str, ...]:
    """The telling words in alphabetical order: `carcinoma of the breast` and `breast carcinoma` agree."""
    return tuple(sorted({w for w in words if w not in EMPTY}))


def loose(words: tuple[str, ...]) -> tuple[str, ...]:
    """As `unordered`, with words that stand for each other made one and endings taken off."""
    return tuple(sorted({stem(_SAME.get(w, w)) for w in words if w not in EMPTY}))


def stem(word: str) -> str:
    """A word without the ending that makes an adjective of it or of it a plural: `prostatic` and `prostate` agree."""
    if len(word) < 6:
        return word
    for ending in ("ical", "eal", "ary", "ous", "ic", "al", "ed", "ae", "um", "e", "y", "a"):
        if word.endswith(ending) and len(word) - len(ending) >= 5:
            return word[: -len(ending)]
    return word
