"""Images of every topic with a group and labels, for the projection and for its evaluation."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TOPICS = ("cxr", "cells_bccd", "nuclei_dsb2018", "ultrasound_usgra", "retina_chase_db1")
"""Data sets whose licences allow weights under Apache-2.0; MR crops (CC BY-SA) are left out."""


@dataclass(frozen=True)
class Row:
    """One image.

    Attributes:
        topic: Its data set.
        path: The file.
        split: `train`, `val` or `dev`.
        group: Patient, child or file; images of one group are never compared.
        source: Collection within the topic.
        labels: Task -> label, for each labelled question of the topic.
    """

    topic: str
    path: Path
    split: str
    group: str
    source: str
    labels: dict[str, str]

    def picture(self) -> NDArray[np.uint8]:
        """Red, green and blue, (rows, columns, 3)."""
        from PIL import Image

        with Image.open(self.path) as image:
            return np.asarray(image.convert("RGB"))


def rows(data: Path) -> list[Row]:
    """Every permissively licensed image of the topics."""
    return [row for topic in TOPICS for row in _topic(data / topic, topic)]


def _topic(folder: Path, topic: str) -> Iterator[Row]:
    with (folder / "index.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row.get("licence_class", "permissive") != "permissive":
                continue
            notes = dict(p.split("=", 1) for p in row["notes"].split(";") if "=" in p)
            labels, group, source = _labels(topic, row, notes)
            yield Row(topic, folder / row["file"], row["split"], group, source, labels)


def _labels(topic: str, row: dict[str, str], notes: dict[str, str]) -> tuple[dict[str, str], str, str]:
    if topic == "cxr":
        source, said = row["source_dataset"], row["labels"]
        labels: dict[str, str] = {}
        if source.startswith("Kermany"):
            labels["children: normal, bacterial, viral"] = said
        elif source.startswith("NIH"):
            labels["NIH: any finding or none"] = "none" if said == "No Finding" else "some"
            labels["NIH: projection"] = row["view"]
        return labels, row["patient_id"], source
    if topic == "nuclei_dsb2018":
        return {"nuclei: stain and size": f"{notes['kind']} {notes['size']}"}, row["file"], topic
    if topic == "ultrasound_usgra":
        present = "+".join(n for n, k in (("nerve", " 1:"), ("vessel", " 2:")) if k in notes["pixels"])
        return {"ultrasound: what is outlined": present or "nothing"}, row["file"], topic
    if topic == "retina_chase_db1":
        return {"retina: eye": notes["eye"]}, notes["child"], topic
    return {"cells: white cells in view": notes["WBC"]}, notes.get("group", row["file"]), topic
