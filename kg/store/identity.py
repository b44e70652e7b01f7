"""Node ids `NAMESPACE:key` and the integers they are stored as."""

import re
from collections.abc import Mapping

from secondread.schema.errors import InputError

NUMBER_FORMATS: dict[str, tuple[str, int]] = {
    "UMLS": ("C", 7),
    "DOID": ("", 0),
    "RID": ("RID", 0),
    "UBERON": ("", 7),
    "MONDO": ("", 7),
    "HP": ("", 7),
    "CL": ("", 7),
}
"""Namespace -> text before the number and its digits (0: no leading zeros), for namespaces that number their keys."""
LONGEST = 512
_NUMBER = re.compile(r"[0-9]{1,15}")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f|]")


def checked(node: str) -> str:
    """The id itself.

    Raises:
        InputError: It is empty, longer than 512 characters, or holds a `|` or control character.
    """
    if not node or len(node) > LONGEST or _FORBIDDEN.search(node):
        raise InputError("A node id has 1 to 512 characters, none of them `|` or a control character.")
    return node


def split(node: str) -> tuple[str, str]:
    """Namespace (empty when there is no colon) and key."""
    space, colon, key = node.partition(":")
    return (space, key) if colon else ("", node)


def joined(space: str, key: str) -> str:
    """The id of a namespace and a key."""
    return f"{space}:{key}" if space else key


def number_of(space: str, key: str, formats: Mapping[str, tuple[str, int]]) -> int | None:
    """The number that a key stands for; None when the key is not written the one way its namespace numbers keys."""
    if space not in formats:
        return None
    prefix, width = formats[space]
    digits = key[len(prefix) :]
    if not key.startswith(prefix) or not _NUMBER.fullmatch(digits) or digits != f"{int(digits):0{width}d}":
        return None
    return int(digits)


def key_of(space: str, number: int, formats: Mapping[str, tuple[str, int]]) -> str:
    """The key that a number is written as."""
    prefix, width = formats[space]
    return f"{prefix}{number:0{width}d}"
