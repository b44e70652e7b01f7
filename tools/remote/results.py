"""What a result of another server becomes: numbers with a stated unit are measurements, the rest is quoted text."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import BadResult
from secondread.schema.evidence import THIRD_PARTY, Measurement, Measurements, Passage, Passages
from secondread.tools.remote.servers import Measure
from secondread.tools.remote.text import plain

if TYPE_CHECKING:
    from mcp_types import CallToolResult

MOST_TEXT = 2000
"""Characters of one passage."""
MOST_PASSAGES = 8


def texts(result: "CallToolResult") -> list[str]:
    """The texts of a result; its structured content as JSON when there are none. Pictures and links are left out."""
    found = [block.text for block in result.content if block.type == "text"]
    if not found and result.structured_content is not None:
        found = [json.dumps(result.structured_content, ensure_ascii=False)]
    return [told for text in found[:MOST_PASSAGES] if (told := plain(text, MOST_TEXT))]


def passages(server: str, tool: str, result: "CallToolResult") -> Passages:
    """The texts of a result as passages of a third party: no number in them backs a claim.

    Raises:
        BadResult: There is no text.
    """
    found = texts(result)
    if not found:
        raise BadResult(f"The tool {tool} of server {server} gave no text.")
    return Passages(
        items=tuple(
            Passage(text=text, source=f"{tool} of server {server}", corpus=f"{THIRD_PARTY}{server}") for text in found
        )
    )


def measurements(server: str, tool: str, result: "CallToolResult", measures: Sequence[Measure]) -> Measurements:
    """The numbers that the operator said a result holds, with the units he stated.

    Raises:
        BadResult: None of them is there.
    """
    data = result.structured_content
    if data is None:
        data = _json(texts(result))
    items = []
    for one in measures:
        value = _at(data, one.path)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            items.append(
                Measurement(name=one.concept, unit=one.unit, not_measurable=f"{tool} of server {server} gave no number")
            )
        else:
            items.append(Measurement(name=one.concept, value=float(value), unit=one.unit))
    if all(item.value is None for item in items):
        raise BadResult(f"The tool {tool} of server {server} gave none of the numbers that it is mounted for.")
    return Measurements(items=tuple(items))


def _json(found: Sequence[str]) -> Any:
    """The first text as JSON, for servers without structured results."""
    try:
        return json.loads(found[0]) if found else None
    except ValueError:
        return None


def _at(data: Any, path: str) -> Any:
    for name in path.split("."):
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data
