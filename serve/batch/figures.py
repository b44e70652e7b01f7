"""Arithmetic of a cohort summary: shares with intervals, agreement beyond chance, samples of bounded size."""

import math
import random
from array import array
from collections.abc import Mapping

SAMPLE = 20_000
"""Values kept of one measurement; beyond that a random sample of this size."""
Z95 = 1.959964
"""Two-sided 95 % point of the normal distribution."""
BINS = 24


def share(part: int, whole: int) -> dict[str, float | int | None]:
    """A share with its 95 % interval.

    Source:
        Wilson, J Am Stat Assoc 1927;22:209 (score interval).
    """
    if not whole:
        return {"part": part, "whole": whole, "share": None, "low": None, "high": None}
    p, z2 = part / whole, Z95 * Z95
    centre = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = Z95 / (1 + z2 / whole) * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole))
    return {
        "part": part,
        "whole": whole,
        "share": round(p, 5),
        "low": round(max(0.0, centre - half), 5),
        "high": round(min(1.0, centre + half), 5),
    }


def differs(part: int, whole: int, other_part: float, other_whole: int) -> float | None:
    """Two-sided p value that two shares are one, by the pooled two-proportion z test; None without data."""
    if not whole or not other_whole:
        return None
    pooled = (part + other_part) / (whole + other_whole)
    error = math.sqrt(pooled * (1 - pooled) * (1 / whole + 1 / other_whole))
    if error == 0:
        return 1.0
    return math.erfc(abs(part / whole - other_part / other_whole) / error / math.sqrt(2))


def kappa(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Agreement of two sources beyond chance; None when both always say the same one thing.

    Args:
        pairs: How often the first and the second source said what.

    Source:
        Cohen, Educ Psychol Meas 1960;20:37.
    """
    total = sum(pairs.values())
    if not total:
        return None
    words = {word for pair in pairs for word in pair}
    agreed = sum(count for (one, other), count in pairs.items() if one == other) / total
    chance = sum(
        sum(c for (one, _), c in pairs.items() if one == word) * sum(c for (_, two), c in pairs.items() if two == word)
        for word in words
    ) / (total * total)
    return None if chance == 1 else (agreed - chance) / (1 - chance)


class Distribution:
    """Count, mean, spread and shape of one measurement, in memory that does not grow beyond `SAMPLE` values."""

    def __init__(self) -> None:
        self.count, self._mean, self._squares = 0, 0.0, 0.0
        self._low, self._high = math.inf, -math.inf
        self._kept = array("d")
        self._random = random.Random(0)

    def add(self, value: float) -> None:
        """Add a value."""
        self.count += 1
        step = value - self._mean
        self._mean += step / self.count
        self._squares += step * (value - self._mean)
        self._low, self._high = min(self._low, value), max(self._high, value)
        if len(self._kept) < SAMPLE:
            self._kept.append(value)
        elif (place := self._random.randrange(self.count)) < SAMPLE:
            self._kept[place] = value

    def figures(self) -> dict[str, object]:
        """Numbers and a histogram between the lowest and the highest value."""
        kept = sorted(self._kept)
        wide = (self._high - self._low) or 1.0
        counts = [0] * BINS
        for value in kept:
            counts[min(BINS - 1, int((value - self._low) / wide * BINS))] += 1
        return {
            "count": self.count,
            "mean": self._mean,
            "sd": math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else None,
            "lowest": self._low,
            "highest": self._high,
            "quartiles": [_quantile(kept, q) for q in (0.25, 0.5, 0.75)],
            "histogram": counts,
        }


def _quantile(values: list[float], q: float) -> float:
    """A quantile of sorted values, linear between the two nearest."""
    place = q * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
