"""Ranges that measured properties of a result must lie in for it to be believed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A measured property, its allowed range, and its range on the development images."""

    name: str
    low: float
    high: float
    seen: tuple[float, float]


def outside(found: Mapping[str, float], limits: Iterable[Limit]) -> list[str]:
    """One sentence per property of `found` outside its limits, in the order of the limits; not-a-number is outside."""
    return [
        f"{limit.name} is {found[limit.name]:.3g}, outside {limit.low:g} to {limit.high:g}."
        for limit in limits
        if not limit.low <= found[limit.name] <= limit.high
    ]
