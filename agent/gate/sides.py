"""Left and right in a text, in the patient's or the image's frame, and comparisons of the two."""

import re
from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right"]
RIGHT_OVER_LEFT = ("lung_width_ratio", "lung_height_ratio", "lung_area_ratio")
"""Measurements defined as right over left (tools/measure, lung symmetry)."""
_SIDE = re.compile(
    r"(?<![A-Za-z])(?:(?P<left>left|leftward\w*|lt|lhs)|(?P<right>right|rightward\w*|rt|rhs)|(?P<both>bilateral\w*|both"
    r"(?=\s+(?:lungs?|sides?|hemithora\w+|hila\w*|costophrenic))))(?![A-Za-z])",
    re.IGNORECASE,
)
_IMAGE_FRAME = re.compile(
    r"\b(?:image|picture|film|screen|viewer)(?:'s|s')?[ _-]*(?P<a>left|right)\b|\b(?P<b>left|right)(?:[ -](?:side|half"
    r"|hand side))? (?:of|in|on) (?:the |this )?(?:image|picture|film|screen|viewer)\b",
    re.IGNORECASE,
)
_LARGER = re.compile(r"\b(?:larger|wider|bigger|taller|higher|greater|broader|longer|exceeds|more)\b", re.IGNORECASE)
_SMALLER = re.compile(r"\b(?:smaller|narrower|shorter|lower|lesser|less)\b", re.IGNORECASE)
_EQUAL = re.compile(r"\b(?:equal\w*|same|similar\w*|symmetric\w*|alike|no difference)\b", re.IGNORECASE)
_UNEQUAL = re.compile(r"\b(?:asymmetr\w+|unequal\w*|differ|differs|different)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|nor|never|neither|no|cannot)\b|n't\b", re.IGNORECASE)


@dataclass(frozen=True)
class SideWord:
    """One side word; `frame` says whose left it is."""

    start: int
    end: int
    side: str
    frame: Literal["patient", "image"]


def side_words(text: str) -> list[SideWord]:
    """All side words of a text, in order."""
    found = [SideWord(m.start(), m.end(), (m["a"] or m["b"]).lower(), "image") for m in _IMAGE_FRAME.finditer(text)]
    taken = [(w.start, w.end) for w in found]
    for match in _SIDE.finditer(text):
        if any(a <= match.start() < b for a, b in taken):
            continue
        side = "left" if match["left"] else "right" if match["right"] else "both"
        found.append(SideWord(match.start(), match.end(), side, "patient"))
    return sorted(found, key=lambda w: w.start)


def sides_of_name(name: str) -> set[str]:
    """Sides in a concept id or region name, e.g. `right_lung`."""
    parts = re.split(r"[\W_]+", name.lower())
    return {p for p in parts if p in ("left", "right")}


def contradicts(clause: str, ratio: float, low: float, high: float) -> str | None:
    """Why a clause that compares sides contradicts a right / left ratio with range [low, high], or None.

    The side named first is the subject ("the right lung is wider than the left").
    """
    order = [w.side for w in side_words(clause) if w.frame == "patient" and w.side in ("left", "right")]
    equal, unequal = _EQUAL.search(clause) is not None, _UNEQUAL.search(clause) is not None
    denied = _NOT.search(clause) is not None
    if equal != unequal and not _LARGER.search(clause) and not _SMALLER.search(clause):
        says_equal = equal != (denied and "no difference" not in clause.lower())
        if says_equal and not low <= 1.0 <= high and abs(ratio - 1.0) > 0.005:
            return f"the ratio {ratio:.3g} does not show equal sides"
        if not says_equal and not (ratio < low or ratio > high) and low <= 1.0 <= high:
            return f"the ratio {ratio:.3g} with range {low:.3g} to {high:.3g} does not show a difference"
        return None
    if not order:
        return None
    larger, smaller = _LARGER.search(clause) is not None, _SMALLER.search(clause) is not None
    if larger == smaller:
        return None
    subject_larger = larger
    truth = ratio > 1.0 if order[0] == "right" else ratio < 1.0
    agrees = truth if subject_larger else (ratio < 1.0 if order[0] == "right" else ratio > 1.0)
    if agrees == denied:
        return f"the right / left ratio is {ratio:.3g}"
    return None


def compares_sides(clause: str) -> bool:
    """Whether a clause says that one side is larger or smaller."""
    sided = any(w.frame == "patient" and w.side in ("left", "right") for w in side_words(clause))
    return sided and (_LARGER.search(clause) is not None or _SMALLER.search(clause) is not None)


def oriented(clause: str, ratio: float) -> float:
    """The right / left ratio, or its inverse when the clause names the left side first of two."""
    order = [w.side for w in side_words(clause) if w.frame == "patient" and w.side in ("left", "right")]
    if len(set(order)) == 2 and order[0] == "left" and ratio:
        return 1.0 / ratio
    return ratio
