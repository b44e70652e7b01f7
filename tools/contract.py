"""What is wrong with a tool class, found without running it."""

from functools import cache
from inspect import isabstract, isclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from secondread.schema.evidence import Result
from secondread.tools.base import Card, Tool, ToolRequest
from secondread.tools.licences import card_licences

SUMMARY_LIMIT = 240
"""Characters of a card's summary: planners read all of them at once."""


@cache
def result_types() -> dict[str, type[BaseModel]]:
    """The types that evidence can hold, by their kind; a tool failure is none that a tool returns."""
    union = get_args(Result)[0]
    by_kind = {str(one.model_fields["kind"].default): one for one in get_args(union)}
    by_kind.pop("tool_failure")
    return by_kind


def faults(cls: Any) -> list[str]:
    """What keeps a class from being a tool of this project, in words; empty when nothing does."""
    if not (isclass(cls) and issubclass(cls, Tool)):
        return [f"{getattr(cls, '__name__', type(cls).__name__)} is not a Tool class"]
    if isabstract(cls):
        return [f"{cls.__name__} does not define run_batch"]
    card = getattr(cls, "card", None)
    if not isinstance(card, Card):
        return [f"{cls.__name__} has no Card"]
    found: list[str] = []
    request = getattr(cls, "Request", None)
    if not (isclass(request) and issubclass(request, ToolRequest)):
        return [f"the Request of {card.name} is not a ToolRequest"]
    lacking = [n for n in card.needs if n not in request.model_fields]
    if lacking:
        found.append(f"its Request lacks fields for its needs: {', '.join(lacking)}")
    result, promised = getattr(cls, "Result", None), result_types().get(card.kind)
    if result is not promised:
        name = getattr(result, "__name__", "nothing")
        found.append(f"its card promises {card.kind} evidence, its Result is {name}")
    if card.weights is not None and not card.weights.files:
        found.append("its card has weights without files")
    return found


def shortcomings(cls: type[Tool]) -> list[str]:
    """What a card or its docstrings leave out; the tool works, the conformance kit refuses it."""
    card, request = cls.card, cls.Request
    found: list[str] = []
    open_fields = {n for n, f in request.model_fields.items() if f.is_required()} - {"image", *card.needs}
    for number, example in enumerate(card.examples, 1):
        try:
            request.model_validate({"image": "img", **example, **dict.fromkeys(card.needs, "E0")})
        except ValidationError as error:
            found.append(f"example {number} of its card does not fit its Request: {error.errors()[0]['msg']}")
    if open_fields and not card.examples:
        found.append(f"its card has no examples, and these fields have no default: {', '.join(sorted(open_fields))}")
    if not (cls.__doc__ or "").strip():
        found.append("it has no docstring")
    if not (request.__doc__ or "").strip():
        found.append("its Request has no docstring")
    if not card.summary.strip() or "\n" in card.summary or len(card.summary) > SUMMARY_LIMIT:
        found.append(f"the summary of its card is not one line of at most {SUMMARY_LIMIT} characters")
    if not card.intended_use.strip():
        found.append("its card does not say what it is meant for")
    unknown = [part for part, _, kind in card_licences(card) if kind == "unknown"]
    if unknown:
        found.append(f"the licence of its {' and '.join(unknown)} is not known")
    return found
