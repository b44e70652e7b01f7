"""Out-of-fold figures of the blood-cell detector: `python -m secondread.evals.cells --data DIR`.

Each development field is read by the one shipped network that has not seen it or its group. Scores become
probabilities by a calibration fitted on the other four folds; a cell counts as found from probability 0.5 on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import brier, calibration_slope, ece, ece_when_perfect
from secondread.evals.out_of_fold import bootstrap_groups, figure, kept_line
from secondread.tools.detect.cells.boxes import Detection, overlap
from secondread.tools.detect.cells.inference import COUNTED, probability, raw_boxes
from secondread.tools.detect.cells.layout import KINDS

if TYPE_CHECKING:
    import torch

    from secondread.tools.segment.unet_network import UNet
    from secondread.training.cells.data import Field

LEVEL = 0.90
"""Of the count interval."""
IOU = 0.5


@dataclass(frozen=True)
class Row:
    """One field, by the network that has not seen it.

    Attributes:
        name: File stem.
        group: From the index.
        fold: 0..4.
        found: All boxes with raw scores.
        hits: For each of `found`, whether it is a drawn box of its kind, one to one.
        drawn: Boxes of the annotators per kind.
    """

    name: str
    group: str
    fold: int
    found: tuple[Detection, ...]
    hits: tuple[bool, ...]
    drawn: dict[str, int]


def row_of(field: "Field", found: Sequence[Detection]) -> Row:
    """Match found and drawn boxes, highest score first, each drawn box once, IoU >= 0.5."""
    ordered = sorted(found, key=lambda d: -d.score)
    free = {kind: [tuple(map(float, b)) for b in field.boxes[field.classes == n]] for n, kind in enumerate(KINDS)}
    drawn = {kind: len(boxes) for kind, boxes in free.items()}
    hits = []
    for detection in ordered:
        overlaps = [overlap(detection.box, (b[0], b[1], b[2], b[3])) for b in free[detection.kind]]
        best = int(np.argmax(overlaps)) if overlaps else -1
        hit = best >= 0 and overlaps[best] >= IOU
        if hit:
            free[detection.kind].pop(best)
        hits.append(hit)
    return Row(field.name, field.group, field.fold, tuple(ordered), tuple(hits), drawn)


def measure(fields: "list[Field]", networks: "list[UNet]", *, grey: bool = False) -> list[Row]:
    """Every field by the network of its fold; `grey` takes the colour away first."""
    rows = []
    for field in fields:
        shown = field.image.astype(np.float32) / np.float32(255)
        if grey:
            shown = np.repeat(shown.mean(2, keepdims=True), 3, axis=2)
        h, w = shown.shape[:2]
        found = raw_boxes(shown, field.scale, round(h / field.scale), round(w / field.scale), networks, [field.fold])
        rows.append(row_of(field, found))
    return rows


def measure_yolo(fields: "list[Field]", networks: "Sequence[torch.nn.Module]") -> list[Row]:
    """Every field by the ultralytics network of its fold."""
    from secondread.tools.detect.cells import yolo

    rows = []
    for field in fields:
        shown = field.image.astype(np.float32) / np.float32(255)
        h, w = shown.shape[:2]
        found = yolo.raw_boxes(shown, round(h / field.scale), round(w / field.scale), networks, field.fold)
        rows.append(row_of(field, found))
    return rows


def scores_of(rows: Sequence[Row], kind: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Raw scores of all boxes of a kind, and whether each is a drawn one."""
    pairs = [(d.score, hit) for row in rows for d, hit in zip(row.found, row.hits, strict=True) if d.kind == kind]
    return np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], bool)


