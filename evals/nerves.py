"""Out-of-fold figures of the nerve and vessel expert: `python -m secondread.evals.nerves --data DIR`.

Each development image is outlined by the one shipped network that has not seen it or any look-alike of it.
"""

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import calibration_slope, dice, ece, ece_when_perfect
from secondread.evals.out_of_fold import bootstrap_groups, conformal_quantile, coverage, figure, kept_line
from secondread.tools.segment.nerves.inference import STRUCTURES, calibrated, list_pieces, masks_of, probabilities

if TYPE_CHECKING:
    from secondread.tools.segment.unet_network import UNet
    from secondread.training.nerves.data import Scan

LEVEL = 0.90
"""Of the area interval."""


@dataclass(frozen=True)
class Row:
    """One structure of one image, by the network that has not seen it.

    Attributes:
        name: File stem.
        group: Of look-alikes.
        fold: 0..4.
        structure: `nerve` or `vessel`.
        dice: Of the structure.
        found_px: Area found.
        drawn_px: Area drawn.
        pieces: For each piece found: mean class probability, and whether it overlaps a drawn piece by IoU >= 0.5.
        drawn_pieces: Pieces drawn.
    """

    name: str
    group: str
    fold: int
    structure: str
    dice: float
    found_px: int
    drawn_px: int
    pieces: tuple[tuple[float, bool], ...]
    drawn_pieces: int

    @property
    def log_error(self) -> float:
        """|log(found / drawn)|; infinite when only one of them is there."""
        if self.found_px and self.drawn_px:
            return abs(math.log(self.found_px / self.drawn_px))
        return math.inf


def measure(scans: "list[Scan]", networks: "list[UNet]") -> list[Row]:
    """Every image by the network of its fold, one row per structure."""
    rows = []
    for scan in scans:
        maps = probabilities(scan.image.astype(np.float32) / np.float32(255), scan.grey.shape, networks, [scan.fold])
        masks = masks_of(maps)
        for number, name in enumerate(STRUCTURES, 1):
            drawn = scan.labels == number
            pieces, many = match(masks[name], drawn, maps, name)
            rows.append(
                Row(
                    scan.name, scan.group, scan.fold, name, dice(masks[name], drawn), int(masks[name].sum()),
                    int(drawn.sum()), pieces, many,
                )
            )  # fmt: skip
    return rows


def match(
    found: NDArray[np.bool_], drawn: NDArray[np.bool_], maps: NDArray[np.float32], structure: str
) -> tuple[tuple[tuple[float, bool], ...], int]:
    """Pieces found, each with its mean probability and whether a drawn piece overlaps it by IoU >= 0.5; pieces drawn.

    Drawn pieces below 20 pixels are crumbs of the annotation and are not counted.
    """
    from scipy import ndimage

    labels, many = ndimage.label(drawn)
    sizes = np.bincount(labels.ravel(), minlength=many + 1)
    parts, _ = ndimage.label(found)
    made = []
    for piece in list_pieces(found, maps, structure, None):
        left, top = int(piece.box[0] + 0.5), int(piece.box[1] + 0.5)
        right, bottom = int(piece.box[2] + 0.5), int(piece.box[3] + 0.5)
        window = np.s_[top:bottom, left:right]
        numbers, areas = np.unique(parts[window], return_counts=True)
        mine = next(n for n, a in zip(numbers, areas, strict=True) if n and a == piece.area_px)
        under = labels[window][parts[window] == mine]
        best = 0.0
        for number, shared in zip(*np.unique(under[under > 0], return_counts=True), strict=True):
            best = max(best, shared / (piece.area_px + sizes[number] - shared))
        made.append((piece.probability, bool(best >= 0.5)))
    return tuple(made), int((sizes[1:] >= 20).sum())


def parameters(rows: Sequence[Row]) -> dict[str, Any]:
    """The area record: calibration of pieces, and the conformal quantile of |log(found / drawn)|."""
    return {
        "scores": {name: fit_scores(rows, name) for name in STRUCTURES},
        "log_error": {name: round(conformal_quantile(_errors(rows, name)[0], LEVEL), 4) for name in STRUCTURES},
        "level": LEVEL,
    }


def fit_scores(rows: Sequence[Row], structure: str) -> list[float]:
    """Slope and intercept of the calibration of a structure's pieces."""
    pairs = [pair for r in rows if r.structure == structure for pair in r.pieces]
    p, y = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    return [round(v, 4) for v in calibration_slope(p, y)]


def _errors(rows: Sequence[Row], structure: str) -> tuple[NDArray[np.float64], list[int]]:
    """Log errors and folds of the images on which the structure was found; infinite where it is not drawn."""
    some = [r for r in rows if r.structure == structure and r.found_px]
    return np.array([r.log_error for r in some]), [r.fold for r in some]


