"""How the shipped networks do on films of other sources; for evaluation only, nothing of these is trained on.

The lung masks of the COVID-19 films follow another convention (they include lung behind the heart), so overlap with
them is given plainly and again with the found heart taken out of both. The lung boxes were drawn by others again.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.training.anatomy.data import read_grey, read_labels
from secondread.training.anatomy.predict import dice

WHOLE_LUNGS = 4
SIDES = {"Right Lung": "right_lung", "Left Lung": "left_lung"}

Box = tuple[float, float, float, float]


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """Outer edges of a mask in pixels (x0, y0, x1, y1); None when empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def box_overlap(a: Box | None, b: Box) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1); 0 when one is missing."""
    if a is None:
        return 0.0
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def report(data: Path, weights: Path, *, split: str, threads: int) -> list[str]:
    """One line per figure: mean, 95 % bootstrap interval over films, lowest, n."""
    import torch

    from secondread.tools.segment.inference import segment
    from secondread.tools.segment.weights import load_networks

    torch.set_num_threads(threads)
    networks = load_networks(weights)
    with (data / "index.csv").open(newline="") as handle:
        rows = [
            r for r in csv.DictReader(handle) if r["file"].startswith("images/cohen_covid/") and r["split"] == split
        ]
    boxes: dict[str, dict[str, Box]] = {}
    with (data / "annotations" / "lung_boxes.csv").open(newline="") as handle:
        for r in csv.DictReader(handle):
            x, y, w, h = (float(r[k]) for k in ("x", "y", "w", "h"))
            boxes.setdefault(r["file"], {})[SIDES[r["label"]]] = (x, y, x + w, y + h)
    values: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        values.setdefault(name, []).append(value)

    for row in rows:
        found = segment(read_grey(data / row["file"]), networks)
        add("judged plausible", float(found.plausible))
        if row["mask_file"]:
            truth = read_labels(data / row["mask_file"]) == WHOLE_LUNGS
            lungs = found.masks["right_lung"] | found.masks["left_lung"]
            add("Dice of both lungs, plain", dice(lungs, truth))
            add(
                "Dice of both lungs, found heart taken out of the reference", dice(lungs, truth & ~found.masks["heart"])
            )
        for name, box in boxes.get(row["file"], {}).items():
            add(f"box overlap {name}", box_overlap(box_of(found.masks[name]), box))
    rng = np.random.default_rng(0)
    lines = []
    for name, found_values in values.items():
        array = np.array(found_values)
        low, high = np.percentile(array[rng.integers(0, len(array), (2000, len(array)))].mean(1), [2.5, 97.5])
        lines.append(
            f"{name}: {array.mean():.4f} (95 % {low:.4f} to {high:.4f}), lowest {array.min():.4f}, n {len(array)}"
        )
    return lines
