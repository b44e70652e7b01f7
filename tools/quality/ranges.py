"""Limits of each quality attribute, and the grade they give; the numbers live in `ranges.json` with their source."""

from functools import cache
from math import log
from pathlib import Path

from pydantic import ValidationError

from secondread.schema.errors import ToolUnavailable
from secondread.schema.evidence import Grade, QualityAttribute
from secondread.schema.record import Record

RANGES = Path(__file__).with_name("ranges.json")

LIMITED_CAP = log(0.9 / 0.1)
"""Largest |log-odds| of any belief on a film of limited quality: 0.9. A convention, not a fit."""


class Limits(Record):
    """A value inside ok_low..ok_high is ok, outside reject_low..reject_high a reason to reject, between: limited."""

    ok_low: float | None = None
    ok_high: float | None = None
    reject_low: float | None = None
    reject_high: float | None = None
    low_words: str = ""
    """What a value below ok_low means."""
    high_words: str = ""
    """What a value above ok_high means."""
    source: str

    def side(self, value: float) -> int:
        """-1 below the ok range, 1 above it, 0 inside."""
        if self.ok_low is not None and value < self.ok_low:
            return -1
        if self.ok_high is not None and value > self.ok_high:
            return 1
        return 0

    def grade(self, value: float) -> tuple[Grade, str]:
        """The grade of a value and the reason for anything but ok."""
        side = self.side(value)
        if side == 0:
            return "ok", ""
        rejected = (self.reject_low is not None and value < self.reject_low) or (
            self.reject_high is not None and value > self.reject_high
        )
        return ("reject" if rejected else "limited"), (self.low_words if side < 0 else self.high_words)


class Ranges(Record):
    """The limits of all attributes, and what they were read from."""

    data: str
    data_sha256: str
    limits: dict[str, Limits]


@cache
def ranges(path: Path = RANGES) -> Ranges:
    """The shipped limits.

    Raises:
        ToolUnavailable: The file is missing or damaged.
    """
    try:
        return Ranges.model_validate_json(path.read_text())
    except (OSError, ValidationError):
        raise ToolUnavailable(f"The quality limits {path.name} are missing or damaged.") from None


def graded(name: str, value: float, unit: str = "1") -> QualityAttribute:
    """One attribute with its grade."""
    grade, reason = ranges().limits[name].grade(value)
    return QualityAttribute(name=name, value=round(value, 6), unit=unit, grade=grade, reason=reason)
