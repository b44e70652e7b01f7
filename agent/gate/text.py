"""Claim text made plain, so that look-alike characters, tags and list numbers cannot hide a statement."""

import re
import unicodedata

MAX_CHARACTERS = 2000
_DASHES = re.compile("[\u2010-\u2015\u2212\u00ad\ufe58\ufe63\uff0d]")
_TAGS = re.compile(r"\bE\d+\b")
_TAG_GROUP = re.compile(r"[\[(]\s*E\d+(?:\s*(?:,|;|and|-)\s*E\d+)*\s*[\])]")
_BARE_TAG = re.compile(r"(?:\bsee\s+)?\bE\d+\b")
_LIST_NUMBER = re.compile(r"^\s*\(?\d{1,2}[.)]\s+(?=\D)", re.MULTILINE)
_DENIAL = re.compile(r"(?<![\w'])(not)\s*:\s+", re.IGNORECASE)
"""`Not: child` denies what follows the colon."""
_IMAGE = re.compile(r"\bimg-[0-9a-f]{16}\b")
_CLAUSE = re.compile(
    r"[;:]\s|[.!?](?:\s|$)|\n+|,\s+(?:but|while|whereas|and|so|which|although)\b|\s(?:but|whereas|although)\s"
)


def plain(text: str) -> str:
    """Compatibility-normalised text: ASCII digits and dashes, no format or control characters, single spaces."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    out: list[str] = []
    for char in unicodedata.normalize("NFKC", text):
        if char in "\n":
            out.append(char)
        elif unicodedata.category(char)[0] == "C":
            out.append(" " if char in "\t\r" else "")
        elif char.isdigit() and not char.isascii():
            out.append(str(unicodedata.digit(char, 0)))
        else:
            out.append(char)
    joined = _DASHES.sub("-", "".join(out)).replace("\u2019", "'").replace("\u2032", "'")
    return "\n".join(" ".join(line.split()) for line in joined.splitlines()).strip()


def tags(text: str) -> tuple[str, ...]:
    """Evidence ids that a plain text names, in order, each once."""
    return tuple(dict.fromkeys(_TAGS.findall(text)))


def images(text: str) -> tuple[str, ...]:
    """Image ids that a plain text names."""
    return tuple(dict.fromkeys(_IMAGE.findall(text)))


def bare(text: str) -> str:
    """Plain text without evidence tags, image ids and list numbers: what is left are statements."""
    text = _IMAGE.sub(" ", text)
    text = _TAG_GROUP.sub(" ", text)
    text = _BARE_TAG.sub(" ", text)
    text = _LIST_NUMBER.sub("", text)
    text = re.sub(r"\(\s*\)|\[\s*\]", " ", text)
    text = _DENIAL.sub(r"\1 ", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()


def clauses(text: str) -> list[tuple[int, int]]:
    """Start and end of each clause: negation and subject do not reach past these bounds."""
    spans: list[tuple[int, int]] = []
    start = 0
    for cut in _CLAUSE.finditer(text):
        if cut.start() > start:
            spans.append((start, cut.start()))
        start = cut.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def clause_of(text: str, position: int) -> tuple[int, int]:
    """The clause that holds a position."""
    for start, end in clauses(text):
        if start <= position < end:
            return start, end
    return 0, len(text)


def words(text: str) -> list[str]:
    """Words in lower case, split at everything that is not a letter; apostrophe endings are cut off."""
    return re.findall(r"[^\W\d_]+", re.sub(r"n't\b", " not", re.sub(r"'s\b", "", text.lower())))
