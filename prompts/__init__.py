"""Prompts: one markdown file each; the first line is a comment that says who uses it and never reaches a model."""

import re
from functools import cache
from importlib.resources import files

from secondread.schema.errors import UsageError

_FIELD = re.compile(r"\{\{([a-z_]+)\}\}")


@cache
def _text(name: str) -> str:
    if not re.fullmatch(r"[a-z_]+(?:/[a-z_]+)*", name):
        raise UsageError(f"{name!r} is not the name of a prompt.")
    place = files("secondread.prompts").joinpath(f"{name}.md")
    if not place.is_file():
        raise UsageError(f"There is no prompt {name!r}.")
    first, _, rest = place.read_text(encoding="utf-8").partition("\n")
    if not first.startswith("<!--"):
        raise UsageError(f"The first line of prompt {name!r} does not say who uses it.")
    return rest.strip() + "\n"


def fields(name: str) -> frozenset[str]:
    """Names of the fields that a prompt takes, written `{{name}}` in its file."""
    return frozenset(_FIELD.findall(_text(name)))


def read(name: str, **values: str) -> str:
    """A prompt with its fields filled in, once: braces inside a value stay as they are.

    Raises:
        UsageError: No such prompt, a field without a value, or a value without a field.
    """
    wanted = fields(name)
    missing, unused = sorted(wanted - set(values)), sorted(set(values) - wanted)
    if missing or unused:
        raise UsageError(f"Prompt {name!r}: fields without a value {missing}, values without a field {unused}.")
    return _FIELD.sub(lambda m: values[m[1]], _text(name))
