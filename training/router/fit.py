"""Fit the router on training views: classifier, Gaussians, and the out-of-fold distances that say what is typical."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.tools.classify.router_features import features
from secondread.tools.classify.router_model import CLIP, KINDS, RouterModel, project
from secondread.training.folds import FOLDS, deal
from secondread.training.router.augment import OUTSIDE_KINDS, outside, view
from secondread.training.router.data import Item, Pictures

PER_KIND = 700
"""Training views of each kind: as many of each picture as it takes."""
PER_OUTSIDE = 120
SEED = 41000
AXES = 48
STRENGTH = 0.03
"""Inverse of the L2 penalty of the logistic regression."""
QUANTILES = 201

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Views:
    """Features of training views, and of every picture as the router sees it in use.

    Attributes:
        plain: Shape (pictures, n).
        moved: Shape (views, n).
        origin: Shape (views,): which picture a view shows; -1 for pictures of the unknown.
        label: Shape (views,): index into `KINDS`, len(KINDS) for the unknown.
        outside: Name of the unknown kind of each view; empty for known ones.
    """

    plain: Floats
    moved: Floats
    origin: NDArray[np.intp]
    label: NDArray[np.intp]
    outside: NDArray[np.str_]


def views(pictures: Pictures, cache: Path) -> Views:
    """Features, from the cache when there is one."""
    if cache.is_file():
        stored = np.load(cache, allow_pickle=False)
        return Views(*(stored[k] for k in ("plain", "moved", "origin", "label", "outside")))
    rng = np.random.default_rng(SEED)
    moved, origin, label, names = [], [], [], []
    for number, kind in enumerate(KINDS):
        members = pictures.where(lambda i, kind=kind: i.split == "train" and i.kind == kind)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        # every source of a kind weighs the same
        sources = sorted({pictures.items[i].source for i in members})
        for n in range(PER_KIND):
            mine = [i for i in members if pictures.items[i].source == sources[n % len(sources)]]
            index = mine[n // len(sources) % len(mine)]
            moved.append(features(view(pictures.kept[index], kind, rng)))
            origin.append(int(index))
            label.append(number)
            names.append("")
    known = pictures.seen[pictures.where(lambda i: i.split == "train")]
    for kind in OUTSIDE_KINDS:
        for _ in range(PER_OUTSIDE):
            moved.append(features(outside(kind, known, rng)))
            origin.append(-1)
            label.append(len(KINDS))
            names.append(kind)
    plain = np.stack([features(s) for s in pictures.seen])
    found = Views(plain, np.stack(moved), np.array(origin), np.array(label), np.array(names))
    np.savez(cache, **vars(found))
    return found


def plain_views(pictures: Pictures) -> Views:
    """Features of the pictures that were never fitted on, as the router sees them; no training views."""
    size = len(features(pictures.seen[0]))
    rows = [
        features(s) if i.split != "train" else np.zeros(size)
        for i, s in zip(pictures.items, pictures.seen, strict=True)
    ]
    none = np.zeros(0, np.intp)
    return Views(np.stack(rows).astype(np.float32), np.zeros((0, size), np.float32), none, none, np.zeros(0, np.str_))


def fit(seen: Views, use: NDArray[np.bool_]) -> RouterModel:
    """Classifier and Gaussians from the training views that `use` marks; its distances are those of these views."""
    from sklearn.covariance import LedoitWolf
    from sklearn.linear_model import LogisticRegression

    x, y = seen.moved[use], seen.label[use]
    known = y < len(KINDS)
    mean = np.stack([x[y == k].mean(0) for k in range(len(KINDS)) if (y == k).any()]).mean(0)
    scale = np.maximum(x[known].std(0), 1e-3)
    standard = np.clip((x - mean) / scale, -CLIP, CLIP)
    line = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-2, class_weight="balanced").fit(standard, y)
    weight, bias = np.zeros((len(KINDS) + 1, x.shape[1])), np.full(len(KINDS) + 1, -30.0)
    weight[line.classes_], bias[line.classes_] = line.coef_, line.intercept_
    _, _, turned = np.linalg.svd(standard[known] - standard[known].mean(0), full_matrices=False)
    axes = turned[:AXES].T.astype(np.float32)
    places = project(standard.astype(np.float32), axes)
    centres = np.zeros((len(KINDS), AXES + 1))
    whiten = np.tile(np.eye(AXES + 1) * 1e3, (len(KINDS), 1, 1))
    for k in range(len(KINDS)):
        if (y == k).any():
            fitted = LedoitWolf().fit(places[y == k])
            centres[k] = fitted.location_
            whiten[k] = np.linalg.inv(np.linalg.cholesky(fitted.covariance_ + 1e-4 * np.eye(AXES + 1))).T
    none = np.zeros((len(KINDS), 2))
    arrays = (mean, scale, weight, bias, axes, centres, whiten, none)
    model = RouterModel(*(a.astype(np.float32) for a in arrays))
    return replace(model, distances=quantiles(model.far(x)[known], y[known]))


def quantiles(far: Floats, label: NDArray[np.intp]) -> Floats:
    """Evenly spaced quantiles of the distance to the own kind, shape (len(KINDS), QUANTILES)."""
    rank = np.linspace(0, 1, QUANTILES)
    rows = [
        np.quantile(far[label == k, k], rank) if (label == k).any() else np.zeros(QUANTILES) for k in range(len(KINDS))
    ]
    return np.stack(rows).astype(np.float32)


def fold_of_pictures(pictures: Pictures) -> NDArray[np.intp]:
    """Fold of each picture to train on, -1 for the others.

    Slices of one volume and look-alikes stay together. Kinds of one or two volumes are in few folds, and their figures
    are those of one volume read by a model that knows the other.
    """
    index = pictures.where(lambda i: i.split == "train")
    dealt = deal([pictures.items[i].group for i in index], [pictures.items[i].kind for i in index])
    folds = np.full(len(pictures.items), -1)
    folds[index] = dealt
    return folds


@dataclass(frozen=True)
class OutOfFold:
    """What models say of pictures they were not fitted on.

    Attributes:
        index: Positions of the pictures to train on.
        probabilities: Shape (pictures, len(KINDS) + 1).
        far: Shape (pictures, len(KINDS)).
        far_views: Distances of the training views, read by the model that has not seen their picture.
        label_views: Their kinds.
    """

    index: NDArray[np.intp]
    probabilities: Floats
    far: Floats
    far_views: Floats
    label_views: NDArray[np.intp]


def out_of_fold(pictures: Pictures, seen: Views) -> OutOfFold:
    """Five models, each fitted without one fold, on that fold."""
    folds = fold_of_pictures(pictures)
    fold_of_view = np.where(seen.origin >= 0, folds[seen.origin], -1)
    index = np.flatnonzero(folds >= 0)
    probabilities = np.zeros((len(folds), len(KINDS) + 1), np.float32)
    far = np.zeros((len(folds), len(KINDS)), np.float32)
    far_views = np.zeros((len(seen.moved), len(KINDS)), np.float32)
    for fold in range(FOLDS):
        model = fit(seen, fold_of_view != fold)
        mine, moved = folds == fold, fold_of_view == fold
        probabilities[mine], far[mine] = model.probabilities(seen.plain[mine]), model.far(seen.plain[mine])
        far_views[moved] = model.far(seen.moved[moved])
    known = seen.origin >= 0
    return OutOfFold(index, probabilities[index], far[index], far_views[known], seen.label[known])


def without(pictures: Pictures, seen: Views, left_out: Callable[[Item], bool]) -> RouterModel:
    """A model fitted without the pictures that pass a test."""
    out = np.array([left_out(i) for i in pictures.items])
    return fit(seen, ~np.where(seen.origin >= 0, out[seen.origin], False))


def without_outside(seen: Views, kinds: tuple[str, ...]) -> RouterModel:
    """A model fitted without some kinds of the unknown."""
    return fit(seen, ~np.isin(seen.outside, kinds))
