"""A Request type for a tool of another server, from the JSON schema of its arguments."""

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from secondread.tools.base import ToolRequest
from secondread.tools.remote.text import plain

MOST_TEXT = 4000
MOST_ITEMS = 200
MOST_FIELDS = 40
_SIMPLE: dict[str, Any] = {
    "integer": int,
    "number": Annotated[float, Field(allow_inf_nan=False)],
    "boolean": bool,
    "string": Annotated[str, Field(max_length=MOST_TEXT)],
}


class Unfit(Exception):
    """The arguments of a tool cannot be served."""


def request_type(name: str, schema: dict[str, Any], image: str | None) -> type[ToolRequest]:
    """The Request of a tool.

    Args:
        name: Of the type.
        schema: JSON schema of its arguments, an object.
        image: The argument that takes the image; left out, since the runtime fills it in.

    Raises:
        Unfit: An argument that must be given has a type that cannot be served, there are too many, or one has a name
            that cannot be served.
    """
    required = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or len(properties) > MOST_FIELDS:
        raise Unfit(f"it has more than {MOST_FIELDS} arguments")
    if image is not None and image not in properties:
        raise Unfit(f"it has no argument {image!r} for the image")
    fields: dict[str, Any] = {}
    for key, part in properties.items():
        if key == image:
            continue
        kind = _type(part)
        if kind is None or not key.isidentifier() or key.startswith(("_", "model_")) or key == "image":
            if key in required:
                raise Unfit(f"its argument {plain(str(key), 40)!r} cannot be served")
            continue
        told = plain(str(part.get("description", "")), 200)
        if key in required:
            fields[key] = (kind, Field(description=told))
        else:
            fields[key] = (kind | None, Field(default=None, description=told))
    if "image" in required and image != "image":
        raise Unfit("its argument 'image' is not said to take the image")
    made: type[ToolRequest] = create_model(name, __base__=ToolRequest, __doc__="Arguments.", **fields)
    return made


def _type(part: Any) -> Any:
    """The type that a JSON schema stands for, or None."""
    if not isinstance(part, dict):
        return None
    if "enum" in part:
        values = [v for v in part["enum"] if isinstance(v, str | int | bool)]
        return Literal[tuple(values)] if values and len(values) == len(part["enum"]) <= MOST_ITEMS else None
    for several in ("anyOf", "oneOf"):
        if several in part:
            kinds = [_type(one) for one in part[several] if one != {"type": "null"}]
            return kinds[0] if len(kinds) == 1 else None
    kind = part.get("type")
    if kind == "array":
        inner: Any = _type(part.get("items", {}))
        return Annotated[list[inner], Field(max_length=MOST_ITEMS)] if inner is not None else None
    return _SIMPLE.get(kind) if isinstance(kind, str) else None
