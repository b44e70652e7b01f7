"""A folder in the layout of MIMIC-CXR-JPG about nobody: `python -m secondread.evals.mimic_layout OUT --studies 20`.

Films come from the shape model, reports from templates of the project, labels from what was drawn and written. Ids are
random numbers of the right form. `truth.json` holds every image, concept, polarity and section; with `--weird` rows and
reports of bad classes are added, and the truth says how many.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from secondread.evals.phantom import Film, generate

LABELS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion",
    "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices",
)  # fmt: skip
CONCEPTS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "enlarged_cardiac_silhouette",
    "Consolidation": "consolidation",
    "Edema": "pulmonary_edema",
    "Pleural Effusion": "pleural_effusion",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}
"""Labels that are written of, and the concepts they name."""
_SAID = {
    1: ("There is {}.", "{} is seen.", "Findings are in keeping with {}."),
    0: ("No {}.", "There is no evidence of {}.", "Without {}."),
    -1: ("Possible {}.", "{} cannot be excluded.", "Questionable {}."),
}
_WORDS = {"Edema": "pulmonary edema", "Cardiomegaly": "cardiomegaly"}
LIMIT = 0.5
"""Cardiothoracic ratio above which a film of the generator counts as cardiomegaly."""


def write(out: Path, *, studies: int = 20, seed: int = 1, size: int = 256, weird: bool = False) -> dict[str, Any]:
    """Write the folder; returns the truth, which also lies there as `truth.json`.

    Args:
        out: Folder, made when it is not there.
        studies: How many; every third person has two.
        seed: Equal arguments give equal files.
        size: Side of a film in pixels.
        weird: Add rows and reports of bad classes.

    Returns:
        `images`: dicom id -> study, person, file, ctr; `edges`: [dicom id, concept, polarity, section or labeler];
        `rejected` and `noted` as a build reports them.
    """
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    truth: dict[str, Any] = {"images": {}, "edges": [], "rejected": {}, "noted": {}}
    meta, split, labels = [], [], []
    person = 10_000_000
    for number in range(studies):
        if number % 4 != 3:
            person = 10_000_000 + int(rng.integers(1, 9_999_999))
        study = 50_000_000 + number * 1000 + int(rng.integers(0, 999))
        film = generate(int(rng.integers(1, 2**31)), size=size, ctr=float(rng.uniform(0.40, 0.62)))
        dicom = "-".join(f"{int(v):08x}" for v in rng.integers(0, 2**32, 5))
        folder = out / "files" / f"p{str(person)[:2]}" / f"p{person}" / f"s{study}"
        folder.mkdir(parents=True, exist_ok=True)
        _save(film, folder / f"{dicom}.jpg")
        said = _findings(film, rng)
        folder.with_suffix(".txt").write_text(_report(said, rng), encoding="utf-8")
        file = (folder / f"{dicom}.jpg").relative_to(out).as_posix()
        truth["images"][dicom] = {"study": str(study), "person": str(person), "file": file, "ctr": round(film.ctr, 4)}
        meta.append([dicom, person, study, "PA", size, size])
        split.append([dicom, study, person, ("train", "validate", "test")[int(rng.choice(3, p=[0.8, 0.1, 0.1]))]])
        labels.append([person, study, *(_cell(said.get(name)) for name in LABELS)])
        for name, (state, section) in said.items():
            polarity = {1: "positive", 0: "negative", -1: "uncertain"}[state]
            truth["edges"] += [
                [dicom, CONCEPTS[name], polarity, section], [dicom, CONCEPTS[name], polarity, "chexpert"]
            ]  # fmt: skip
    if weird:
        _weird(out, truth, meta, labels)
    head = ["dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns"]
    _csv(out / "mimic-cxr-2.0.0-metadata.csv", head, meta)
    _csv(out / "mimic-cxr-2.0.0-split.csv", ["dicom_id", "study_id", "subject_id", "split"], split)
    _csv(out / "mimic-cxr-2.0.0-chexpert.csv", ["subject_id", "study_id", *LABELS], labels)
    (out / "truth.json").write_text(json.dumps(truth, indent=1))
    return truth


def _cell(said: tuple[int, str] | None) -> str:
    return "" if said is None else f"{said[0]:.1f}"


def _save(film: Film, path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.round(film.grey * 255).astype(np.uint8)).save(path, quality=95)


def _findings(film: Film, rng: np.random.Generator) -> dict[str, tuple[int, str]]:
    """Label -> state and the section that says it; the heart follows the film."""
    said = {"Cardiomegaly": (int(film.ctr > LIMIT), "impression")}
    for name in CONCEPTS:
        if name != "Cardiomegaly" and rng.random() < 0.5:
            said[name] = (int(rng.choice([1, 0, -1], p=[0.3, 0.5, 0.2])), "findings")
    return said


def _report(said: dict[str, tuple[int, str]], rng: np.random.Generator) -> str:
    parts: dict[str, list[str]] = {"findings": ["Frontal view of the chest."], "impression": []}
    for name, (state, section) in said.items():
        words = _WORDS.get(name, name.lower())
        text = str(rng.choice(_SAID[state])).format(words)
        parts[section].append(text[:1].upper() + text[1:])
    lines = [f" {name.upper()}:\n\n {' '.join(texts)}\n" for name, texts in parts.items()]
    return (
        "                                 FINAL REPORT\n EXAMINATION:  CHEST (PA)\n\n INDICATION:  ___\n\n"
        + "\n".join(lines)
    )


def _weird(out: Path, truth: dict[str, Any], meta: list[list[Any]], labels: list[list[Any]]) -> None:
    """Rows of bad classes, a film without a report, and reports that say nothing."""
    first = meta[0]
    blank = [""] * (len(LABELS) - 1)
    meta += [list(first), ["", 10000001, 59000001, "PA", 1, 1], ["aa-bb", "p1", 59000002, "PA", 1, 1]]
    meta.append(["00000000-00000000-00000000-00000000-00000001", 10000002, 59000003, "AP", 1, 1])
    labels += [[10000009, 59999999, "1.0", *blank], [first[1], first[2], "2.0", *blank]]
    for study, body in ((meta[1][2], " ___ \n"), (meta[2][2], "")):
        for path in (out / "files").glob(f"*/*/s{study}.txt"):
            path.write_text(body)
            dicom = next(d for d, one in truth["images"].items() if one["study"] == str(study))
            truth["edges"] = [e for e in truth["edges"] if e[0] != dicom or e[3] == "chexpert"]
    truth["rejected"] = {
        "mimic-cxr-2.0.0-metadata.csv": {"duplicate_id": 1, "bad_id": 2},
        "mimic-cxr-2.0.0-chexpert.csv": {"study_without_image": 1, "bad_value": 1},
    }
    truth["noted"] = {
        "mimic-cxr-2.0.0-metadata.csv": {"no_picture": 1}, "reports": {"no_report": 1, "empty_report": 2},
    }  # fmt: skip


def _csv(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a folder."""
    parser = argparse.ArgumentParser(prog="python -m secondread.evals.mimic_layout", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=256, help="side of a film in pixels")
    parser.add_argument("--weird", action="store_true", help="add rows and reports of bad classes")
    args = parser.parse_args(argv)
    truth = write(args.out, studies=args.studies, seed=args.seed, size=args.size, weird=args.weird)
    print(f"{len(truth['images'])} films, {len(truth['edges'])} statements in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
