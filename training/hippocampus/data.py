"""The hippocampus crops in memory, and their folds."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.training.folds import deal
from secondread.training.guards.volume import read_nifti

DATA = "mr_hippocampus_msd"
"""Folder name of the data set."""


@dataclass(frozen=True)
class Case:
    """One crop with its labels. All crops of the set have 1 mm voxels and axes R, A, S; the reader checks neither.

    Attributes:
        name: E.g. `hippocampus_003`.
        fold: 0..4.
        values: float32 (x, y, z), as stored.
        labels: uint8 (x, y, z): 0 other, 1 anterior, 2 posterior hippocampus.
    """

    name: str
    fold: int
    values: NDArray[np.float32]
    labels: NDArray[np.uint8]


def read_index(data: Path) -> list[dict[str, str]]:
    """Rows of `index.csv`, in file order.

    Raises:
        InputError: There is no index in `data`.
    """
    index = data / "index.csv"
    if not index.is_file():
        raise InputError(f"No index.csv in {data}.", hint="Give the folder of the hippocampus crops with --data.")
    with index.open(newline="") as handle:
        return list(csv.DictReader(handle))


def load_cases(data: Path) -> list[Case]:
    """All rows of the index, each a group of its own: one crop per case, no patient is named."""
    rows = read_index(data)
    names = [Path(r["file"]).name.removesuffix(".nii.gz") for r in rows]
    folds = deal(names, ["crop"] * len(names))
    cases = []
    for row, name, fold in zip(rows, names, folds, strict=True):
        labels = read_nifti(data / row["label_file"])
        cases.append(Case(name, fold, read_nifti(data / row["file"]), labels.astype(np.uint8)))
    return cases


def data_sha256(data: Path) -> str:
    """SHA-256 over names and contents of the index, images and labels, in order of the index."""
    total = hashlib.sha256((data / "index.csv").read_bytes())
    for row in read_index(data):
        for name in (row["file"], row["label_file"]):
            total.update(name.encode())
            total.update((data / name).read_bytes())
    return total.hexdigest()