def fit_scores(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Slope and intercept of the calibration of each counted kind."""
    return {kind: [round(v, 4) for v in calibration_slope(*scores_of(rows, kind))] for kind in COUNTED}


@dataclass(frozen=True)
class Judged:
    """A field with calibrated boxes of one kind.

    Attributes:
        row: The field.
        probabilities: Of its boxes of the kind.
        hits: Whether they are drawn ones.
        drawn: Boxes drawn.
    """

    row: Row
    probabilities: NDArray[np.float64]
    hits: NDArray[np.bool_]
    drawn: int

    @property
    def found(self) -> int:
        """Boxes of probability 0.5 or more."""
        return int((self.probabilities >= 0.5).sum())

    @property
    def right(self) -> int:
        """Those that are drawn ones."""
        return int((self.hits & (self.probabilities >= 0.5)).sum())


def judged(rows: Sequence[Row], kind: str) -> list[Judged]:
    """Each field with probabilities from the calibration of the other folds."""
    models = {fold: {"scores": fit_scores([r for r in rows if r.fold != fold])} for fold in {r.fold for r in rows}}
    made = []
    for row in rows:
        mine = [(d, hit) for d, hit in zip(row.found, row.hits, strict=True) if d.kind == kind]
        p = np.array([probability(d.score, kind, models[row.fold]) for d, _ in mine], float)
        made.append(Judged(row, p, np.array([hit for _, hit in mine], bool), row.drawn[kind]))
    return made


def parameters(rows: Sequence[Row]) -> dict[str, Any]:
    """The score record: calibration from all folds, and how far counts were off below and above."""
    error = {}
    for kind in COUNTED:
        off = np.array([j.found - j.drawn for j in judged(rows, kind)], float)
        tail = 1 - (1 - LEVEL) / 2
        error[kind] = [int(max(0, np.quantile(side, tail, method="higher"))) for side in (off, -off)]
    return {"scores": fit_scores(rows), "count_error": error, "level": LEVEL}


def figures(rows: Sequence[Row]) -> dict[str, dict[str, float | int]]:
    """Every figure with its 95 % interval over groups."""
    made: dict[str, dict[str, float | int]] = {}
    groups = [r.group for r in rows]
    for kind in COUNTED:
        fields = judged(rows, kind)
        counts = np.array([[j.right, j.found, j.drawn] for j in fields], float)
        drawn, found = int(counts[:, 2].sum()), int(counts[:, 1].sum())
        precision = bootstrap_groups(counts, groups, lambda c: float(c[:, 0].sum() / max(c[:, 1].sum(), 1)))
        recall = bootstrap_groups(counts, groups, lambda c: float(c[:, 0].sum() / max(c[:, 2].sum(), 1)))
        made[f"{kind}: precision at IoU 0.5"] = figure(precision, found)
        made[f"{kind}: recall at IoU 0.5"] = figure(recall, drawn)
        off = counts[:, 1] - counts[:, 2]
        made[f"{kind}: fields with the exact count"] = figure(
            bootstrap_groups((off == 0).astype(float), groups), len(rows)
        )
        made[f"{kind}: count error, mean absolute"] = figure(bootstrap_groups(np.abs(off), groups), len(rows))
        made[f"{kind}: count bias, found - drawn"] = figure(bootstrap_groups(off, groups), len(rows))
        p, y = np.concatenate([j.probabilities for j in fields]), np.concatenate([j.hits for j in fields])
        made[f"{kind}: Brier of the probability"] = figure((brier(p, y), float("nan"), float("nan")), len(p))
        made[f"{kind}: ECE (in brackets: if perfectly calibrated)"] = figure((ece(p, y), *ece_when_perfect(p)), len(p))
        made[f"{kind}: coverage of the 90 % count interval, folds left out"] = figure(
            bootstrap_groups(covered(rows, kind), groups), len(rows)
        )
    seen = np.array(
        [[sum(h for d, h in zip(r.found, r.hits, strict=True) if d.kind == "red_cell" and d.score >= 0.3),
          r.drawn["red_cell"]] for r in rows], float,
    )  # fmt: skip
    share = bootstrap_groups(seen, groups, lambda c: float(c[:, 0].sum() / max(c[:, 1].sum(), 1)))
    made["red_cell: share of the drawn boxes found (boxes incomplete: no count)"] = figure(share, int(seen[:, 1].sum()))
    return made


def covered(rows: Sequence[Row], kind: str) -> NDArray[np.float64]:
    """Whether the count interval, its width from the other folds, holds the drawn count of each field."""
    off = np.array([j.found - j.drawn for j in judged(rows, kind)])
    fold = np.array([r.fold for r in rows])
    inside = np.zeros(len(rows))
    tail = 1 - (1 - LEVEL) / 2
    for one in np.unique(fold):
        others = off[fold != one]
        below, above = (max(0, np.quantile(side, tail, method="higher")) for side in (others, -others))
        mine = off[fold == one]
        inside[fold == one] = (mine <= below) & (-mine <= above)
    return inside


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    from secondread.schema.errors import SecondReadError
    from secondread.tools.detect.cells.inference import load_networks
    from secondread.training.cells.data import load_fields
    from secondread.training.experts import data_folder

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.cells", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder of cells_bccd, or the one above it")
    parser.add_argument("--grey", action="store_true", help="take the colour away first (built-in detector)")
    parser.add_argument("--detector", choices=("built_in", "yolo"), default="built_in")
    args = parser.parse_args(argv)
    try:
        fields = load_fields(data_folder(args.data, "cells_bccd"))
        if args.detector == "yolo":
            from secondread.tools.detect.cells.yolo import load_networks as load_yolo

            rows = measure_yolo(fields, load_yolo())
        else:
            rows = measure(fields, load_networks(), grey=args.grey)
    except SecondReadError as error:
        print(error)
        return error.exit_code
    print(f"blood cells, out of fold{', without colour' if args.grey else ''}: n = {len(rows)} fields")
    for name, found in figures(rows).items():
        print(kept_line(name, found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
