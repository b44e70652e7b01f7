"""Sections and sentences of a report."""

import re
from typing import NamedTuple

_HEADING = re.compile(r"(?m)(?:^|\n)[ \t]*([A-Z][A-Za-z /&-]{2,40}?)[ \t]*:(?=\s|$)")
NAMES = {
    "findings": ("findings", "finding", "report", "observations", "description", "chest"),
    "impression": ("impression", "impressions", "conclusion", "conclusions", "opinion", "summary", "interpretation"),
    "indication": ("indication", "indications", "clinical indication", "history", "clinical history", "reason for exam",
                   "reason for examination", "clinical information", "reason for study"),
    "comparison": ("comparison", "comparisons", "comparison study", "prior", "prior study"),
    "technique": ("technique", "procedure", "examination", "exam", "study", "views"),
    "recommendation": ("recommendation", "recommendations", "notification", "addendum"),
}  # fmt: skip
_OF = {name: section for section, names in NAMES.items() for name in names}
_END = re.compile(r"(?<=[.!?;])[\"')\]]*\s+(?=[A-Z0-9(\[\"'_?])|\n[ \t]*\n|\n(?=[ \t]*(?:[-*\u2022]|\d{1,2}[.)])\s)")
_NOT_AN_END = re.compile(r"\b(?:dr|mr|mrs|ms|vs|approx|no|fig|e\.g|i\.e|cf|st|pt|a\.m|p\.m)\.$", re.IGNORECASE)


class Sentence(NamedTuple):
    """One sentence and where it stands."""

    start: int
    end: int
    section: str
    """Of `NAMES`, or empty."""


def sections(text: str) -> list[tuple[int, int, str]]:
    """(start, end, name) of the parts of a report; the name is empty before the first heading that is known."""
    marks = [(m.start(1), m.end(), _OF.get(" ".join(m[1].lower().split()), "")) for m in _HEADING.finditer(text)]
    marks = [m for m in marks if m[2]]
    found: list[tuple[int, int, str]] = []
    first = marks[0][0] if marks else len(text)
    if first > 0:
        found.append((0, first, ""))
    for number, (_, body, name) in enumerate(marks):
        end = marks[number + 1][0] if number + 1 < len(marks) else len(text)
        found.append((body, end, name))
    return found


def sentences(text: str) -> list[Sentence]:
    """Sentences in order, with their sections."""
    found: list[Sentence] = []
    for low, high, section in sections(text):
        start = low
        for match in _END.finditer(text, low, high):
            if _NOT_AN_END.search(text[start : match.start()]):
                continue
            if text[start : match.start()].strip():
                found.append(Sentence(start, match.start(), section))
            start = match.end()
        if text[start:high].strip():
            found.append(Sentence(start, high, section))
    return found
