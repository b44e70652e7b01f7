"""Why a claim or sentence may not go out."""

from typing import Literal

from secondread.schema.record import Record

Rule = Literal[
    "evidence", "image", "belief", "number", "side", "entity", "polarity", "comparison", "wording", "constraint"
]


class Violation(Record):
    """One broken rule."""

    rule: Rule
    reason: str
