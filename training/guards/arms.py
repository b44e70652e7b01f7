"""Which images each training run draws from: the shipped guards, and the runs that leave sources out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secondread.training.guards.data import ADULT_YEARS, Images, Item
from secondread.training.guards.drawn import unusable

Pool = tuple[float, Callable[[Item], bool], float]
"""Share of every batch, which items, and the label."""

LEFT_OUT_STEPS = 300
"""Steps of the runs that leave a source out; they are for the tables only."""

UNUSABLE_SHARE = 0.25
"""Of a frontal guard's batch: chest films made unusable, label 0."""


@dataclass(frozen=True)
class Arm:
    """One set of training runs, one network per fold.

    Attributes:
        name: Of the arm, in files and tables.
        guard: Concept the networks speak for.
        pools: Where batches are drawn from. A source that is in no pool is unseen by every network of the arm.
        folds: Folds to run.
        unusable: Whether chest films made unusable fill the rest of the batch.
        steps: Optimiser steps per network.
    """

    name: str
    guard: str
    pools: tuple[Pool, ...]
    folds: tuple[int, ...] = (0, 1, 2, 3, 4)
    unusable: bool = False
    steps: int = 500


def _source(*names: str) -> Callable[[Item], bool]:
    return lambda item: item.source in names


def _nih(test: Callable[[Item], bool]) -> Callable[[Item], bool]:
    return lambda item: item.source == "nih_cxr14" and test(item)


_adult = _nih(lambda i: i.age >= ADULT_YEARS)
_minor = _nih(lambda i: i.age < ADULT_YEARS)
_kermany, _wingspan = _source("kermany224"), _source("wingspan")

_ADULTS: tuple[Pool, ...] = ((0.3, _adult, 0.0), (0.2, _wingspan, 0.0))

_CHEST: dict[str, float] = {"nih_cxr14": 0.18, "kermany224": 0.15, "wingspan": 0.12}
_OTHER: dict[str, float] = {
    "ultrasound_usgra": 0.05,
    "volumes": 0.09,
    "retina_chase_db1": 0.02,
    "nuclei_dsb2018": 0.03,
    "cells_bccd": 0.03,
    "drawn": 0.08,
}


def _frontal(name: str, without: tuple[str, ...] = (), folds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> Arm:
    pools = [(share, _source(s), 1.0) for s, share in _CHEST.items() if s not in without]
    pools += [(share, _source(s), 0.0) for s, share in _OTHER.items() if s not in without]
    steps = LEFT_OUT_STEPS if without else 500
    return Arm(name, "frontal_chest_radiograph", tuple(pools), folds, unusable=True, steps=steps)


SHIPPED = ("frontal_all", "view_nih", "child_all")

ARMS = {
    arm.name: arm
    for arm in (
        Arm(
            "view_nih",
            "pa_view",
            ((0.5, _nih(lambda i: i.view == "PA"), 1.0), (0.5, _nih(lambda i: i.view == "AP"), 0.0)),
        ),
        _frontal("frontal_all"),
        Arm("child_all", "child", ((0.25, _minor, 1.0), (0.25, _kermany, 1.0), *_ADULTS)),
        Arm("child_nih_only", "child", ((0.5, _minor, 1.0), (0.5, _adult, 0.0)), (0, 1), steps=LEFT_OUT_STEPS),
        Arm("child_without_nih_minors", "child", ((0.5, _kermany, 1.0), *_ADULTS), (0, 1), steps=LEFT_OUT_STEPS),
        _frontal("frontal_without_ultrasound_wingspan", ("ultrasound_usgra", "wingspan"), (0,)),
        _frontal("frontal_without_volumes_nih", ("volumes", "nih_cxr14"), (0,)),
        _frontal("frontal_without_photographs_kermany", ("retina_chase_db1", "cells_bccd", "kermany224"), (0,)),
        _frontal("frontal_without_nuclei_drawn", ("nuclei_dsb2018", "drawn"), (0,)),
    )
}


class Sampler:
    """Draws batches of an arm for one fold: train items outside the fold, by pool and, within it, evenly by group."""

    def __init__(self, arm: Arm, images: Images, fold: int, seed: int) -> None:
        self._images, self._rng = images, np.random.default_rng(seed)
        self._unusable = arm.unusable
        total = sum(share for share, _, _ in arm.pools)
        self._shares = [share / total for share, _, _ in arm.pools]
        self._labels = [label for _, _, label in arm.pools]
        self._members = [
            images.where(lambda i, test=test: i.split == "train" and i.fold != fold and test(i))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            for _, test, _ in arm.pools
        ]
        self._weights = []
        for members in self._members:
            groups = [images.items[i].group for i in members]
            _, back, counts = np.unique(groups, return_inverse=True, return_counts=True)
            weight = 1.0 / np.sqrt(counts[back])
            self._weights.append(weight / weight.sum())

    def batch(self, n: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """Squares (n, 128, 128), aspects (n,) and labels (n,)."""
        pools = self._rng.choice(len(self._shares), n, p=self._shares)
        squares, aspects, labels = [], [], []
        for pool in pools:
            index = int(self._rng.choice(self._members[pool], p=self._weights[pool]))
            square, label = self._images.squares[index], self._labels[pool]
            # label 1 pools of a frontal guard are chest films: some of them become its hardest negatives
            if self._unusable and label == 1 and self._rng.random() < UNUSABLE_SHARE / (0.45 + UNUSABLE_SHARE):
                square, label = unusable(square, self._rng), 0.0
            squares.append(square)
            aspects.append(self._images.items[index].aspect)
            labels.append(label)
        return np.stack(squares), np.array(aspects, np.float32), np.array(labels, np.float32)
