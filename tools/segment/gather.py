"""From the logits of each network and look to masks, samples and uncertainty.

In numpy and map by map: memory is used again while it is in the processor's cache, the lock of Python is free most of
the time, and many short operations on all threads would cost more in waiting for each other than they gain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.tools.segment.enlarge import enlarge, enlarge_classes
from secondread.tools.segment.grid import GRID
from secondread.tools.segment.looks import Look, back
from secondread.tools.segment.plausible import HeartSide, judge
from secondread.tools.segment.postprocess import clean, largest_piece, masks_of, winner

JUDGED_SIDE = 512
"""What is judged of the masks of larger films is judged at this long side, which bounds its cost."""

CLASS_WEIGHTS = (1.0, 1.25, 1.25, 0.6)
"""Factors on the probabilities of background, right lung, left lung and heart before the most probable class is taken.
The overlap term of the training loss makes the networks call the heart too wide and the lungs too narrow; on the
out-of-fold train films these factors bring the mean width error of the heart from 2.5 to about 0 px (of 512) and of
the thorax from -3.2 to -2.6 px without loss of overlap."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """The masks of one look of one network.

    Attributes:
        member: Number of the network.
        look: Name of the look.
        classes: uint8 over the whole film, of its shape or of a long side of `GRID`, as fine as the networks saw it:
            0 background, k for `STRUCTURES[k - 1]`. Not cleaned: stray pieces are left to who measures on it.
    """

    member: int
    look: str
    classes: NDArray[np.uint8]

    @property
    def bits(self) -> NDArray[np.uint8]:
        """The classes with bit k - 1 set for class k."""
        found: NDArray[np.uint8] = (np.uint8(1) << self.classes) >> np.uint8(1)
        return found

    @property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Structure name to bool mask, of the shape of `classes`, one piece each."""
        return {name: largest_piece(mask) for name, mask in masks_of(self.classes).items()}


@dataclass(frozen=True)
class AnatomyResult:
    """What was found on one film.

    Attributes:
        masks: `right_lung` (image left), `left_lung` (image right) and `heart`, bool, on the grid of the film; they do
            not overlap, the lungs leave the heart out.
        uncertainty: float32 over the whole film, of its shape or of a long side of `GRID`, as fine as the networks saw
            it: entropy of the mean class probability, 0 sure to 1 (all classes equally probable).
        mean_uncertainty: Its mean inside the three masks, 1.0 when nothing was found.
        network_uncertainty: The same of each network by itself, averaged over the networks.
        samples: One per network and look.
        plausible: Whether size, place and shape of the masks are those of a frontal chest film.
        reasons: Why not, or what a reader should know.
        heart_side: Side of the image on which most of the heart lies, from the middle between the lungs.
    """

    masks: dict[str, NDArray[np.bool_]]
    uncertainty: NDArray[np.float32]
    mean_uncertainty: float
    network_uncertainty: float
    samples: list[Sample]
    plausible: bool
    reasons: tuple[str, ...]
    heart_side: HeartSide


class Gathering:
    """What the networks say of one film, added up as it comes.

    Args:
        rows: Of the film.
        columns: Of the film.
        looks: How each network was shown it.
    """

    def __init__(self, rows: int, columns: int, looks: Sequence[Look]) -> None:
        self._shape, self._looks = (rows, columns), looks
        self._coarse = _at_most(rows, columns, GRID)
        self._samples: list[Sample] = []
        self._mean = np.zeros((len(CLASS_WEIGHTS), GRID, GRID), np.float32)
        self._alone = np.zeros((GRID, GRID), np.float32)
        self._networks = 0

    def add(self, member: int, logits: Floats) -> None:
        """Add a network's class logits, shape (looks, 4, 256, 256), in the order of the looks."""
        import torch

        weights = np.array(CLASS_WEIGHTS, np.float32)[:, None, None]
        together, shown = np.zeros_like(self._mean), np.empty_like(self._mean)
        with torch.inference_mode():
            for look, of_look in zip(self._looks, logits, strict=True):
                shown[:] = of_look  # planes: the networks give the classes of a pixel side by side
                np.subtract(shown, shown.max(0), out=shown)
                np.exp(shown, out=shown)
                np.divide(shown, shown.sum(0), out=shown)
                found: Floats = back(torch.from_numpy(shown)[None], look)[0].numpy()
                found *= weights
                found /= found.sum(0)
                together += found
                classes = enlarge_classes(found, winner(found), *self._coarse)
                self._samples.append(Sample(member, look.name, classes))
        self._mean += together
        together /= np.float32(len(self._looks))
        self._alone += _entropy(together)
        self._networks += 1

    def result(self) -> AnatomyResult:
        """Masks, samples and uncertainty of all networks together."""
        rows, columns = self._shape
        small = _at_most(rows, columns, JUDGED_SIDE)
        mean, alone = self._mean / np.float32(len(self._samples)), self._alone / np.float32(self._networks)
        whole = clean(mean)
        classes = enlarge_classes(*whole, *small)
        inside = np.flatnonzero(classes != 0)
        entropy = _entropy(mean)
        unsure, unsure_alone = (
            float(enlarge(values, *small).ravel()[inside].mean()) if inside.size else 1.0 for values in (entropy, alone)
        )
        plausible, reasons, side = judge(masks_of(classes), unsure)
        masks = masks_of(classes if small == self._shape else enlarge_classes(*whole, rows, columns))
        uncertainty = enlarge(entropy, *self._coarse)
        return AnatomyResult(masks, uncertainty, unsure, unsure_alone, self._samples, plausible, reasons, side)


def _at_most(rows: int, columns: int, side: int) -> tuple[int, int]:
    """The shape of a film, shrunk to a long side of `side` when it is larger."""
    shrink = min(1.0, side / max(rows, columns))
    return max(1, round(rows * shrink)), max(1, round(columns * shrink))


def _entropy(probabilities: Floats) -> NDArray[np.float32]:
    """Entropy over the classes of (4, rows, columns), 0 sure to 1 all equally probable."""
    terms = np.log(np.maximum(probabilities, np.float32(1e-7)))
    terms *= probabilities
    scaled: NDArray[np.float32] = terms.sum(0) / np.float32(-math.log(len(probabilities)))
    return scaled
