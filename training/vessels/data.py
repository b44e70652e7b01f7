"""The fundus photographs in memory, as the network sees them, with both observers' vessels, and their folds."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.segment.vessels.appearance import Frame, prepare
from secondread.tools.segment.vessels.field import as_rgb, field_of
from secondread.training.folds import deal

Mask = NDArray[np.bool_]
DATA = "retina_chase_db1"
"""Folder name of the data set."""


@dataclass(frozen=True)
class Eye:
    """One photograph.

    Attributes:
        name: File stem, e.g. `Image_01L`.
        child: Two eyes of one child share it.
        fold: 0..4, by child.
        rgb: uint8 (rows, columns, 3), the photograph.
        first, second: bool (rows, columns), the observers' vessels on the grid of the photograph.
        green: float32 (h, w), normalised, on the network's grid.
        inside: bool (h, w), the field of view there.
        truth: bool (h, w), the first observer there.
        frame: Where that grid lies in the photograph; its scale is 1 for all pictures of this set.
    """

    name: str
    child: str
    fold: int
    rgb: NDArray[np.uint8]
    first: Mask
    second: Mask
    green: NDArray[np.float32]
    inside: Mask
    truth: Mask
    frame: Frame


def read_index(data: Path) -> list[dict[str, str]]:
    """Rows of `index.csv` with their notes as columns.

    Raises:
        InputError: There is no index in `data`.
    """
    index = data / "index.csv"
    if not index.is_file():
        raise InputError(f"No index.csv in {data}.", hint="Give the folder of the fundus photographs with --data.")
    with index.open(newline="") as handle:
        return [
            {**row, **dict(pair.split("=", 1) for pair in row["notes"].split(";"))} for row in csv.DictReader(handle)
        ]


def load_eyes(data: Path) -> list[Eye]:
    """All rows of the index; folds are dealt by child.

    Raises:
        InputError: No index, or a picture that is not on the network's scale.
    """
    from PIL import Image

    rows = read_index(data)
    folds = deal([r["child"] for r in rows], ["eye"] * len(rows))
    eyes = []
    for row, fold in zip(rows, folds, strict=True):
        with Image.open(data / row["file"]) as picture:
            rgb = np.asarray(picture.convert("RGB"))
        masks = []
        for name in (row["label_file"], row["second_observer"]):
            with Image.open(data / name) as picture:
                masks.append(np.asarray(picture.convert("L")) > 127)
        field = field_of(as_rgb(rgb))
        green, inside, frame = prepare(as_rgb(rgb), field)
        if frame.scale != 1.0:
            raise InputError(f"The field of view of {row['file']} is {field.diameter:.0f} pixels across.")
        where = slice(frame.top, frame.top + frame.rows), slice(frame.left, frame.left + frame.columns)
        eyes.append(
            Eye(Path(row["file"]).stem, row["child"], fold, rgb, masks[0], masks[1], green, inside, masks[0][where],
                frame)
        )  # fmt: skip
    return eyes


def data_sha256(data: Path) -> str:
    """SHA-256 over names and contents of the index, photographs and masks, in order of the index."""
    total = hashlib.sha256((data / "index.csv").read_bytes())
    for row in read_index(data):
        for name in (row["file"], row["label_file"], row["second_observer"]):
            total.update(name.encode())
            total.update((data / name).read_bytes())
    return total.hexdigest()
