"""Which chest radiograph is the frontal one, and which lateral goes with it.

Only what the header states counts (`imaging/dicom/view.py`): a film of unknown projection is neither. A lateral goes
with the frontal film of its own series, else with the one taken nearest in time; without times, in the order of the
series.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from secondread.imaging.study.model import FilmPair, Instance

FRONTAL = frozenset(("PA", "AP"))


@dataclass(frozen=True, slots=True)
class Film:
    """A chest radiograph of a study."""

    instance: Instance
    second: float | None
    """Time of day it was taken, in seconds."""


def pair(films: Sequence[Film]) -> tuple[FilmPair, ...]:
    """Frontal and lateral films together; every film is in one pair.

    Args:
        films: Radiographs of one study in order of series and acquisition.
    """
    frontals = [film for film in films if film.instance.view in FRONTAL]
    laterals = [film for film in films if film.instance.view == "LATERAL"]
    near = sorted(
        (_distance(frontal, lateral, abs(f - n)), f, n)
        for f, frontal in enumerate(frontals)
        for n, lateral in enumerate(laterals)
    )
    partner: dict[int, int] = {}
    for _, f, n in near:
        if f not in partner and n not in partner.values():
            partner[f] = n
    pairs = [
        FilmPair(film.instance, laterals[partner[f]].instance if f in partner else None)
        for f, film in enumerate(frontals)
    ]
    alone = [FilmPair(None, film.instance) for n, film in enumerate(laterals) if n not in partner.values()]
    return (*pairs, *alone)


def _distance(frontal: Film, lateral: Film, apart: int) -> tuple[bool, float, int]:
    other_series = frontal.instance.place.series != lateral.instance.place.series
    timed = frontal.second is not None and lateral.second is not None
    seconds = abs((frontal.second or 0) - (lateral.second or 0)) if timed else float("inf")
    return other_series, seconds, apart
