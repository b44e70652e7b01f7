"""Prompt files and their reader."""

from importlib.resources import files

import pytest

from secondread.prompts import fields, read
from secondread.schema.errors import UsageError

NAMES = sorted(
    f"{folder}/{p.name[:-3]}"
    for folder in ("planner", "mcp")
    for p in files("secondread.prompts").joinpath(folder).iterdir()
    if p.name.endswith(".md")
)


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_says_who_uses_it_and_the_model_never_sees_that(name: str) -> None:
    text = read(name, **{f: f"[{f}]" for f in fields(name)})
    assert "<!--" not in text
    assert "{{" not in text


def test_braces_in_a_value_are_left_alone() -> None:
    assert "{{tools}} {x}" in read("planner/reply_json", tools="{{tools}} {x}")


@pytest.mark.parametrize("values", [{}, {"tools": "a", "other": "b"}, {"other": "b"}])
def test_a_missing_or_unused_field_is_an_error(values: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="fields without a value"):
        read("planner/reply_json", **values)


@pytest.mark.parametrize("name", ["planner/none", "../pyproject", "planner", ""])
def test_an_unknown_prompt_is_an_error(name: str) -> None:
    with pytest.raises(UsageError):
        read(name)
