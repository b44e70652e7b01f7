"""Blood-smear fields in memory with their boxes."""

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.detect.cells.smear import to_input
from secondread.training.folds import deal

CLASS_OF = {"WBC": 0, "Platelets": 1, "RBC": 2}
"""Names in the annotation files to positions in `KINDS`."""


@dataclass(frozen=True)
class Field:
    """One field of view.

    Attributes:
        name: File stem.
        group: From the index; rows of one group share a fold.
        fold: 0..4.
        image: uint8 (rows, columns, 3), at the size the network sees.
        scale: Pixels of `image` per pixel of the file.
        boxes: float32 (n, 4): left, top, right, bottom in pixels of the file, outer edges, pixel-corner coordinates
            (0 is the outer edge of the first pixel).
        classes: int64 (n,).
    """

    name: str
    group: str
    fold: int
    image: NDArray[np.uint8]
    scale: float
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


def read_index(data: Path) -> list[dict[str, str]]:
    """Rows of `index.csv` with their notes as columns.

    Raises:
        InputError: There is no index in `data`.
    """
    index = data / "index.csv"
    if not index.is_file():
        raise InputError(f"No index.csv in {data}.", hint="Give the folder of the blood smears with --data.")
    with index.open(newline="") as handle:
        return [
            {**row, **dict(pair.split("=", 1) for pair in row["notes"].split(";"))} for row in csv.DictReader(handle)
        ]


def read_boxes(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes and classes of one annotation file; boxes without area are left out, numbers are one-based in the file."""
    boxes, classes = [], []
    for thing in ElementTree.parse(path).getroot().iter("object"):
        values = {e.tag: float(e.text or "nan") for e in thing.iter() if e.tag in ("xmin", "ymin", "xmax", "ymax")}
        left, top, right, bottom = values["xmin"] - 1, values["ymin"] - 1, values["xmax"], values["ymax"]
        name = thing.findtext("name", "")
        if right - left > 1 and bottom - top > 1 and name in CLASS_OF:
            boxes.append((max(0.0, left), max(0.0, top), right, bottom))
            classes.append(CLASS_OF[name])
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64)


def load_fields(data: Path) -> list[Field]:
    """All fields; folds by the index's groups, spread by whether there are no, one or more white cells."""
    from PIL import Image

    rows = read_index(data)
    drawn = [read_boxes(data / r["label_file"]) for r in rows]
    kinds = [f"{min(2, Counter(classes.tolist())[0])} white cells" for _, classes in drawn]
    folds = deal([r["group"] for r in rows], kinds)
    fields = []
    for row, fold, (boxes, classes) in zip(rows, folds, drawn, strict=True):
        with Image.open(data / row["file"]) as picture:
            image, scale = to_input(np.asarray(picture.convert("RGB")))
        kept = np.round(image * 255).astype(np.uint8)
        fields.append(Field(Path(row["file"]).stem, row["group"], fold, kept, scale, boxes, classes))
    return fields


def data_sha256(data: Path) -> str:
    """SHA-256 over names and contents of the index, images and annotations, in order of the index."""
    total = hashlib.sha256((data / "index.csv").read_bytes())
    for row in read_index(data):
        for name in (row["file"], row["label_file"]):
            total.update(name.encode())
            total.update((data / name).read_bytes())
    return total.hexdigest()