def figures(rows: Sequence[Row]) -> dict[str, dict[str, float | int]]:
    """Every figure with its 95 % interval over groups of look-alikes."""
    made: dict[str, dict[str, float | int]] = {}
    for name in STRUCTURES:
        mine = [r for r in rows if r.structure == name]
        drawn = [r for r in mine if r.drawn_px]
        groups = [r.group for r in drawn]
        values = np.array([r.dice for r in drawn])
        made[f"{name}: Dice, mean over images that have one"] = figure(bootstrap_groups(values, groups), len(drawn))
        made[f"{name}: Dice, median"] = figure(
            bootstrap_groups(values, groups, lambda v: float(np.median(v))), len(drawn)
        )
        pooled = np.array([[r.dice * (r.found_px + r.drawn_px), r.found_px + r.drawn_px] for r in mine], float)
        made[f"{name}: Dice, all pixels pooled"] = figure(
            bootstrap_groups(pooled, [r.group for r in mine], lambda v: float(v[:, 0].sum() / max(v[:, 1].sum(), 1))),
            len(mine),
        )
        both = [r for r in mine if r.drawn_px and r.found_px]
        error = np.array([abs(r.found_px - r.drawn_px) / r.drawn_px for r in both])
        made[f"{name}: area error / drawn area, median"] = figure(
            bootstrap_groups(error, [r.group for r in both], lambda v: float(np.median(v))), len(both)
        )
        bias = np.array([math.log(r.found_px / r.drawn_px) for r in both])
        made[f"{name}: area bias, mean log(found / drawn)"] = figure(
            bootstrap_groups(bias, [r.group for r in both]), len(both)
        )
        missing = np.array([float(not r.found_px) for r in drawn])
        made[f"{name}: drawn but nothing found"] = figure(bootstrap_groups(missing, groups), len(drawn))
        counts = np.array([[sum(hit for _, hit in r.pieces), len(r.pieces), r.drawn_pieces] for r in mine], float)
        every = [r.group for r in mine]
        made[f"{name}: precision of pieces at IoU 0.5"] = figure(
            bootstrap_groups(counts, every, lambda c: float(c[:, 0].sum() / max(c[:, 1].sum(), 1))),
            int(counts[:, 1].sum()),
        )
        made[f"{name}: recall of pieces at IoU 0.5"] = figure(
            bootstrap_groups(counts, every, lambda c: float(c[:, 0].sum() / max(c[:, 2].sum(), 1))),
            int(counts[:, 2].sum()),
        )
        p, y = _left_out(mine, name)
        made[f"{name}: ECE of pieces (in brackets: if perfectly calibrated)"] = figure(
            (ece(p, y), *ece_when_perfect(p)), len(p)
        )
        scores, folds = _errors(rows, name)
        made[f"{name}: coverage of the 90 % area interval, folds left out"] = figure(
            coverage(scores, folds, LEVEL), len(scores)
        )
    return made


def _left_out(rows: Sequence[Row], structure: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probability of each piece by the calibration of the other folds, and whether it is a drawn one."""
    p, y = [], []
    for fold in sorted({r.fold for r in rows}):
        model = {"scores": {structure: fit_scores([r for r in rows if r.fold != fold], structure)}}
        for row in rows:
            if row.fold == fold:
                p += [calibrated(raw, structure, model) for raw, _ in row.pieces]
                y += [hit for _, hit in row.pieces]
    return np.array(p), np.array(y, bool)


def group_lines(data: Path) -> list[str]:
    """What the grouping rests on: likeness of neighbouring numbers against distant ones, and sizes of the groups."""
    from PIL import Image

    from secondread.training.nerves.data import read_index
    from secondread.training.nerves.groups import ALIKE, group, likeness, thumbnail

    names = [Path(r["file"]).stem for r in read_index(data)]
    thumbnails = []
    for name in names:
        with Image.open(data / "images" / f"{name}.jpg") as picture:
            thumbnails.append(thumbnail(np.array(picture.convert("L"))))
    alike = likeness(thumbnails)
    number = np.array([int(n) for n in names])
    first, second = np.triu_indices(len(names), 1)
    gap, value = np.abs(number[first] - number[second]), alike[first, second]
    lines = [f"likeness of pairs of images (alike above {ALIKE}):"]
    for low, high in ((1, 1), (2, 3), (4, 10), (11, 40), (41, int(gap.max()))):
        some = value[(gap >= low) & (gap <= high)]
        lines.append(
            f"  numbers {low} to {high} apart: mean {some.mean():.3f}, "
            f"alike {(some > ALIKE).mean():.4f}, n = {len(some)}"
        )
    sizes = Counter(Counter(group(names, alike)).values())
    lines.append("groups: " + ", ".join(f"{many} of {size}" for size, many in sorted(sizes.items())))
    return lines


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    from secondread.schema.errors import SecondReadError
    from secondread.tools.segment.nerves.inference import load_networks
    from secondread.training.experts import data_folder
    from secondread.training.nerves.data import load_scans

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.nerves", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder of ultrasound_usgra, or the one above it")
    parser.add_argument("--groups", action="store_true", help="print what the groups rest on, no figures")
    args = parser.parse_args(argv)
    try:
        data = data_folder(args.data, "ultrasound_usgra")
        if args.groups:
            print("\n".join(group_lines(data)))
            return 0
        rows = measure(load_scans(data), load_networks())
    except SecondReadError as error:
        print(error)
        return error.exit_code
    print(f"nerves and vessels, out of fold: n = {len(rows) // len(STRUCTURES)} images")
    for name, found in figures(rows).items():
        print(kept_line(name, found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
