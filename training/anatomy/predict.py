"""Measured errors per film: each training film by the one network that has not seen it, val films by all of them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.training.anatomy.data import fold_of, masked_rows, read_grey, read_labels

FIELDS = (
    "file", "patient", "fold", "members", "dice_right", "dice_left", "dice_heart", "ctr_pred", "ctr_true",
    "heart_px", "thorax_px", "heart_px_true", "thorax_px_true", "sd_within", "sd_between",
    "mean_uncertainty", "plausible",
)  # fmt: skip


def extent(mask: NDArray[np.bool_]) -> int:
    """Bounding columns of a mask: last minus first occupied column plus one, 0 when empty."""
    columns = np.flatnonzero(mask.any(0))
    return int(columns[-1] - columns[0] + 1) if columns.size else 0


def ratio(masks: dict[str, NDArray[np.bool_]]) -> float:
    """Heart width / width of both lungs together, by bounding columns; NaN when something is missing."""
    thorax = extent(masks["right_lung"] | masks["left_lung"])
    return extent(masks["heart"]) / thorax if thorax and masks["heart"].any() else float("nan")


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Dice overlap; 1.0 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def spread(samples: list[tuple[int, float]]) -> tuple[float, float]:
    """Standard deviation of a value within networks and between them.

    Args:
        samples: (network, value), one per look.

    Returns:
        Root mean over networks of the variance over looks (n - 1); standard deviation of the networks' means (n - 1),
        NaN with one network.
    """
    groups = {m: np.array([v for k, v in samples if k == m]) for m in {k for k, _ in samples}}
    within = float(np.sqrt(np.mean([g.var(ddof=1) for g in groups.values() if len(g) > 1])))
    means = [g.mean() for g in groups.values()]
    return within, float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")


def write_predictions(data: Path, weights: Path, out: Path, *, split: str, threads: int) -> list[dict[str, Any]]:
    """Predict the masked films of a split and write one csv row per film; films of missing networks are left out."""
    import torch

    from secondread.tools.segment.inference import segment
    from secondread.tools.segment.weights import load_networks

    torch.set_num_threads(threads)
    networks = load_networks(weights)
    written = []
    for row in masked_rows(data, split):
        fold = fold_of(row.patient)
        members = (fold,) if split == "train" else tuple(networks)
        if any(m not in networks for m in members):
            continue
        found = segment(read_grey(data / row.file), networks, members)
        label = read_labels(data / row.mask_file)
        truth = {"right_lung": label == 1, "left_lung": label == 2, "heart": label == 3}
        within, between = spread([(s.member, ratio(s.masks)) for s in found.samples])
        thorax, true_thorax = (extent(m["right_lung"] | m["left_lung"]) for m in (found.masks, truth))
        values = (
            row.file, row.patient, fold if split == "train" else "", " ".join(map(str, members)),
            *(round(dice(found.masks[s], truth[s]), 5) for s in ("right_lung", "left_lung", "heart")),
            round(ratio(found.masks), 5), round(ratio(truth), 5), extent(found.masks["heart"]), thorax,
            extent(truth["heart"]), true_thorax, round(within, 5), round(between, 5),
            round(found.mean_uncertainty, 5), int(found.plausible),
        )  # fmt: skip
        written.append(dict(zip(FIELDS, values, strict=True)))
    with out.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, FIELDS)
        writer.writeheader()
        writer.writerows(written)
    for line in summary(written):
        print(line)
    return written


def summary(rows: list[dict[str, Any]], seed: int = 0) -> list[str]:
    """Mean and 95 % bootstrap interval over films of each Dice and of the absolute ratio error."""
    rng = np.random.default_rng(seed)
    columns = {name: np.array([float(r[name]) for r in rows]) for name in ("dice_right", "dice_left", "dice_heart")}
    columns["ctr_abs_error"] = np.array([abs(float(r["ctr_pred"]) - float(r["ctr_true"])) for r in rows])
    lines = [f"n = {len(rows)} films"]
    for name, values in columns.items():
        means = values[rng.integers(0, len(values), (2000, len(values)))].mean(1)
        low, high = np.percentile(means, [2.5, 97.5])
        lines.append(f"{name}: {values.mean():.4f} (95 % {low:.4f} to {high:.4f}), worst {_worst(name, values):.4f}")
    return lines


def _worst(name: str, values: NDArray[np.float64]) -> float:
    return float(values.max() if name == "ctr_abs_error" else values.min())
