"""Answers to choose from: found in a text, and read as verdicts, ranges, sides or findings."""

import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal

from secondread.kg.asked import Asked, Choice
from secondread.kg.graph import Graph
from secondread.kg.link import mentions
from secondread.kg.quoted import own_words

MAX_CHOICES = 26
MAX_COMPLETION = 6
"""Words of a choice that is read as the end of the question's sentence ("normal", "of normal size")."""
MAX_MARKS = 100
"""Labels looked at in one text."""
_LABEL = re.compile(r"(?:(?<=^)|(?<=[\s,;:?/]))\(?(?P<label>[A-Za-z]|\d{1,2})[).:]\s*(?=\S)")
_LIST = re.compile(
    (
        r"(?:[?:]|\boptions?\b:?|\bchoose (?:one|from)\b:?|"
        r"\bpick\b:?)\s*(?P<list>[^?:]*[^?:\s])\s*\??\s*$"
    ),
    re.IGNORECASE,
)
_YES = re.compile(r"^(yes|yeah|y|true|present|positive|correct|it is|it does|definitely)\b")
_NO = re.compile(
    r"^(no|nope|n|false|absent|negative|incorrect|it is not|it does not)\b(?! (effusion|"
    r"pneumothorax|cardiomegaly|\w+ ?\w+))"
)
_UNSURE = re.compile(
    r"\b(uncertain|cannot|can't|indeterminate|unclear|not sure|equivocal|unknown|"
    r"not assessable|undetermined|maybe|don't know|not possible)\b"
)
_NUMBER = r"(\d+(?:[.,]\d+)?)\s*(%|percent)?"
_RANGE = re.compile(rf"{_NUMBER}\s*(?:-|–|to|and|up to)\s*{_NUMBER}")  # noqa: RUF001  # the en dash is what people type between numbers
_OPEN = re.compile(
    rf"(above|over|greater than|more than|larger than|higher than|at least|>=?|≥|below|"
    rf"under|less than|smaller than|lower than|at most|up to|<=?|"
    rf"≤)\s*(?:or equal to )?{_NUMBER}"
)
_EXACT = re.compile(rf"^(?:about |around |approximately |ca\.? |~|=)?\s*{_NUMBER}\s*\w{{0,2}}$")
_UP = ("above", "over", "greater", "more", "larger", "higher", "at least", ">", "≥")


def split_choices(text: str) -> tuple[str, list[str]]:
    """The question without its choices, and the choices with their labels; none when fewer than two are found."""
    marks = list(islice(_LABEL.finditer(text), MAX_MARKS))
    for first in range(len(marks)):
        if marks[first]["label"].lower() not in ("a", "1"):
            continue
        run = [marks[first]]
        for mark in marks[first + 1 :]:
            if _follows(run[-1]["label"], mark["label"]):
                run.append(mark)
        if len(run) >= 2:
            ends = [m.start() for m in run[1:]] + [len(text)]
            found = [
                f"{m['label'].upper()}) {text[m.end() : e].strip(' ,;/?(' + chr(10))}"
                for m, e in zip(run, ends, strict=True)
            ]
            return text[: run[0].start()].strip(), found[:MAX_CHOICES]
    hit = _LIST.search(text)
    if hit is not None and re.search(r"\s/\s|\s\|\s", hit["list"]):
        return text[: hit.start("list")].strip(" :"), [p.strip() for p in re.split(r"\s[/|]\s", hit["list"])][
            :MAX_CHOICES
        ]
    return text, []


def _follows(a: str, b: str) -> bool:
    if a.isdigit() != b.isdigit():
        return False
    return int(b) == int(a) + 1 if a.isdigit() else ord(b.lower()) == ord(a.lower()) + 1


_NORMAL = re.compile(r"(is )?(normal|not enlarged|normal[- ]sized?|within normal limits)")
_LARGE = re.compile(r"(is )?(enlarged|too (large|big|wide)|large|big|wide|abnormal(ly large)?|increased)")


def sized(options: Sequence[str]) -> bool:
    """Whether the choices are words of size ("normal", "enlarged"), so that they ask for a finding, not a number."""
    texts = [o.strip()[m.end() :] if (m := _LABEL.match(o.strip())) else o for o in options]
    words = [t.lower().strip(" .?!") for t in texts]
    return any(_NORMAL.fullmatch(w) or _LARGE.fullmatch(w) for w in words)


