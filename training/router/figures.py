"""Figures of the router: false refusals out of fold, sources left out, pictures of unknown kinds let through."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from secondread.schema.evidence import CalibrationRecord
from secondread.tools.classify.image_router import known
from secondread.tools.classify.router_model import KINDS, RouterModel
from secondread.training.guards.measures import share
from secondread.training.router.augment import OUTSIDE_KINDS
from secondread.training.router.data import Pictures
from secondread.training.router.fit import Views, without, without_outside

Share = dict[str, float | int]
Accepted = NDArray[np.intp]

LEFT_OUT = (
    ("chest_radiograph_image", "nih_cxr14"),
    ("chest_radiograph_image", "kermany224"),
    ("chest_radiograph_image", "wingspan"),
    ("mr_slice", "mr/mr_small_3mm"),
    ("mr_slice", "mr/breast1_image"),
    ("ct_slice", "ct/torso"),
    ("ct_slice", "ct/series"),
)
"""Sources that can be left out because their kind has another one."""

TOGETHER: tuple[tuple[str, ...], ...] = (
    ("coloured_noise",),
    ("gradient", "stripes", "blank"),
    ("shapes", "axial"),
    ("page",),
    ("scene",),
    ("jigsaw", "scrambled"),
    ("recoloured", "blended"),
)
"""Kinds of the unknown that are left out together, because they look alike."""


def accepted(
    records: list[CalibrationRecord], probabilities: NDArray[np.float32], typical: NDArray[np.float32]
) -> Accepted:
    """Index of the kind that pixels alone pass for, or -1; shape (rows,). At most one can be: it has the largest share.

    Args:
        records: In the order of `KINDS`.
        probabilities: Shape (rows, len(KINDS) + 1).
        typical: Shape (rows, len(KINDS)).
    """
    best = probabilities.argmax(1)
    return np.array(
        [
            int(k) if k < len(KINDS) and known(records[k], float(p[k]), float(t[k])) else -1
            for k, p, t in zip(best, probabilities, typical, strict=True)
        ],
        dtype=np.intp,
    )


def judged(model: RouterModel, records: list[CalibrationRecord], features: NDArray[np.float32]) -> Accepted:
    """`accepted` of a model's own numbers."""
    return accepted(records, model.probabilities(features), model.typical(features))


def decisive(records: list[CalibrationRecord], found: Accepted) -> NDArray[np.bool_]:
    """Whether an expert would run: a kind was accepted that pixels may decide."""
    able = np.array([bool(r.parameters["pixels_decide"]) for r in records] + [False])
    return np.asarray(able[found])


def let_through(
    model: RouterModel, records: list[CalibrationRecord], pictures: Pictures, seen: Views
) -> Iterator[tuple[str, Share]]:
    """Pictures of kinds never fitted on that would reach an expert; name and share."""
    unseen = pictures.where(lambda i: i.split == "unseen")
    found = judged(model, records, seen.plain[unseen])
    names = np.array([pictures.items[i].kind for i in unseen])
    for name in sorted(set(names)):
        yield f"{name}, taken for a kind with an expert", share(decisive(records, found[names == name]))
    crop = KINDS.index("hippocampal_mr_crop")
    heads = names == "whole-head MR"
    yield "whole-head MR, taken for a hippocampal crop", share(found[heads] == crop)


def other_sources(
    model: RouterModel, records: list[CalibrationRecord], pictures: Pictures, seen: Views
) -> Iterator[tuple[str, str, Share]]:
    """Known kinds from sources never fitted on; kind, source and the share accepted as that kind."""
    keys = sorted({(i.kind, i.source) for i in pictures.items if i.split == "other_source"})
    for kind, source in keys:
        index = pictures.where(
            lambda i, k=kind, s=source: i.split == "other_source" and (i.kind, i.source) == (k, s)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        )
        yield kind, source, share(judged(model, records, seen.plain[index]) == KINDS.index(kind))


def left_out(
    distances: NDArray[np.float32], records: list[CalibrationRecord], pictures: Pictures, seen: Views
) -> Iterator[tuple[str, str, Share]]:
    """Each source of `LEFT_OUT` read by a model that never saw it; kind, source and the share accepted as that kind.

    The quantiles of the distance are those of the shipped model, so the source had its say in where they lie.
    """
    for kind, source in LEFT_OUT:
        model = replace(without(pictures, seen, lambda i, s=source: i.source == s), distances=distances)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        index = pictures.where(lambda i, s=source: i.source == s)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        yield kind, source, share(judged(model, records, seen.plain[index]) == KINDS.index(kind))


def unknown_left_out(
    distances: NDArray[np.float32], records: list[CalibrationRecord], seen: Views
) -> Iterator[tuple[str, Share]]:
    """Each kind of the unknown read by a model that was not shown it; name and the share that would reach an expert."""
    assert sorted(k for kinds in TOGETHER for k in kinds) == sorted(OUTSIDE_KINDS)
    for kinds in TOGETHER:
        model = replace(without_outside(seen, kinds), distances=distances)
        for kind in kinds:
            found = judged(model, records, seen.moved[seen.outside == kind])
            yield f"{kind.replace('_', ' ')} (made), taken for a kind with an expert", share(decisive(records, found))
