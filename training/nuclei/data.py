"""The nucleus images in memory, with the three targets of the network."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.segment.nuclei.appearance import Appearance, as_rgb, canonical
from secondread.training.folds import deal

REACH = 2
"""Pixels: where a window of 2 * REACH + 1 pixels holds two nuclei, they touch."""

CORE_FROM = 0.45
"""Depth from which on a pixel belongs to the core of its nucleus: cores of touching nuclei do not touch."""


@dataclass(frozen=True)
class Field:
    """One micrograph.

    Attributes:
        name: File stem.
        kind: `fluor`, `stained-light` or `stained-dark`, from the index.
        size: As printed in the index, e.g. `256x256`.
        fold: 0..4.
        image: uint8 (rows, columns, 3): canonical appearance times 255.
        appearance: What `canonical` took it for.
        labels: int32 (rows, columns), 0 ground, 1.. nuclei.
        diameter: Median diameter of its nuclei in pixels, of circles of the same area.
        targets: uint8 (rows, columns, 3): inside, contact, core, each times 255.
    """

    name: str
    kind: str
    size: str
    fold: int
    image: NDArray[np.uint8]
    appearance: Appearance
    labels: NDArray[np.int32]
    diameter: float
    targets: NDArray[np.uint8]


def read_index(data: Path) -> list[dict[str, str]]:
    """Rows of `index.csv` with their notes as columns.

    Raises:
        InputError: There is no index in `data`.
    """
    index = data / "index.csv"
    if not index.is_file():
        raise InputError(f"No index.csv in {data}.", hint="Give the folder of the nucleus images with --data.")
    with index.open(newline="") as handle:
        return [
            {**row, **dict(pair.split("=", 1) for pair in row["notes"].split(";"))} for row in csv.DictReader(handle)
        ]


def load_fields(data: Path) -> list[Field]:
    """All images; no plate or patient is known, so each image is a group of its own, spread by kind and size."""
    from PIL import Image

    rows = read_index(data)
    folds = deal([Path(r["file"]).stem for r in rows], [f"{r['kind']} {r['size']}" for r in rows])
    fields = []
    for row, fold in zip(rows, folds, strict=True):
        with Image.open(data / row["file"]) as picture:
            image, appearance = canonical(as_rgb(np.asarray(picture)))
        with Image.open(data / row["label_file"]) as picture:
            labels = np.array(picture, dtype=np.int32)
        kept = np.round(image * 255).astype(np.uint8)
        areas = np.unique(labels[labels > 0], return_counts=True)[1]
        diameter = float(np.median(np.sqrt(areas * 4 / np.pi)))
        name = Path(row["file"]).stem
        fields.append(
            Field(
                name, row["kind"], row["size"], fold, kept, appearance, labels, diameter, targets_of(labels)
            )
        )  # fmt: skip
    return fields


def targets_of(labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Inside, contact and core of a label image, uint8 (rows, columns, 3), 255 for full.

    The depth of a pixel is its distance to what is outside the nucleus over the largest such distance in it; the core
    is where the depth is at least `CORE_FROM`, so that it has the same share in small and large nuclei.
    """
    from scipy import ndimage

    inside = labels > 0
    window = 2 * REACH + 1
    largest = ndimage.maximum_filter(labels, window)
    smallest = ndimage.minimum_filter(np.where(inside, labels, np.iinfo(np.int32).max), window)
    contact = (largest > 0) & (smallest < largest)
    core = np.zeros(labels.shape, np.float32)
    for number, where in enumerate(ndimage.find_objects(labels), 1):
        if where is None:
            continue
        padded = np.pad(labels[where] == number, 1)
        depth = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
        core[where][(depth > 0) & (depth >= CORE_FROM * depth.max())] = 1
    stacked = np.stack([inside * 255.0, contact * 255.0, core * 255.0], 2)
    return np.round(stacked).astype(np.uint8)


def data_sha256(data: Path) -> str:
    """SHA-256 over names and contents of the index, images and labels, in order of the index."""
    total = hashlib.sha256((data / "index.csv").read_bytes())
    for row in read_index(data):
        for name in (row["file"], row["label_file"]):
            total.update(name.encode())
            total.update((data / name).read_bytes())
    return total.hexdigest()
