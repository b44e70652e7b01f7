"""What a question means by what was asked before: the other side, another structure, "it", the previous image.

Rules only. What a rule makes of a question is told to the user, and what no rule understands stays as it is.
"""

import re
from collections.abc import Sequence

from secondread.agent.sessions.turns import Turn
from secondread.kg.graph import Graph
from secondread.kg.link import mentions
from secondread.kg.questions import parse
from secondread.schema.record import Record

_LEAD = r"(?:(?:and|so|ok|okay|now|then|but)\b[\s,]*)*"
_SIDE = re.compile(
    rf"^{_LEAD}(?:what about|how about|what of)?\s*(?:(?:on|in|at|to)\s+)?(?:the\s+)?(?:other|opposite|(left|right))"
    r"(?:\s+(?:hand\s+)?(?:side|one))?\s*[?.!]*$",
    re.IGNORECASE,
)
_ABOUT = re.compile(rf"^{_LEAD}(?:what about|how about|what of|and)\s+(.{{2,80}}?)\s*[?.!]*$", re.IGNORECASE)
_AGAIN = re.compile(
    rf"^{_LEAD}(?:what about|how about|in|on|for)?\s*(?:this|here|(?:the )?(?:same|this|new|next|second)\s*"
    r"(?:one|film|image|picture|scan|patient|question)?)?(?:\s*(?:now|here))?\s*[?.!]*$",
    re.IGNORECASE,
)
_COMPARE = re.compile(
    r"\bcompar\w*\b.*\b(?:previous|prior|earlier|last|first|before)\b|\b(?:than|since|from) (?:the )?(?:previous|prior|"
    r"earlier|last|before)\b|\b(?:has|have|did) (?:it|this|that|anything)\b.*\bchang\w+|\bwhat (?:has )?changed\b|"
    r"\bany change\b",
    re.IGNORECASE,
)
_IT = re.compile(
    r"\b(it|that|they|them|this)\b(?!\s+(?:film|image|picture|x-?ray|scan|study|series|slice|radiograph))",
    re.IGNORECASE,
)
_SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_OTHER = {"left": "right", "right": "left"}


class Understood(Record):
    """A question with what it refers to put in."""

    question: str
    changed: bool = False
    compare: bool = False
    """The current value is to be set beside that of an earlier image."""


def refer(question: str, turns: Sequence[Turn], graph: Graph, *, new_image: bool) -> Understood:
    """What a question means after these turns.

    Args:
        question: As typed.
        turns: Earlier turns, oldest first.
        graph: Links words to concepts.
        new_image: An image is handed over with it.
    """
    plain = " ".join(question.split())
    if not turns:
        return Understood(question=question)
    last = turns[-1].question
    if _COMPARE.search(plain):
        return Understood(question=question, changed=True, compare=True)
    side = _SIDE.match(plain)
    if side:
        return Understood(question=_with_side(last, side[1]), changed=True)
    if new_image and _AGAIN.match(plain):
        return Understood(question=last, changed=True)
    if parse(plain, graph).asked:
        return Understood(question=question)
    about = _ABOUT.match(plain)
    if about:
        swapped = _with_structure(last, about[1], graph)
        if swapped is not None:
            return Understood(question=swapped, changed=True)
    named = _subject(turns, graph)
    if named is not None and _IT.search(plain):
        meant = _IT.sub(lambda m: f"the {named}", plain, count=1)
        if parse(meant, graph).asked:
            return Understood(question=meant, changed=True)
    return Understood(question=question)


def _with_side(question: str, side: str | None) -> str:
    """The question asked of a side; without one, of the side that it did not name."""
    named = list(dict.fromkeys(m.lower() for m in _SIDES.findall(question)))
    if named:
        if side is None or side.lower() != named[0]:
            return _SIDES.sub(lambda m: _like(_OTHER[m[1].lower()], m[1]), question)
        return question
    if side is None:
        return question
    stem = question.rstrip(" ?.!")
    return f"{stem} on the {side.lower()}?"


def _like(word: str, model: str) -> str:
    return word.capitalize() if model[0].isupper() else word


def _with_structure(question: str, phrase: str, graph: Graph) -> str | None:
    """The question with the structure or finding of a phrase in the place of its own; None when either names none."""
    new = mentions(phrase, graph)
    if not new:
        return None
    kind = graph.concept(new[0].concept).kind
    for old in mentions(question, graph):
        if graph.concept(old.concept).kind == kind:
            start = question[: old.start]
            bare = re.sub(r"^(?:the|a|an)\s+", "", phrase, flags=re.IGNORECASE)
            sided = _SIDES.search(bare)
            if sided:
                start = re.sub(r"\b(?:left|right)\s+$", "", start, flags=re.IGNORECASE)
            return f"{start}{bare}{question[old.end :]}"
    return None


def _subject(turns: Sequence[Turn], graph: Graph) -> str | None:
    """The words of the structure, or else the finding, that was asked about last."""
    for turn in reversed(turns):
        found = mentions(turn.question, graph)
        for kinds in (("anatomy",), ("finding", "disease", "measurement")):
            for mention in found:
                if graph.concept(mention.concept).kind in kinds:
                    sided = (
                        f"{mention.laterality} "
                        if mention.laterality and mention.laterality not in mention.text.lower()
                        else ""
                    )
                    return f"{sided}{mention.text}".lower()
    return None
