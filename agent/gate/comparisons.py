"""Comparison words with their bound, and whether measured numbers agree with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from secondread.agent.gate.facts import Fact
from secondread.agent.gate.numbers import Number
from secondread.agent.gate.text import clause_of

Op = Literal[">", ">=", "<", "<="]
_INVERSE: dict[Op, Op] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_WORDS: tuple[tuple[Op, str], ...] = (
    (">=", r"at least|≥|>=|not? less than|not? (?:below|under)"),
    (
        "<=",
        r"at most|up to|≤|<=|not? more than|not? (?:above|over|exceeding|beyond)|(?:does|do|did)(?: not|n't) exceed",
    ),
    (
        ">",
        r"above|over|exceed(?:s|ed|ing)?|(?:greater|larger|higher|more|wider|bigger|taller|broader) than|beyond|past|>",
    ),
    ("<", r"below|under|(?:less|lower|smaller|narrower|shorter|fewer) than|short of|<"),
)
_LIMIT_WORDS = r"(?:\s+(?:or equal to|the|a|an|adult|of|value|usual|limit|threshold|cut-?off|is|at))*"
_BEFORE = [(op, re.compile(rf"(?:(?<=\W)|^)(?:{pattern}){_LIMIT_WORDS}\s*$", re.IGNORECASE)) for op, pattern in _WORDS]
_AFTER = (
    (">=", re.compile(r"^\s*or (?:more|above|over|higher|greater|larger)\b", re.IGNORECASE)),
    ("<=", re.compile(r"^\s*or (?:less|below|under|lower|smaller)\b", re.IGNORECASE)),
)
_LIMIT = r"\s+(?:(?:the|its|this|that|an?|adult|upper|usual|normal)\s+)*(?:threshold|limit|cut-?off|half)\b"
_NO_NUMBER = r"(?!\s*(?:of|is|at|value)?\s*\d)"
_NAMED = [(op, re.compile(rf"(?:(?<=\W)|^)(?:{pattern}){_LIMIT}{_NO_NUMBER}", re.IGNORECASE)) for op, pattern in _WORDS]
_NOT = re.compile(r"\b(?:not|nor|never|neither|no|cannot|without)\b|n't\b", re.IGNORECASE)
_OPEN = re.compile(
    r"\b(?:above|over|larger|higher|greater) (?:or|nor) (?:below|under|smaller|lower|less)|\b(?:below|under) or above\b"
    r"|\bwhether\b|\btoo close\b|\bcannot\b|\bcould not\b|\b(?:probability|chance|likelihood|belief|odds)\b|\beither\b",
    re.IGNORECASE,
)
_GENERAL = re.compile(
    r"\b(?:suggest\w*|means?|counts?|would|if|when|defin\w+|called|indicat\w*|supports?|implies|points?|hints?|stands?)\b",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"\b(?:interval|range|wholly|entirely|whole)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Comparison:
    """`op bound` as the text says it; `bound` None means the measurement's own threshold."""

    start: int
    op: Op
    bound: float | None
    unit: str
    words: str
    general: bool
    """Said of such values in general, not of this one."""
    whole: bool
    """Said of the whole interval."""


def comparisons(text: str, found: Sequence[Number]) -> list[Comparison]:
    """Comparisons that the text asserts; open ones ("above or below", "probability of lying above") are left out."""
    result: list[Comparison] = []
    for number in found:
        if number.role != "bound":
            continue
        low, high = clause_of(text, number.start)
        before, after = text[low : number.start], text[number.end : high]
        op, at = _op(before, after)
        if op is not None and not _OPEN.search(text[low:high]):
            result.append(_made(text, low, high, op, at + low, number.value, number.unit))
    for op, pattern in _NAMED:
        for match in pattern.finditer(text):
            low, high = clause_of(text, match.start())
            if _OPEN.search(text[low:high]) or any(c.start == match.start() for c in result):
                continue
            turned = _turn(op, text[low : match.start()])
            result.append(_made(text, low, high, turned, match.start(), None, ""))
    return result


def _op(before: str, after: str) -> tuple[Op | None, int]:
    for op, pattern in _AFTER:
        if pattern.search(after):
            return op, len(before)  # type: ignore[return-value]  # values of the literal
    for kind, pattern in _BEFORE:
        match = pattern.search(before)
        if match is not None:
            return _turn(kind, before[: match.start()]), match.start()
    return None, 0


def _turn(op: Op, before: str) -> Op:
    """The comparison after a denial close before it."""
    close = " ".join(before.split()[-4:])
    return _INVERSE[op] if _NOT.search(close) else op


def _made(text: str, low: int, high: int, op: Op, at: int, bound: float | None, unit: str) -> Comparison:
    clause = text[low:high]
    whole = _WHOLE.search(re.sub(r"\([^()]*\)", " ", clause)) is not None
    return Comparison(at, op, bound, unit, text[at:high][:40], _GENERAL.search(clause) is not None, whole)


def holds(comparison: Comparison, value: float, interval: Fact | None, bound: float) -> bool:
    """Whether `value op bound`; for a statement about the interval, whether all of it lies on that side."""
    values = [value]
    if comparison.whole and interval is not None and interval.high is not None:
        values = [interval.value, interval.high]
    return all(_compare(v, comparison.op, bound) for v in values)


def _compare(value: float, op: Op, bound: float) -> bool:
    return {">": value > bound, ">=": value >= bound, "<": value < bound, "<=": value <= bound}[op]


def direction(op: Op) -> Literal["above", "below"]:
    """Side of the bound that an operator names."""
    return "above" if op in (">", ">=") else "below"
