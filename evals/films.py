"""The masked chest films of the research data, as evaluations read them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import mask_ctr
from secondread.schema.errors import InputError

RIGHT_LUNG, LEFT_LUNG, HEART = 1, 2, 3


@dataclass(frozen=True)
class MaskedFilm:
    """One film with masks of both lungs and the heart."""

    path: Path
    mask_path: Path
    patient: str
    split: str

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Masks by concept id, shape (rows, columns) of the film; the heart is not in the lungs."""
        from PIL import Image

        labels = np.asarray(Image.open(self.mask_path))
        return {"right_lung": labels == RIGHT_LUNG, "left_lung": labels == LEFT_LUNG, "heart": labels == HEART}

    def ctr(self) -> float:
        """Cardiothoracic ratio of the masks, by bounding columns."""
        return mask_ctr(**self.masks())


def chest_folder(data: Path) -> Path:
    """The folder of the chest films inside the research data.

    Raises:
        InputError: It is not there.
    """
    folder = data / "cxr" if (data / "cxr" / "index.csv").is_file() else data
    if not (folder / "index.csv").is_file():
        raise InputError(f"No index.csv of chest films in {data}.", hint="Set SECONDREAD_DATA or give --data.")
    return folder


def index_rows(data: Path) -> list[dict[str, str]]:
    """Rows of the chest films' index."""
    with (chest_folder(data) / "index.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def masked_films(data: Path, split: str) -> Iterator[MaskedFilm]:
    """Films of a split whose masks tell right lung, left lung and heart apart, in file order."""
    folder = chest_folder(data)
    for row in index_rows(data):
        if row["split"] == split and row["mask_file"].startswith("masks/wingspan/"):
            yield MaskedFilm(folder / row["file"], folder / row["mask_file"], row["patient_id"], split)


def published_ctr(data: Path) -> dict[str, float]:
    """The ratio that the source published, by file name in the index."""
    with (chest_folder(data) / "annotations" / "wingspan_ctr.csv").open(newline="") as handle:
        return {row["file"]: float(row["ctr"]) for row in csv.DictReader(handle)}
