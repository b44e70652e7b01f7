"""Reads header values that may be missing, empty or malformed."""

import math
import re
from typing import Any


def value(ds: Any, keyword: str) -> Any:
    """The value of an attribute, or None when it is absent, empty or cannot be parsed."""
    try:
        found = ds.get(keyword)
    except Exception:  # a malformed value raises whatever its parser raises; it then counts as absent
        return None
    if found is None or (isinstance(found, str | bytes) and not found):
        return None
    return found


def text(ds: Any, keyword: str) -> str:
    """First value of an attribute as stripped text; empty when absent."""
    found = first(value(ds, keyword))
    return "" if found is None else str(found).strip(" \0\t\r\n")


def numbers(ds: Any, keyword: str) -> list[float]:
    """All finite values of a numeric attribute; empty when it is absent or any value is not a number."""
    found = value(ds, keyword)
    if found is None:
        return []
    items = [found] if isinstance(found, str | int | float) else list(found) if hasattr(found, "__iter__") else [found]
    try:
        result = [float(item) for item in items]
    except (TypeError, ValueError):
        return []
    return result if all(math.isfinite(item) for item in result) else []


def number(ds: Any, keyword: str) -> float | None:
    """First value of a numeric attribute, or None."""
    found = numbers(ds, keyword)
    return found[0] if found else None


def integer(ds: Any, keyword: str) -> int | None:
    """First value of an attribute as an integer, leading digits of a malformed one, or None."""
    found = number(ds, keyword)
    if found is not None:
        return int(found)
    digits = re.match(r"\d+", text(ds, keyword))
    return int(digits.group()) if digits else None


def first(found: Any) -> Any:
    """First of several values, the value itself, or None."""
    if found is None or isinstance(found, str | bytes | int | float):
        return found
    if hasattr(found, "__len__") and hasattr(found, "__getitem__") and not hasattr(found, "group_dataset"):
        return found[0] if len(found) else None
    return found


def items(ds: Any, keyword: str) -> list[Any]:
    """Items of a sequence; empty when it is absent or no sequence."""
    found = value(ds, keyword)
    if found is None or isinstance(found, str | bytes | int | float):
        return []
    try:
        return [item for item in found if hasattr(item, "get")]
    except TypeError:
        return []
