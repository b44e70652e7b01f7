"""The ultrasound images in memory with their masks."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.segment.nerves.scan import to_input
from secondread.training.folds import deal
from secondread.training.nerves.groups import group, likeness, thumbnail


@dataclass(frozen=True)
class Scan:
    """One ultrasound image.

    Attributes:
        name: File stem, a number.
        group: Look-alikes share it.
        fold: 0..4.
        grey: uint8 (rows, columns) as stored.
        image: uint8, what the network sees times 255, long side 224.
        labels: uint8 (rows, columns) on the grid of `grey`: 0 ground, 1 nerve, 2 vessel.
    """

    name: str
    group: str
    fold: int
    grey: NDArray[np.uint8]
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def read_index(data: Path) -> list[dict[str, str]]:
    """Rows of `index.csv`.

    Raises:
        InputError: There is no index in `data`.
    """
    index = data / "index.csv"
    if not index.is_file():
        raise InputError(f"No index.csv in {data}.", hint="Give the folder of the ultrasound images with --data.")
    with index.open(newline="") as handle:
        return list(csv.DictReader(handle))


def load_scans(data: Path) -> list[Scan]:
    """All images; folds by groups of look-alikes."""
    from PIL import Image

    rows = read_index(data)
    names = [Path(r["file"]).stem for r in rows]
    greys, labels = [], []
    for row in rows:
        with Image.open(data / row["file"]) as picture:
            greys.append(np.array(picture.convert("L"), dtype=np.uint8))
        with Image.open(data / row["label_file"]) as picture:
            labels.append(np.array(picture, dtype=np.uint8))
    groups = group(names, likeness([thumbnail(g) for g in greys]))
    folds = deal(groups, ["scan"] * len(rows))
    return [
        Scan(name, one, fold, grey, np.round(to_input(grey.astype(np.float32)) * 255).astype(np.uint8), label)
        for name, one, fold, grey, label in zip(names, groups, folds, greys, labels, strict=True)
    ]


def data_sha256(data: Path) -> str:
    """SHA-256 over names and contents of the index, images and masks, in order of the index."""
    total = hashlib.sha256((data / "index.csv").read_bytes())
    for row in read_index(data):
        for name in (row["file"], row["label_file"]):
            total.update(name.encode())
            total.update((data / name).read_bytes())
    return total.hexdigest()
