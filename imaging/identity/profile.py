"""Which elements of a DICOM data set identify, and what the basic profile does with each.

Source: DICOM PS3.15 2026c Annex E, Basic Application Level Confidentiality Profile, Table E.1-1, in `profile.json`:
tag, keyword and action code. Codes: X remove, Z empty, D a dummy value, U a new unique identifier; alternatives such as
`X/Z/D` leave the choice to what the object's definition requires.
"""

import json
from functools import lru_cache
from importlib import resources
from typing import NamedTuple


class Row(NamedTuple):
    """One row of the table."""

    tag: str
    """Eight hexadecimal digits; X stands for any digit (repeating groups)."""
    keyword: str
    action: str


@lru_cache(maxsize=1)
def rows() -> tuple[Row, ...]:
    """All rows, in order of their tags; private elements are covered by `action` alone."""
    text = resources.files("secondread.imaging.identity").joinpath("profile.json").read_text(encoding="utf-8")
    return tuple(Row(*row) for row in json.loads(text)["rows"])


@lru_cache(maxsize=1)
def _by_tag() -> dict[int, str]:
    return {int(row.tag, 16): row.action for row in rows() if "X" not in row.tag}


@lru_cache(maxsize=1)
def keywords() -> tuple[str, ...]:
    """Keywords of all rows with one tag, in order of their tags."""
    return tuple(row.keyword for row in rows() if "X" not in row.tag)


def action(tag: int) -> str | None:
    """What the profile does with an element.

    Args:
        tag: Group and element as one number, e.g. 0x00100010.

    Returns:
        An action code, or None when the table leaves the element alone. Private elements, curves, overlay data and
        overlay comments are removed.
    """
    found = _by_tag().get(tag)
    if found is not None:
        return found
    group, element = tag >> 16, tag & 0xFFFF
    if group & 1:
        return "X"
    if group >> 8 == 0x50 or (group >> 8 == 0x60 and element in (0x3000, 0x4000)):
        return "X"
    return None


def identifies(tag: int) -> bool:
    """Whether the profile changes or removes an element."""
    return action(tag) is not None
