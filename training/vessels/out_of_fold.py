"""Each photograph segmented by the one network that has not seen its child, compared with both observers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secondread.evals.metrics import dice
from secondread.tools.segment.vessels.inference import segment
from secondread.tools.segment.vessels.measures import shape_of
from secondread.tools.segment.vessels.values import values_of
from secondread.training.vessels.data import Eye

if TYPE_CHECKING:
    from secondread.tools.segment.vessels.network import VesselNet


@dataclass(frozen=True)
class Row:
    """What was measured on one photograph; masks count on the whole photograph.

    Attributes:
        name, child, fold: Of the photograph; the fold is also the network that read it.
        dice: Against the first observer.
        dice_second: Against the second observer.
        observers: Dice of the two observers.
        sensitivity, precision: Against the first observer, pixel by pixel.
        found, first, second: Measures of the found mask and of the observers' masks, by name.
        uncertainty: Mean entropy of the network inside its mask.
        plausible: Whether the mask was believed.
        reasons: Why not.
    """

    name: str
    child: str
    fold: int
    dice: float
    dice_second: float
    observers: float
    sensitivity: float
    precision: float
    found: dict[str, float]
    first: dict[str, float]
    second: dict[str, float]
    uncertainty: float
    plausible: bool
    reasons: tuple[str, ...]


def rows(eyes: Sequence[Eye], networks: "Mapping[int, VesselNet]") -> Iterator[Row]:
    """One row per photograph, in order."""
    for eye in eyes:
        result = segment(eye.rgb, networks, [eye.fold])
        both = int((result.mask & eye.first).sum())
        assert result.shape is not None
        yield Row(
            name=eye.name,
            child=eye.child,
            fold=eye.fold,
            dice=dice(result.mask, eye.first),
            dice_second=dice(result.mask, eye.second),
            observers=dice(eye.first, eye.second),
            sensitivity=both / int(eye.first.sum()),
            precision=both / max(int(result.mask.sum()), 1),
            found=values_of(result.shape),
            first=values_of(shape_of(eye.first, result.field.mask)),
            second=values_of(shape_of(eye.second, result.field.mask)),
            uncertainty=result.network_uncertainty,
            plausible=result.plausible,
            reasons=result.reasons,
        )
