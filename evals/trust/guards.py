"""Rows of the film guards: each train image by the network of its fold, under the Platt curve of the other folds.

The curves weigh both classes the same, so a stated probability holds where half of the images are positive. Rows are
therefore as many of each class, drawn with a fixed seed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.trust.rows import Row, Sheet, Split
from secondread.tools.calibrators import calibrator_id
from secondread.tools.classify.guard_network import GUARDS
from secondread.tools.classify.guard_weights import load_networks, read_manifest
from secondread.training.guards.arms import ARMS
from secondread.training.guards.data import Item, load
from secondread.training.guards.fit import log_odds
from secondread.training.guards.measures import platt, sigmoid
from secondread.training.guards.tables import is_chest, is_minor, is_pa

Floats = NDArray[np.float64]
AnyFloats = NDArray[np.floating[Any]]
OF: dict[str, tuple[str, Callable[[Item], bool], str]] = {
    "frontal_chest_radiograph": ("frontal_all", is_chest, "Is this a frontal chest film?"),
    "pa_view": ("view_nih", is_pa, "Is this a PA film?"),
    "child": ("child_all", is_minor, "Is this a film of a child?"),
}
SEED = 0


def sheets(data: Path, cache: Path, code: str) -> list[Sheet]:
    """One sheet per guard.

    Args:
        data: Research data folder.
        cache: File that keeps the decoded images.
        code: Kept with the rows.
    """
    images, networks = load(data, cache), load_networks()
    verified = {r.name: r for r in read_manifest()[1]}
    made = []
    for concept, (arm, label, question) in OF.items():
        shipped = verified[concept]
        shown = "" if shipped.parameters["verified"] else " (not verified on unseen sources: support, never shown)"
        pools = ARMS[arm].pools
        wanted = images.where(lambda i, pools=pools: i.split in ("train", "val") and any(t(i) for _, t, _ in pools))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        z = np.stack([log_odds(net, images.squares[wanted], GUARDS[concept].size) for net in networks[concept]])
        items = [images.items[i] for i in wanted]
        slope, intercept = float(shipped.parameters["slope"]), float(shipped.parameters["intercept"])
        rows = _train(items, z.astype(np.float64), label)
        rows += _val(items, z.astype(np.float64), label, slope, intercept)
        made.append(
            Sheet(
                name=concept,
                about=f"{question}{shown} Uncalibrated: the networks' own probability",
                calibrator=calibrator_id(shipped),
                rows=tuple(rows),
                code=code,
            )
        )
    return made


def _train(items: list[Item], z: Floats, label: Callable[[Item], bool]) -> list[Row]:
    index = np.array([n for n, i in enumerate(items) if i.split == "train"])
    some = [items[n] for n in index]
    fold = np.array([i.fold for i in some])
    mine = z[fold, index]
    truth = np.array([label(i) for i in some])
    p = np.empty(len(some))
    for one in np.unique(fold):
        rest = fold != one
        p[~rest] = sigmoid(mine[~rest], *platt(mine[rest], truth[rest]))
    return _balanced(some, p, sigmoid(mine, 1.0, 0.0), truth, "out_of_fold")


def _val(items: list[Item], z: Floats, label: Callable[[Item], bool], slope: float, intercept: float) -> list[Row]:
    index = np.array([n for n, i in enumerate(items) if i.split == "val"], int)
    some = [items[n] for n in index]
    mean = z[:, index].mean(axis=0)
    truth = np.array([label(i) for i in some], bool)
    return _balanced(some, sigmoid(mean, slope, intercept), sigmoid(mean, 1.0, 0.0), truth, "val")


def _balanced(items: list[Item], p: AnyFloats, raw: AnyFloats, truth: NDArray[np.bool_], split: Split) -> list[Row]:
    """As many rows of each class; none when a class is missing."""
    least = int(min(truth.sum(), (~truth).sum()))
    rng = np.random.default_rng(SEED)
    kept = np.sort(np.concatenate([rng.permutation(np.flatnonzero(truth == t))[:least] for t in (True, False)]))
    return [
        Row(
            id=items[n].name or items[n].group,
            group=items[n].group,
            split=split,
            truth=bool(truth[n]),
            probability=float(p[n]),
            raw=float(raw[n]),
        )
        for n in kept
    ]