def read_choices(
    options: Sequence[str], graph: Graph, asked: Sequence[Asked], in_context: Callable[[str], list[Asked]]
) -> list[Choice]:
    """What each choice would state.

    A choice that adds nothing to how the question reads by itself states nothing.

    Args:
        options: Choices as written, with or without a label in front.
        graph: For the concepts that choices name.
        asked: What the question itself asks.
        in_context: Reads the question's stem followed by a choice, for choices such as "normal".
    """
    made: list[Choice] = []
    stem = in_context("")
    for option in options[:MAX_CHOICES]:
        hit = _LABEL.match(option.strip())
        label = hit["label"].upper() if hit else option.strip()
        text = option.strip()[hit.end() :].strip() if hit else option.strip()
        made.append(_read(label, text, graph, asked, lambda t: [] if (read := in_context(t)) == stem else read))
    return made


def _read(
    label: str, text: str, graph: Graph, asked: Sequence[Asked], in_context: Callable[[str], list[Asked]]
) -> Choice:
    whole, text = text, own_words(text)
    low = text.lower().strip(" .?!")
    main = asked[0] if asked else None
    answer: Literal["yes", "no", "uncertain"] | None = None
    if _UNSURE.search(low):
        return Choice(label=label, text=whole, answer="uncertain", polarity="uncertain")
    found = mentions(text, graph)
    judged = [
        m
        for m in found
        if graph.concept(m.concept).kind not in ("anatomy", "measurement", "attribute", "tool", "capability")
    ]
    low_end, high_end = _range(low)
    if low_end is not None or high_end is not None:
        return Choice(label=label, text=whole, concept=main.concept if main else None, low=low_end, high=high_end)
    if not judged and (_YES.match(low) or _NO.match(low)):
        answer = "yes" if _YES.match(low) else "no"
        flip = main is not None and main.polarity == "absent"
        return Choice(
            label=label,
            text=whole,
            answer=answer,
            concept=main.concept if main else None,
            polarity="present" if (answer == "yes") != flip else "absent",
        )
    size = _LARGE.fullmatch(low) or _NORMAL.fullmatch(low)
    if main is not None and main.kind == "presence" and size and graph.concept(main.concept).kind == "finding":
        there = _LARGE.fullmatch(low) is not None
        answer = "yes" if there == (main.polarity == "present") else "no"
        return Choice(
            label=label, text=whole, answer=answer, concept=main.concept, polarity="present" if there else "absent"
        )
    side = _side(low, main)
    if side is not None:
        return Choice(label=label, text=whole, concept=main.concept if main else None, laterality=side)
    if judged:
        concept, negated, where = judged[0].concept, judged[0].negated, judged[0].laterality
        if main is not None and concept == main.concept and main.kind in ("presence", "quality"):
            answer = "yes" if negated == (main.polarity == "absent") else "no"
        return Choice(
            label=label,
            text=whole,
            answer=answer,
            concept=concept,
            polarity="absent" if negated else "present",
            laterality=where,
        )
    read = in_context(text) if len(text.split()) <= MAX_COMPLETION else []
    if read:
        one = next((r for r in read if main is not None and r.concept == main.concept), read[0])
        if main is not None and one.concept == main.concept and main.kind in ("presence", "quality"):
            answer = "yes" if one.polarity == main.polarity else "no"
        return Choice(
            label=label,
            text=whole,
            answer=answer,
            concept=one.concept,
            polarity=one.polarity,
            laterality=one.laterality,
        )
    return Choice(label=label, text=whole)


def _side(low: str, main: Asked | None) -> str | None:
    if main is None or main.kind != "comparison":
        return None
    if re.search(r"\b(equal|same|symmetric\w*|similar|neither|no difference|both)\b", low):
        return "equal"
    hit = re.search(r"\b(left|right)\b", low)
    if hit is None:
        return None
    smaller = re.search(r"\bsmaller|narrower|shorter\b", low) is not None
    return {"left": "right", "right": "left"}[hit[1]] if smaller else hit[1]


def _range(low: str) -> tuple[float | None, float | None]:
    hit = _RANGE.search(low)
    if hit:
        return _number(hit[1], hit[2] or hit[4]), _number(hit[3], hit[4])
    hit = _OPEN.search(low)
    if hit:
        value = _number(hit[2], hit[3])
        return (value, None) if hit[1].startswith(_UP) else (None, value)
    hit = _EXACT.match(low)
    if hit:
        value = _number(hit[1], hit[2])
        return value, value
    return None, None


def _number(text: str, percent: str | None) -> float:
    value = float(text.replace(",", "."))
    return round(value / 100, 6) if percent else value
