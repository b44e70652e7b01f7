"""Numbers in a text with the role they play: value, interval, threshold, level, probability or count."""

import re
from dataclasses import dataclass
from typing import Literal

Role = Literal["plain", "range", "spread", "bound", "level", "probability"]

UNITS: dict[str, str] = {
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), "mm"),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), "cm"),
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), "m"),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), "um"),
    **dict.fromkeys(("inch", "inches", "foot", "feet", "ft"), "inch"),
    **dict.fromkeys(("%", "percent", "per cent", "pct"), "%"),
    **dict.fromkeys(("px", "pixel", "pixels"), "px"),
    **dict.fromkeys(("deg", "degree", "degrees", "°"), "deg"),
    **dict.fromkeys(("rad", "radian", "radians"), "rad"),
    **dict.fromkeys(("year", "years", "yr", "yrs", "y/o", "months", "weeks", "days", "hours"), "time"),
    **dict.fromkeys(("ml", "cc", "cm3", "cm^3", "millilitre", "millilitres", "milliliter", "milliliters"), "ml"),
    **dict.fromkeys(("mm3", "mm^3"), "mm3"),
    **dict.fromkeys(("l", "litre", "litres", "liter", "liters"), "volume"),
    **dict.fromkeys(("mm2", "mm^2"), "mm2"),
    **dict.fromkeys(("cm2", "cm^2"), "area"),
    **dict.fromkeys(("kg", "g", "mg"), "mass"),
    **dict.fromkeys(("hu", "hounsfield units"), "HU"),
    **dict.fromkeys(("units", "unit"), "units"),
    "grey": "grey",
    **dict.fromkeys(("kv", "kvp", "mas", "bpm", "mmhg", "ms", "hz", "mgy", "msv"), "other"),
    **dict.fromkeys(("sd", "sigma"), "z"),
    "times": "1",
}
_UNIT = "|".join(sorted((re.escape(u) for u in UNITS), key=len, reverse=True))
_AFTER_UNIT = rf"\s*-?\s*(?P<{{0}}>(?:{_UNIT})(?![A-Za-z0-9]))?"
_CORE = r"\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?|[.]\d+"
_POWER = r"(?!(?<=[mc]m)[23]\b)"
"""The power of a unit, as in mm3, is no number."""
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w.)\]])[-+])?(?<![\d.]){_POWER}(?P<core>{_CORE})(?P<ordinal>st|nd|rd|th)?\b", re.ASCII
)
_UNIT_AT = re.compile(_AFTER_UNIT.format("unit"), re.IGNORECASE)
_NAME = re.compile(r"(?<![\w.])[A-Z]{1,2}\d{1,2}(?![\w.]*\d)")
"""Names such as `P1` or `T4`: no numbers; unknown ones fail the vocabulary check."""
_SPREAD = re.compile(r"(?:±|\+/-|\+-|plus or minus)\s*$")
_BOUND_BEFORE = re.compile(
    r"(?:above|below|over|under|exceed(?:s|ing|ed)?|than|threshold|limit|cut-?off|least|most|up to|half|beyond|past"
    r"|[<>≤≥]=?|criterion)(?:\s+(?:of|is|at|the|value|=))*\s*$",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    r"^\s*(?:or (?:more|less|above|below|over|under|higher|lower)|threshold|limit|cut-?off)\b", re.IGNORECASE
)
_CHANCE = r"(?:probability|chance|confidence|likelihood|certainty|posterior|belief|confident|likely|certain|sure)"
_CHANCE_BEFORE = re.compile(rf"\b{_CHANCE}\b[^.;\d]{{0,60}}$", re.IGNORECASE)
_CHANCE_AFTER = re.compile(rf"^\s*(?:%\s*)?{_CHANCE}\b", re.IGNORECASE)
_LEVEL_AFTER = re.compile(
    r"^\s*(?:(?:confidence|prediction|credible|conformal)\s+)?(?:interval|ci|level|range)\b", re.IGNORECASE
)
_SPELLED = {
    "zero": 0.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0,
    "nine": 9.0, "ten": 10.0, "eleven": 11.0, "twelve": 12.0, "thirteen": 13.0, "fourteen": 14.0, "fifteen": 15.0,
    "sixteen": 16.0, "seventeen": 17.0, "eighteen": 18.0, "nineteen": 19.0, "twenty": 20.0, "thirty": 30.0,
    "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "seventy": 70.0, "eighty": 80.0, "ninety": 90.0, "hundred": 100.0,
    "thousand": 1000.0, "dozen": 12.0, "half": 0.5, "third": 1 / 3, "thirds": 2 / 3, "quarter": 0.25,
    "quarters": 0.75, "twice": 2.0, "double": 2.0, "triple": 3.0, "doubled": 2.0,
}  # fmt: skip
_SPELLED_AT = re.compile(rf"\b(?:{'|'.join(_SPELLED)}|point)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Number:
    """One number of a text; `other` is the upper end when it is a range."""

    start: int
    end: int
    value: float
    step: float
    """Half of the last digit shown: the rounding that the text allows itself."""
    unit: str
    role: Role
    other: float | None = None
    signed: bool = False


@dataclass
class _Raw:
    start: int
    end: int
    value: float
    step: float
    unit: str
    signed: bool


def _read(core: str) -> tuple[float, float] | None:
    """Value and half of the last digit's place; a comma is decimal unless it groups thousands. None if absurd."""
    mantissa, _, exponent = core.lower().partition("e")
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", mantissa):
        mantissa = mantissa.replace(",", "")
    elif mantissa.count(",") == 1 and "." not in mantissa:
        mantissa = mantissa.replace(",", ".")
    if not re.fullmatch(r"\d*\.?\d+", mantissa) or len(mantissa) > 30 or len(exponent) > 4:
        return None
    power = int(exponent) if exponent else 0
    decimals = len(mantissa.partition(".")[2])
    return float(f"{mantissa}e{power}"), 0.5 * 10.0 ** max(min(power - decimals, 300), -300)


def _raw(text: str) -> tuple[list[_Raw], list[str]]:
    names = [m.span() for m in _NAME.finditer(text)]
    found: list[_Raw] = []
    unreadable: list[str] = []
    for match in _NUMBER.finditer(text):
        if any(a <= match.start("core") < b for a, b in names):
            continue
        read = _read(match["core"])
        if read is None:
            unreadable.append(match[0])
            continue
        after = _UNIT_AT.match(text, match.end())
        unit_text = after["unit"] if after else None
        unit = UNITS.get(unit_text.lower(), "") if unit_text else ""
        end = after.end() if after and unit_text else match.end()
        negative = match["sign"] == "-"
        found.append(
            _Raw(match.start(), end, -read[0] if negative else read[0], read[1], unit, match["sign"] is not None)
        )
    for match in _SPELLED_AT.finditer(text):
        value = _SPELLED.get(match[0].lower())
        if value is None:
            unreadable.append(match[0])
            continue
        after = _UNIT_AT.match(text, match.end())
        unit = UNITS.get(after["unit"].lower(), "") if after and after["unit"] else ""
        found.append(_Raw(match.start(), match.end(), value, 0.005, unit, False))
    return sorted(found, key=lambda n: n.start), unreadable


def _role(text: str, raw: _Raw) -> Role:
    before, after = text[max(0, raw.start - 80) : raw.start], text[raw.end : raw.end + 40]
    if _SPREAD.search(before):
        return "spread"
    if _BOUND_BEFORE.search(before) or _BOUND_AFTER.search(after):
        return "bound"
    if raw.unit == "%" and (_LEVEL_AFTER.search(after) or re.search(r"\d\s*,\s*$", before)):
        return "level"
    if _CHANCE_AFTER.search(after) or _CHANCE_BEFORE.search(before):
        return "probability"
    return "plain"


def numbers(text: str) -> tuple[list[Number], list[str]]:
    """Numbers of a bare text in order, ranges joined; and the pieces that look like numbers but cannot be read."""
    raws, unreadable = _raw(text)
    found: list[Number] = []
    index = 0
    while index < len(raws):
        low = raws[index]
        high = raws[index + 1] if index + 1 < len(raws) else None
        if high is not None and _is_range(text, low, high):
            top = abs(high.value) if not text[low.end : high.start].strip() else high.value
            step = max(low.step, high.step)
            found.append(Number(low.start, high.end, low.value, step, high.unit or low.unit, "range", top, low.signed))
            index += 2
            continue
        found.append(Number(low.start, low.end, low.value, low.step, low.unit, _role(text, low), None, low.signed))
        index += 1
    return found, unreadable


def _is_range(text: str, low: _Raw, high: _Raw) -> bool:
    between, before = text[low.end : high.start], text[max(0, low.start - 16) : low.start]
    if re.fullmatch(r"\s*(?:-|to|\.\.+)\s*", between):
        return True
    if re.fullmatch(r"\s*and\s*", between):
        return re.search(r"\bbetween\s*$", before, re.IGNORECASE) is not None
    if re.fullmatch(r"\s*[,;]\s*", between):
        return before.rstrip().endswith("[") and text[high.end :].lstrip().startswith("]")
    return not between.strip() and high.signed and high.value < 0 < low.value
