"""Each crop outlined by the one network that has not seen it, compared with its manual labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from secondread.evals.metrics import dice
from secondread.tools.segment.hippocampus.inference import STRUCTURES, segment
from secondread.tools.segment.hippocampus.volumes import PARTS, spread, volumes
from secondread.training.hippocampus.data import Case

if TYPE_CHECKING:
    from secondread.tools.segment.hippocampus.network import HippocampusNet


@dataclass(frozen=True)
class Row:
    """What was measured on one crop.

    Attributes:
        name: Of the case.
        fold: Its fold, and the network that outlined it.
        dice: Of each structure.
        found, truth, spread: Volumes in mm3 and their spread over looks, by measurement.
        uncertainty: Mean entropy of the network inside the masks.
        plausible: Whether the masks were believed.
        reasons: Why not.
    """

    name: str
    fold: int
    dice: dict[str, float]
    found: dict[str, float]
    truth: dict[str, float]
    spread: dict[str, float]
    uncertainty: float
    plausible: bool
    reasons: tuple[str, ...]


def rows(cases: Sequence[Case], networks: "Mapping[int, HippocampusNet]") -> Iterator[Row]:
    """One row per crop, in order."""
    for case in cases:
        result = segment(case.values, np.eye(4), networks, [case.fold])
        truth = {name: case.labels == k for k, name in enumerate(STRUCTURES, 1)}
        yield Row(
            name=case.name,
            fold=case.fold,
            dice={name: dice(result.masks[name], truth[name]) for name in STRUCTURES},
            found=volumes(result),
            truth={name: float(sum(int(truth[s].sum()) for s in parts)) for name, parts in PARTS.items()},
            spread={name: spread(result.samples, parts) for name, parts in PARTS.items()},
            uncertainty=result.network_uncertainty,
            plausible=result.plausible,
            reasons=result.reasons,
        )
