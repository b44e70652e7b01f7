"""Rows of the chest film folder for recipes that need grey films only."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Row:
    """One film of `index.csv`: its file, its source folder, its view and patient."""

    path: Path
    source: str
    view: str
    patient: str

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def permissive_rows(data: Path, split: str) -> list[Row]:
    """Rows of one split whose licence allows everything, in file order."""
    with (data / "index.csv").open(newline="") as handle:
        return [
            Row(data / r["file"], Path(r["file"]).parts[1], r["view"], r["patient_id"])
            for r in csv.DictReader(handle)
            if r["split"] == split and r["licence_class"] == "permissive"
        ]


def read_grey(path: Path) -> NDArray[np.float32]:
    """Grey values of an 8-bit film, 0 to 1."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / 255.0
