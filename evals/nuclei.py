"""Out-of-fold figures of the nucleus expert: `python -m secondread.evals.nuclei --data DIR`.

Each development image is measured by the one shipped network that has not seen it.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import dice
from secondread.evals.out_of_fold import bootstrap_groups, conformal_quantile, coverage, figure, kept_line
from secondread.tools.segment.nuclei.appearance import Appearance
from secondread.tools.segment.nuclei.inference import probabilities
from secondread.tools.segment.nuclei.instances import separate

if TYPE_CHECKING:
    from secondread.tools.segment.unet_network import UNet
    from secondread.training.nuclei.data import Field

LEVEL = 0.90
"""Of the count interval."""


@dataclass(frozen=True)
class Row:
    """One image, by the network that has not seen it.

    Attributes:
        name: File stem; also its group.
        fold: 0..4.
        appearance: As the expert took it.
        drawn: Nuclei of the annotators.
        found: Nuclei found.
        dice: Of the foreground.
        pixels: Of the foreground found plus that drawn.
        hits: Found nuclei that overlap a drawn one with IoU >= 0.5, one to one.
        floor_dice: Of Otsu's threshold.
        floor_found: Of Otsu's threshold and a distance watershed.
    """

    name: str
    fold: int
    appearance: Appearance
    drawn: int
    found: int
    dice: float
    pixels: int
    hits: int
    floor_dice: float
    floor_found: int

    @property
    def score(self) -> float:
        """Count error in the unit of the count interval."""
        return abs(self.found - self.drawn) / float(np.sqrt(self.found + 1))


def measure(fields: "list[Field]", networks: "list[UNet]") -> list[Row]:
    """Every image by the network of its fold."""
    rows = []
    for field in fields:
        shown = field.image.astype(np.float32) / np.float32(255)
        labels = separate(probabilities(shown, networks, [field.fold]))
        floor = otsu_watershed(shown.mean(2))
        drawn = field.labels
        rows.append(
            Row(
                field.name, field.fold, field.appearance, len(np.unique(drawn[drawn > 0])), int(labels.max()),
                dice(labels > 0, drawn > 0), int((labels > 0).sum() + (drawn > 0).sum()), hits(labels, drawn),
                dice(floor > 0, drawn > 0), int(floor.max()),
            )
        )  # fmt: skip
    return rows


def hits(found: NDArray[np.int32], drawn: NDArray[np.int32]) -> int:
    """Nuclei of IoU >= 0.5 in two label images; above one half a partner is unique."""
    pairs = found.astype(np.int64) * (int(drawn.max()) + 1) + drawn
    keys, shared = np.unique(pairs[(found > 0) & (drawn > 0)], return_counts=True)
    sizes, drawn_sizes = np.bincount(found.ravel()), np.bincount(drawn.ravel())
    a, b = keys // (int(drawn.max()) + 1), keys % (int(drawn.max()) + 1)
    return int((shared / (sizes[a] + drawn_sizes[b] - shared) >= 0.5).sum())


def otsu_watershed(grey: NDArray[np.float32]) -> NDArray[np.int32]:
    """The floor: Otsu's threshold (IEEE Trans. Syst. Man Cybern. 1979;9:62), seeds at peaks of the distance map.

    Args:
        grey: Canonical appearance averaged over channels, nuclei bright, 0..1.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    counts, edges = np.histogram(grey, 256, (0, 1))
    middle = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts), np.cumsum(counts * middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (total[-1] * below / below[-1] - total) ** 2 / (below * (below[-1] - below))
    mask = grey >= edges[1:][int(np.nanargmax(between))]
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.0)
    peaks = (distance == ndimage.maximum_filter(distance, 11)) & (distance > 1.5)
    markers, _ = ndimage.label(peaks, np.ones((3, 3)))
    found: NDArray[np.int32] = watershed(-distance, markers, mask=mask).astype(np.int32)
    return found


def count_parameters(rows: list[Row]) -> dict[str, Any]:
    """The count error model of `count_interval`, fitted on all out-of-fold counts."""
    q = {
        kind: round(conformal_quantile(np.array([r.score for r in rows if r.appearance == kind]), LEVEL), 4)
        for kind in ("fluorescence", "stained")
    }
    return {"q": q, "level": LEVEL}


def figures(rows: list[Row]) -> dict[str, dict[str, float | int]]:
    """Every figure with its 95 % interval over images."""
    made: dict[str, dict[str, float | int]] = {}
    for kind in ("all", "all without fold 0", "fluorescence", "stained"):
        some = [r for r in rows if kind in ("all", r.appearance) or (kind == "all without fold 0" and r.fold != 0)]
        names = [r.name for r in some]
        n = len(some)

        def mean(values: list[float], n: int = n, names: list[str] = names) -> dict[str, float | int]:
            return figure(bootstrap_groups(np.array(values, float), names), n)

        made[f"{kind}: foreground Dice"] = mean([r.dice for r in some])
        made[f"{kind}: foreground Dice, median"] = figure(
            bootstrap_groups(np.array([r.dice for r in some]), names, lambda v: float(np.median(v))), n
        )
        pooled = np.array([[r.dice * r.pixels, r.pixels] for r in some])
        made[f"{kind}: foreground Dice, all pixels pooled"] = figure(
            bootstrap_groups(pooled, names, lambda v: float(v[:, 0].sum() / max(v[:, 1].sum(), 1))), n
        )
        made[f"{kind}: count error, mean absolute"] = mean([abs(r.found - r.drawn) for r in some])
        made[f"{kind}: count bias, found - drawn"] = mean([r.found - r.drawn for r in some])
        counts = np.array([[r.hits, r.found, r.drawn] for r in some], float)
        f1 = bootstrap_groups(counts, names, lambda c: float(2 * c[:, 0].sum() / max(c[:, 1:].sum(), 1)))
        made[f"{kind}: F1 of single nuclei at IoU 0.5"] = figure(f1, n)
        made[f"{kind}: floor, Otsu foreground Dice"] = mean([r.floor_dice for r in some])
        made[f"{kind}: floor, Otsu + watershed count error"] = mean([abs(r.floor_found - r.drawn) for r in some])
    kinds = [r.appearance for r in rows]
    scores = np.array([r.score for r in rows])
    made["coverage of the 90 % count interval, folds left out"] = figure(
        coverage(scores, [r.fold for r in rows], LEVEL, kinds), len(rows)
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    from secondread.schema.errors import SecondReadError
    from secondread.tools.segment.nuclei.inference import load_networks
    from secondread.training.experts import data_folder
    from secondread.training.nuclei.data import load_fields

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.nuclei", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder of nuclei_dsb2018, or the one above it")
    args = parser.parse_args(argv)
    try:
        rows = measure(load_fields(data_folder(args.data, "nuclei_dsb2018")), load_networks())
    except SecondReadError as error:
        print(error)
        return error.exit_code
    print(f"nuclei, out of fold: n = {len(rows)} images, {sum(r.drawn for r in rows)} nuclei")
    for name, found in figures(rows).items():
        print(kept_line(name, found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
