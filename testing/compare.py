"""Are two results the same, up to a tolerance on their numbers and masks?"""

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from secondread.schema.errors import SecondReadError
from secondread.tools.base import Card
from secondread.tools.runtime.cache import HANDLE

if TYPE_CHECKING:
    from secondread.imaging.store import ImageStore

PLACES = ("x", "y", "x0", "y0", "x1", "y1")
"""Fields of regions that are coordinates in pixels."""
MASK_SHARE = 1e-3
"""Share of pixels in which two masks may differ when numbers may."""
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def difference(one: Any, other: Any, card: Card, store: "ImageStore") -> str | None:
    """Where two results differ, in words; None when they do not.

    Args:
        one: A result, or an error that a tool returned.
        other: Likewise.
        card: Its `tolerance` holds for numbers, its `tolerance_px` for places; at a tolerance of 0 all must be equal.
        store: Holds their masks and maps.
    """
    if isinstance(one, SecondReadError) or isinstance(other, SecondReadError):
        if type(one) is type(other):
            return None
        return f"one is {_kind(one)}, the other {_kind(other)}"
    return _differ(_plain(one), _plain(other), card, store, "result")


def _kind(value: Any) -> str:
    return f"the error {value.code!r} ({value.message})" if isinstance(value, SecondReadError) else "a result"


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _differ(a: Any, b: Any, card: Card, store: "ImageStore", where: str) -> str | None:
    if a == b:
        return None
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        found = (_differ(a[k], b[k], card, store, f"{where}.{k}") for k in a)
        return next((told for told in found if told), None)
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        found = (_differ(x, y, card, store, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True)))
        return next((told for told in found if told), None)
    numbers = isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool)
    if numbers:
        field = where.rpartition(".")[2]
        place = field in PLACES and card.tolerance > 0
        if field == "pixels" and card.tolerance > 0:
            return None  # of a mask, which is compared pixel by pixel
        if abs(a - b) <= max(card.tolerance * max(1.0, abs(a)), card.tolerance_px if place else 0.0):
            return None
    if isinstance(a, str) and isinstance(b, str) and card.tolerance > 0:
        if HANDLE.match(a) and HANDLE.match(b):
            return _arrays_differ(a, b, card.tolerance, store, where)
        if _NUMBER.sub("#", a) == _NUMBER.sub("#", b):
            return None
    return f"{where} is {a!r} once and {b!r} then"[:400]


def _arrays_differ(a: str, b: str, tolerance: float, store: "ImageStore", where: str) -> str | None:
    import numpy as np

    blobs = store.blobs
    kind = a.partition("-")[0]
    read: Any = {"mask": blobs.mask, "bits": blobs.bits, "map": blobs.map}[kind]
    one, other = read(a), read(b)
    if one.shape != other.shape:
        return f"{where} has the shape {one.shape} once and {other.shape} then"
    if kind == "map":
        worst = float(np.abs(one - other).max())
        return None if worst <= max(tolerance, 1e-3) else f"{where} differs by {worst:.3g}"
    share = float(np.mean(one != other))
    return None if share <= MASK_SHARE else f"{where} differs in {share:.2%} of the pixels"
