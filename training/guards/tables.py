"""Out-of-fold and leave-one-source-out figures of the guards, and the thresholds that follow from them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from secondread.tools.classify.guard_network import GUARDS, build
from secondread.training.guards.arms import ARMS
from secondread.training.guards.data import ADULT_YEARS, Images, Item
from secondread.training.guards.drawn import unusable
from secondread.training.guards.fit import log_odds, scores_of
from secondread.training.guards.measures import Flags, Floats, area, calibration_error, platt, share, sigmoid

Figures = dict[str, Any]
YOUNG_YEARS = 12
UNUSABLE = 500


@dataclass(frozen=True)
class Scored:
    """Probabilities of one arm for every image: each from networks that have not seen its group.

    Attributes:
        images: What was scored.
        probability: Shape (n,); NaN for val images, and for images of folds that were not run.
        slope: Of the Platt curve, fitted on the out-of-fold log-odds of the arm's own sources.
        intercept: Of the same.
        fitted: Rows that the curve was fitted on.
    """

    images: Images
    probability: Floats
    slope: float
    intercept: float
    fitted: int

    def pick(self, test: Callable[[Item], bool]) -> tuple[Floats, list[Item]]:
        """Probabilities and items that pass a test and have a score."""
        index = [i for i in self.images.where(test) if not np.isnan(self.probability[i])]
        return self.probability[index], [self.images.items[i] for i in index]


def score(name: str, images: Images, out: Path, label: Callable[[Item], bool]) -> Scored:
    """Calibrated out-of-fold probabilities of an arm.

    Images in one of the arm's pools take the network of their own fold; all others the mean of the networks.
    """
    arm = ARMS[name]
    table = scores_of(arm, out)
    pooled = np.array([i.split == "train" and any(test(i) for _, test, _ in arm.pools) for i in images.items])
    folds = np.array([i.fold for i in images.items])
    z = table.mean(axis=0).astype(np.float64)
    z[pooled] = np.nan
    for row, fold in enumerate(arm.folds):
        mine = pooled & (folds == fold)
        z[mine] = table[row][mine]
    fit = pooled & ~np.isnan(z)
    positive = np.array([label(i) for i in images.items])
    slope, intercept = platt(z[fit], positive[fit])
    return Scored(images, sigmoid(z, slope, intercept), slope, intercept, int(fit.sum()))


def _at_least(scored: Scored, test: Callable[[Item], bool], threshold: float) -> Figures:
    return dict(share(scored.pick(test)[0] >= threshold))


def _below(scored: Scored, test: Callable[[Item], bool], threshold: float) -> Figures:
    return dict(share(scored.pick(test)[0] < threshold))


def _area(scored: Scored, test: Callable[[Item], bool], label: Callable[[Item], bool]) -> Figures:
    probability, items = scored.pick(test)
    return dict(area(probability, np.array([label(i) for i in items]), [i.group for i in items]))


def _of(source: str) -> Callable[[Item], bool]:
    return lambda item: item.source == source


def is_chest(item: Item) -> bool:
    """Label of the frontal guard."""
    return item.chest


def is_pa(item: Item) -> bool:
    """Label of the view guard."""
    return item.view == "PA"


def is_minor(item: Item) -> bool:
    """Label of the child guard."""
    return item.age < ADULT_YEARS


def unusable_scores(images: Images, out: Path, scored: Scored) -> Floats:
    """Out-of-fold probabilities of chest films made unusable (turned, shuffled, enlarged, halved)."""
    rng = np.random.default_rng(11)
    films = rng.choice(images.where(lambda i: i.chest and i.split == "train"), UNUSABLE, replace=False)
    arm, found = ARMS["frontal_all"], []
    for fold in arm.folds:
        net = build(GUARDS[arm.guard])
        net.load_state_dict(torch.load(out / f"{arm.name}_{fold}.pt", weights_only=True)["state"])
        mine = [unusable(images.squares[i], rng) for i in films if images.items[i].fold == fold]
        found.append(log_odds(net.eval(), np.stack(mine), GUARDS[arm.guard].size))
    return sigmoid(np.concatenate(found), scored.slope, scored.intercept)


def frontal(images: Images, out: Path) -> tuple[Scored, Figures, dict[str, Any]]:
    """Figures and thresholds of the frontal guard.

    Absent below: the out-of-fold 0.3 % quantile of chest films. Present from: the 99 % quantile of all else, unusable
    films included; never below one half.
    """
    scored = score("frontal_all", images, out, is_chest)
    broken = unusable_scores(images, out, scored)
    chest = scored.pick(lambda i: i.split == "train" and i.chest)[0]
    other = np.concatenate([scored.pick(lambda i: i.split == "train" and not i.chest)[0], broken])
    absent = float(np.round(np.quantile(chest, 0.003, method="lower"), 3))
    present = float(np.round(max(absent, 0.5, np.quantile(other, 0.99)), 3))
    figures: Figures = {
        "oof_chest_not_rejected": dict(share(chest >= absent)),
        "oof_chest_accepted": dict(share(chest >= present)),
        "oof_other_not_accepted": dict(share(other < present)),
        "oof_other_rejected": dict(share(other < absent)),
        "oof_unusable_films_rejected": dict(share(broken < absent)),
        "oof_by_source": {
            s: _at_least(scored, lambda i, s=s: i.source == s and i.split == "train", absent)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            if s in CHEST
            else _below(scored, lambda i, s=s: i.source == s and i.split == "train", absent)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            for s in sorted({i.source for i in images.items if i.split == "train"})
        },
        "unseen_cohen_chest_not_rejected": _at_least(scored, _of("cohen_covid"), absent),
        "unseen_msd_ct_mr_rejected": _below(scored, _of("msd"), absent),
        "unseen_msd_ct_mr_not_accepted": _below(scored, _of("msd"), present),
        "oof_calibration_error_balanced": calibration_error(
            np.concatenate([chest, other]), np.arange(len(chest) + len(other)) < len(chest)
        ),
    }
    for arm in ARMS.values():
        if arm.guard != "frontal_chest_radiograph" or arm.name == "frontal_all" or not _trained(arm.name, out):
            continue
        left = score(arm.name, images, out, is_chest)
        used = {i.source for i in images.items if i.split == "train" and any(test(i) for _, test, _ in arm.pools)}
        for source in sorted({i.source for i in images.items if i.split == "train"} - used):
            key = f"left_out_{source}_{'not_rejected' if source in CHEST else 'rejected'}"
            test = _train_of(source)
            figures[key] = _at_least(left, test, absent) if source in CHEST else _below(left, test, absent)
            if source not in CHEST:
                figures[f"left_out_{source}_not_accepted"] = _below(left, test, present)
    return scored, figures, {"absent_below": absent, "present_from": present}


CHEST = frozenset({"nih_cxr14", "kermany224", "wingspan", "cohen_covid"})


def _train_of(source: str) -> Callable[[Item], bool]:
    return lambda item: item.source == source and item.split == "train"


def _trained(name: str, out: Path) -> bool:
    return all((out / f"{name}_{fold}.pt").is_file() for fold in ARMS[name].folds)


def view(images: Images, out: Path) -> tuple[Scored, Figures, dict[str, Any]]:
    """Figures and threshold of the view guard: at most 5 % of the out-of-fold AP films are called PA."""
    scored = score("view_nih", images, out, is_pa)
    ap = scored.pick(lambda i: i.source == "nih_cxr14" and i.split == "train" and i.view == "AP")[0]
    limit = float(np.round(np.quantile(ap, 0.95), 3))
    nih, cohen = _train_of("nih_cxr14"), _of("cohen_covid")
    probability, items = scored.pick(nih)
    wingspan = scored.pick(_train_of("wingspan"))[0]
    figures: Figures = {
        "oof_nih_area": _area(scored, nih, is_pa),
        "oof_nih_adults_area": _area(scored, lambda i: nih(i) and i.age >= ADULT_YEARS, is_pa),
        "oof_nih_pa_called_pa": _at_least(scored, lambda i: nih(i) and is_pa(i), limit),
        "oof_nih_ap_called_pa": _at_least(scored, lambda i: nih(i) and not is_pa(i), limit),
        "oof_nih_calibration_error_balanced": calibration_error(probability, np.array([is_pa(i) for i in items])),
        "unseen_cohen_area": _area(scored, cohen, is_pa),
        "unseen_cohen_pa_called_pa": _at_least(scored, lambda i: cohen(i) and is_pa(i), limit),
        "unseen_cohen_ap_called_pa": _at_least(scored, lambda i: cohen(i) and not is_pa(i), limit),
        "unseen_wingspan_unlabelled_called_pa": dict(share(wingspan >= limit)),
        "unseen_wingspan_quantiles_5_25_50_75_95": np.quantile(wingspan, [0.05, 0.25, 0.5, 0.75, 0.95])
        .round(3)
        .tolist(),
        "unseen_kermany_ap_children_called_pa": _at_least(scored, _train_of("kermany224"), limit),
    }
    return scored, figures, {"absent_below": limit, "present_from": limit}


def _ages(scored: Scored, low: float, high: float, threshold: float) -> Figures:
    return _at_least(
        scored, lambda i: i.source == "nih_cxr14" and i.split == "train" and low <= i.age < high, threshold
    )


def child(images: Images, out: Path) -> tuple[Scored, Figures, dict[str, Any]]:
    """Figures and threshold of the child guard.

    The threshold is the highest at which, out of fold, 99 % of the youngest source (one to five years) and 95 % of the
    NIH films up to twelve years are not called adult. A run that leaves a source out has a scale of its own: it is read
    at the threshold at which as many of its out-of-fold NIH adults are called adult as by the shipped guard.
    """
    scored = score("child_all", images, out, is_minor)
    toddlers = scored.pick(_train_of("kermany224"))[0]
    young = scored.pick(lambda i: i.source == "nih_cxr14" and i.split == "train" and i.age <= YOUNG_YEARS)[0]
    limit = float(
        np.floor(1000 * min(np.quantile(toddlers, 0.01, method="lower"), np.quantile(young, 0.05, method="lower")))
        / 1000
    )
    figures: Figures = {
        "oof": _child_row(scored, limit),
        "oof_area_nih": _area(scored, _train_of("nih_cxr14"), is_minor),
    }
    called = float(np.mean(scored.pick(_nih_adult)[0] < limit))
    for name in ("child_nih_only", "child_without_nih_minors"):
        if _trained(name, out):
            left = score(name, images, out, is_minor)
            figures[name] = _child_row(left, float(np.quantile(left.pick(_nih_adult)[0], called)))
            figures[f"{name}_area_kermany_against_wingspan"] = _area(
                left, lambda i: i.source in ("kermany224", "wingspan") and i.split == "train", is_minor
            )
            figures[f"{name}_area_nih"] = _area(left, _train_of("nih_cxr14"), is_minor)
    return scored, figures, {"absent_below": limit, "present_from": max(limit, 0.5)}


def _nih_adult(item: Item) -> bool:
    return item.source == "nih_cxr14" and item.split == "train" and item.age >= ADULT_YEARS


def _child_row(scored: Scored, limit: float) -> Figures:
    """Children not called adult, by source and age; adults called adult, by source."""
    return {
        "kermany_1_to_5_not_called_adult": _at_least(scored, _train_of("kermany224"), limit),
        "nih_to_12_not_called_adult": _ages(scored, 0, YOUNG_YEARS + 1, limit),
        "nih_13_to_17_not_called_adult": _ages(scored, YOUNG_YEARS + 1, ADULT_YEARS, limit),
        "nih_adults_called_adult": _below(scored, _nih_adult, limit),
        "wingspan_adults_called_adult": _below(scored, _train_of("wingspan"), limit),
        "cohen_adults_called_adult": _below(
            scored, lambda i: i.source == "cohen_covid" and i.age >= ADULT_YEARS, limit
        ),
    }


def flags(figures: Figures, needed: dict[str, tuple[str, float]]) -> tuple[bool, list[str]]:
    """Whether every named figure meets its bound, and those that do not, in words."""
    failed = []
    for path, (side, bound) in needed.items():
        value: Any = figures
        for part in path.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None or (value < bound if side == ">=" else value > bound):
            failed.append(f"{path} is {value}, needed {side} {bound}")
    return not failed, failed


__all__ = ["Flags", "child", "flags", "frontal", "view"]
