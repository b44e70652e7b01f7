"""`--where`: which cases of a source are asked about, by what their headers or the manifest say."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secondread.schema.errors import UsageError
from secondread.serve.batch.case import Case

_CONDITION = re.compile(r"^\s*([A-Za-z_]\w*)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*$", re.DOTALL)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
KNOWN = ("modality", "body_part", "format", "images", "prior", "path", "kind")
"""Facts of every case; other names are columns of the manifest."""


@dataclass(frozen=True)
class Where:
    """One condition: a fact, an operator, and values of which one has to fit."""

    name: str
    operator: str
    values: tuple[str, ...]

    def fits(self, case: Case) -> bool:
        """Whether a case meets it. A fact that is not known meets only `!=`."""
        found = tuple(value.casefold() for value in case.fact(self.name))
        if self.operator == "=":
            return bool(set(found) & set(self.values))
        if self.operator == "!=":
            return not set(found) & set(self.values)
        try:
            return any(_COMPARE[self.operator](float(value), float(self.values[0])) for value in found)
        except ValueError:
            return False


def conditions(texts: Sequence[str]) -> tuple[Where, ...]:
    """Conditions as typed: `modality=CR,DX`, `prior!=yes`, `images>=2`; a case has to meet all.

    Raises:
        UsageError: A text is no condition.
    """
    found: list[Where] = []
    for text in texts:
        match = _CONDITION.match(text)
        if match is None or not match[3]:
            raise UsageError(f"{text!r} is no condition.", hint="Write for example --where modality=CR,DX.")
        values = tuple(value.strip().casefold() for value in match[3].split(","))
        if match[2] in _COMPARE:
            try:
                float(match[3])
            except ValueError:
                raise UsageError(f"{text!r} compares with something that is no number.") from None
        found.append(Where(match[1].lower() if match[1].lower() in KNOWN else match[1], match[2], values))
    return tuple(found)
