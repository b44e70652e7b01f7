"""Is a result fit to be evidence: of its type, finite, of bounded size, inside the image, with masks that exist."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from secondread.schema.errors import BadResult, SecondReadError
from secondread.schema.evidence import Counted
from secondread.schema.region import Box, Cuboid, MaskRef, Point, Polygon
from secondread.tools.base import Tool
from secondread.tools.runtime.jobs import Outcome

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

RESULT_BYTES = 8 << 20
"""Of the JSON of one result: some 50,000 counted objects. Masks and maps lie in the image store and do not count."""
SUMMARY_CHARACTERS = 600
EDGE = 0.5 + 1e-3
"""An image reaches half a pixel beyond the centres of its outermost pixels."""


def checked(tool: Tool, result: Any, store: "ImageStore", image: str | None = None) -> Outcome:
    """A tool's result as an outcome.

    Args:
        tool: Which tool gave it.
        result: What `run_batch` gave for one request.
        store: Knows the grids that regions name, and the masks.
        image: What the request was about.

    Returns:
        The result with summary and JSON, or the tool's own error.

    Raises:
        BadResult: It is of another type, not finite, too large, outside its image, or names what does not exist.
    """
    if isinstance(result, SecondReadError):
        return Outcome(result)
    name = tool.card.name
    if type(result) is not tool.Result:
        raise BadResult(f"{name} returned a {type(result).__name__}, not its Result type.")
    text = result.model_dump_json()
    if len(text) > RESULT_BYTES:
        raise BadResult(
            f"{name} returned {len(text) / 1e6:.0f} MB; a result has at most {RESULT_BYTES / 1e6:.0f} MB.",
            hint="Masks and maps belong into the image store.",
        )
    for part in parts(result):
        wrong = _fault(part, store, image)
        if wrong:
            raise BadResult(f"{name} returned {wrong}.")
    return Outcome(result, summary_of(tool, result), text)


def finite(value: Any) -> bool:
    """Whether every number inside a value is."""
    return all(math.isfinite(part) for part in parts(value) if isinstance(part, float))


def summary_of(tool: Tool, result: Any) -> str:
    """The tool's summary as one bounded line; a summary that fails does not cost the result."""
    try:
        line = " ".join(str(tool.summarise(result)).split())
    except Exception:  # wording is no reason to lose a measurement
        line = ""
    line = line or f"{tool.card.name} returned {result.kind}"
    return line if len(line) <= SUMMARY_CHARACTERS else f"{line[: SUMMARY_CHARACTERS - 3]}..."


def parts(value: Any) -> Iterator[Any]:
    """Every record and every number inside a value, the value itself first."""
    if isinstance(value, BaseModel):
        yield value
        for field in type(value).model_fields:
            yield from parts(getattr(value, field))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from parts(inner)
    elif isinstance(value, float):
        yield value


def _fault(part: Any, store: "ImageStore", image: str | None) -> str | None:
    if isinstance(part, float):
        return None if math.isfinite(part) else "a number that is not finite"
    if isinstance(part, Point):
        return _outside("point", part.grid, ((part.x, part.y),), store, image)
    if isinstance(part, Box):
        return _outside("box", part.grid, ((part.x0, part.y0), (part.x1, part.y1)), store, image)
    if isinstance(part, Polygon):
        return _outside("polygon", part.grid, part.points, store, image)
    if isinstance(part, Counted):
        corners = [(b[i], b[i + 1]) for b in part.boxes for i in (0, 2)]
        return _outside("counted object", part.grid, (*part.points, *corners), store, image)
    if isinstance(part, Cuboid):
        return _outside_volume(part, store)
    if isinstance(part, MaskRef) and not store.blobs.holds(part.blob):
        return f"a mask of {part.name} that it has not stored"
    return None


def _outside(what: str, grid: str, points: Any, store: "ImageStore", image: str | None) -> str | None:
    """Why points do not lie in their grid, or None."""
    if not points:
        return None
    refs = [store.info(known).ref for known in (grid, image) if known is not None and known in store]
    ref = next((one for one in refs if one.grid == grid), None)
    if ref is None:
        return f"a {what} in a grid that is no image of this run"
    inside = all(-EDGE <= x <= ref.columns - 1 + EDGE and -EDGE <= y <= ref.rows - 1 + EDGE for x, y in points)
    return None if inside else f"a {what} outside the image"


def _outside_volume(part: Cuboid, store: "ImageStore") -> str | None:
    if part.grid not in store:
        return "a box in a grid that is no volume of this run"
    shape = store.volume(part.grid).shape
    inside = all(a >= -EDGE and b <= n - 1 + EDGE for a, b, n in zip(part.low, part.high, shape, strict=True))
    return None if inside else "a box outside the volume"
