"""Negation, hedging and overclaiming words, read without a language model."""

import re

from secondread.agent.gate.text import clause_of

_NEGATION = re.compile(
    r"\b(?:no|not|without|never|nor|neither|none|cannot|absent|absence of|free of|free from|negative for|lacks?|lacking"
    r"|fails? to|rather than|instead of|rule[sd]? out|ruling out|excludes?|excluded|excluding|against|denies"
    r"|disproves?)\b"
    r"|n't\b|\bnon-",
    re.IGNORECASE,
)
_NEGATED_AFTER = re.compile(
    r"^[^.;:,]{0,40}?\b(?:is|was|are|were|be)?\s*(?:not\b|absent\b|excluded\b|ruled out\b|negative\b|unlikely\b"
    r"|missing\b|disproved\b|refuted\b|n't\b)",
    re.IGNORECASE,
)
_NORMAL = re.compile(r"\b(?:normal|normally|unenlarged|unremarkable)\b", re.IGNORECASE)
_AMBIGUOUS = re.compile(
    r"\bno (?:doubt|question|longer)\b|\bnot (?:only|just|merely|un\w+|in\w*correct|exclud\w+|without|ruled? out|absent"
    r"|improbable|not)\b|\bwithout (?:a )?(?:doubt|question)\b|\b(?:cannot|can not|can't|could not|couldn't) (?:be )?"
    r"(?:rule|exclud|deny|denied|disregard|ignor|not)\w*|\b(?:no|not|never|nothing)\b[^.;:,]{0,30}\b(?:no|not|never|nor"
    r"|without|against|nothing|fails?|wrong|false|untrue|denies|exclude[sd]?|absent|absence|lacks?|normal)\b"
    r"|\b(?:false|untrue|wrong|incorrect|mistaken|myth|deny|opposite|anything but|far from|sarcas\w+|joke|pretend)\b",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"\b(?:cannot|can not|can't|could not|couldn't|uncertain|indeterminate|undecided|undetermined|unclear|unknown"
    r"|inconclusive|undecidable|unsure|whether|neither|not (?:certain|sure|clear|known|decided|told|measured|measurable"
    r"|judged|possible|verified|determined|answered|established|shown)|no (?:verdict|decision|installed tool|tool"
    r"|measurement|answer|value)|too close|not be|may|might|possibly|could|abstain\w*|failed|not finish\w*"
    r"|not applicable|undefined|nothing (?:calibrated|measured)|un(?:calibrated|verified))\b",
    re.IGNORECASE,
)
_OVERCLAIM = re.compile(
    r"\b(?:confirm\w*|definite\w*|certainly|undoubtedly|clearly|obvious\w*|prove[sdn]?|proof|diagnos\w+|guarantee\w*"
    r"|always|100 ?%|pathognomonic|unequivocal\w*|conclusive\w*|without doubt|beyond doubt|surely|absolutely)\b",
    re.IGNORECASE,
)
_DEGREE = re.compile(
    r"\b(?:mild\w*|moderate\w*|severe\w*|marked\w*|massive\w*|slight\w*|gross\w*|extreme\w*|huge\w*|borderline|minimal\w*"
    r"|significant\w*|substantial\w*|considerabl[ey]|acute\w*|chronic\w*|new|newly|old|unchanged|stable|worse\w*"
    r"|improv\w*|progress\w*|increas\w*|decreas\w*|grown|growing|very|strongly|hugely|profound\w*|critical\w*|urgent\w*"
    r"|dangerous\w*|serious\w*)\b",
    re.IGNORECASE,
)
_DEFINING = re.compile(
    r"\b(?:threshold|limit|cut-?off|criterion|criteria|definition|sign|question|limits|hint|marker|surrogate|tool|tools"
    r"|test|search|looked|judge|judges|judging|assess|assesses|measure|measures|detect|detects)(?:\s+(?:for|of|on))?"
    r"(?:\s+(?:a|an|the|any))?\s*$",
    re.IGNORECASE,
)
_DEFINED = re.compile(r"^\s*(?:threshold|limit|cut-?off|criterion|rule|tool)\b", re.IGNORECASE)
_YES_NO = re.compile(r"^\W*(yes|no)\b(?=\s*(?:[,:;.!-]|$))", re.IGNORECASE)
_PATIENT = re.compile(
    r"\b(?:this|that|the|your|our|his|her|here)\s+(?:\w+\s+)?(?:film|image|radiograph|x-?ray|patient|chest|picture"
    r"|person|man|woman|child|case|heart|lungs?)\b|\bpatient\b|\bseen\b|\bvisible\b|\bhere\b|\bhas\b|\bhave\b",
    re.IGNORECASE,
)


def negated(text: str, start: int, end: int) -> bool:
    """Whether the phrase at [start, end) is denied within its clause, in words before, inside or right after it."""
    low, high = clause_of(text, start)
    inside = text[start:end]
    before = " ".join(text[low:start].split(" ")[-10:])
    if _NEGATION.search(inside) or _NEGATION.search(before):
        return True
    return _NEGATED_AFTER.search(text[end : max(high, end)]) is not None


def ambiguous(text: str) -> str | None:
    """A double or idiomatic negation that this reading cannot decide, or None."""
    found = _AMBIGUOUS.search(text)
    return found[0] if found else None


def normality(text: str) -> list[tuple[int, int]]:
    """Where a text calls something normal."""
    return [m.span() for m in _NORMAL.finditer(text)]


def hedged(text: str) -> bool:
    """Whether a text says that something is open."""
    return _HEDGE.search(text) is not None


def overclaim(text: str) -> str | None:
    """A word of certainty that no evidence here can carry, unless it is itself denied; or None."""
    for found in _OVERCLAIM.finditer(text):
        before = text[max(0, found.start() - 16) : found.start()]
        if not re.search(r"\b(?:not|never|no|cannot|n't)\s+(?:\w+\s+)?$", before, re.IGNORECASE):
            return found[0]
    return None


def degrees(text: str) -> list[str]:
    """Words of degree, time course or urgency."""
    return [m[0].lower() for m in _DEGREE.finditer(text)]


def defining(text: str, start: int, end: int) -> bool:
    """Whether the phrase at [start, end) names what a threshold or tool is for, and asserts nothing."""
    return _DEFINING.search(text[:start]) is not None or _DEFINED.search(text[end:]) is not None


def yes_or_no(text: str) -> str | None:
    """`yes` or `no` when the text opens with it as an answer, else None."""
    found = _YES_NO.match(text)
    return found[1].lower() if found else None


def about_patient(text: str) -> str | None:
    """Words that say something of this image or person rather than of knowledge in general, or None."""
    found = _PATIENT.search(text)
    return found[0] if found else None
