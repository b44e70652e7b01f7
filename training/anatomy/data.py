"""Films and masks for the chest anatomy networks: which rows, which fold, and the arrays in memory."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.segment.grid import to_grid

FOLDS = 5
FILM_SIZE = 320
"""Films are cached at this size, above the network's, so that an enlarging augmentation still has detail."""
MASK_SIZE = 512


@dataclass(frozen=True)
class Row:
    """One film of the index."""

    file: str
    mask_file: str
    patient: str
    source: str
    split: str


@dataclass(frozen=True)
class Films:
    """Films in memory.

    Attributes:
        rows: What they are.
        images: uint8, shape (n, 320, 320), percentile-stretched.
        labels: uint8, shape (n, 512, 512): 0 background, 1 right lung (image left), 2 left lung, 3 heart; None when
            the films have no masks.
    """

    rows: tuple[Row, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None


def fold_of(patient: str) -> int:
    """Fold 0..4 of a patient: the first 8 hexadecimal digits of the SHA-256 of its id, modulo 5."""
    return int(hashlib.sha256(patient.encode()).hexdigest()[:8], 16) % FOLDS


def read_rows(data: Path) -> list[Row]:
    """Rows of `index.csv` that may be trained on (`licence_class` permissive), in file order.

    Raises:
        InputError: There is no index in `data`.
    """
    index = data / "index.csv"
    if not index.is_file():
        raise InputError(f"No index.csv in {data}.", hint="Give the folder of the chest films with --data.")
    with index.open(newline="") as handle:
        return [
            Row(r["file"], r["mask_file"], r["patient_id"], r["file"].split("/")[1], r["split"])
            for r in csv.DictReader(handle)
            if r["licence_class"] == "permissive"
        ]


def masked_rows(data: Path, split: str) -> list[Row]:
    """Rows with right lung, left lung and heart masks. Other mask conventions (whole lungs) are never mixed in."""
    return [r for r in read_rows(data) if r.source == "wingspan" and r.split == split and r.mask_file]


def unlabelled_rows(data: Path) -> list[Row]:
    """Training rows of the sources without masks: one film per patient, by hash, so that nobody weighs double."""
    first: dict[str, Row] = {}
    for row in read_rows(data):
        if row.split == "train" and row.source in {"nih_cxr14", "kermany224"}:
            kept = first.get(row.patient)
            if kept is None or _key(row.file) < _key(kept.file):
                first[row.patient] = row
    return sorted(first.values(), key=lambda r: _key(r.file))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_grey(path: Path) -> NDArray[np.float32]:
    """An 8-bit grey film as float32 in 0..1."""
    from PIL import Image

    with Image.open(path) as image:
        return (np.asarray(image.convert("L")) / 255).astype(np.float32)


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A label map as stored, uint8, shape (rows, columns)."""
    from PIL import Image

    with Image.open(path) as image:
        return np.array(image, dtype=np.uint8)


def load_films(data: Path, rows: list[Row]) -> Films:
    """Decode films (and masks, when all rows have one) into memory."""
    images = np.stack([np.round(to_grid(read_grey(data / r.file), FILM_SIZE) * 255).astype(np.uint8) for r in rows])
    if not all(r.mask_file for r in rows):
        return Films(tuple(rows), images, None)
    labels = np.stack([read_labels(data / r.mask_file) for r in rows])
    return Films(tuple(rows), images, labels)
