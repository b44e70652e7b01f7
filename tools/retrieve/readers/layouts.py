"""Folders in public layouts, handed over by the user: MIMIC-CXR(-JPG) and Open-i."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from secondread.schema.errors import InputError
from secondread.tools.retrieve.readers.draft import Defaults, Draft
from secondread.tools.retrieve.readers.images import image_draft
from secondread.tools.retrieve.readers.keys import opaque
from secondread.tools.retrieve.readers.lines import Report
from secondread.tools.retrieve.readers.open_text import open_text
from secondread.tools.retrieve.records import Item

MIMIC_LICENCE = "PhysioNet Credentialed Health Data License 1.5.0; not to be shared"
MIMIC = "MIMIC-CXR (the user's own copy)"
OPENI = "Open-i Indiana University collection (the user's own copy)"
LABELS = ("chexpert", "negbio")


def is_mimic(folder: Path) -> bool:
    """Whether a folder has the layout of MIMIC-CXR or MIMIC-CXR-JPG."""
    return (folder / "files").is_dir() and any((folder / "files").glob("p1[0-9]"))


def mimic_files(folder: Path) -> Iterator[Path]:
    """Reports and images of the layout, in order."""
    for path in sorted((folder / "files").rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".dcm", ".txt") and path.is_file():
            yield path


class MimicTables:
    """Label and metadata tables of the layout, by study and by image."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.labels: dict[str, tuple[str, ...]] = {}
        self.views: dict[str, str] = {}
        for path in sorted(folder.glob("*.csv*")):
            kind = next((k for k in LABELS if k in path.name), None)
            if kind is not None:
                self._labels(path, report)
            elif "metadata" in path.name:
                for number, row in enumerate(_rows(path), 2):
                    if not row.get("dicom_id"):
                        report(f"{path.name} line {number}: no dicom id")
                        continue
                    self.views[row["dicom_id"]] = (row.get("ViewPosition") or "").strip()

    def _labels(self, path: Path, report: Report) -> None:
        for number, row in enumerate(_rows(path), 2):
            study = (row.get("study_id") or "").strip()
            if not study:
                report(f"{path.name} line {number}: no study id")
                continue
            found = [k for k, v in row.items() if k not in ("subject_id", "study_id") and _number(v) == 1.0]
            self.labels.setdefault(study, tuple(found))


def mimic_draft(path: Path, tables: MimicTables, defaults: Defaults) -> Draft:
    """One report or image of the layout.

    Raises:
        InputError: It cannot be read.
    """
    parts = [p for p in path.parts if p[:1] in "ps" and p[1:].isdecimal()]
    patient = next((p[1:] for p in reversed(parts) if p.startswith("p") and len(p) > 3), "")
    study = path.stem[1:] if path.suffix == ".txt" else next((p[1:] for p in reversed(parts) if p[0] == "s"), "")
    fields: dict[str, Any] = {
        "source": MIMIC,
        "licence": MIMIC_LICENCE,
        "patient": opaque("pat", patient, defaults.salt),
        "study": opaque("stu", study, defaults.salt),
        "labels": tables.labels.get(study, ()),
        "modality": "DX",
    }
    if path.suffix == ".txt":
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InputError(f"{path.name} cannot be read: {error.strerror or error}.") from error
        if not text.strip():
            raise InputError(f"{path.name} is empty.")
        return Draft(
            Item.model_validate({**fields, "id": opaque("doc", f"{patient}/{study}", defaults.salt), "kind": "report",
                                 "title": "report", "text": " ".join(text.split())[:100_000]})
        )  # fmt: skip
    view = tables.views.get(path.stem, "")
    return image_draft(path, defaults, {**fields, "title": f"{view} view" if view else ""})


def openi_draft(path: Path, defaults: Defaults) -> Draft:
    """One report of the Open-i collection (XML).

    Raises:
        InputError: It is no such report.
    """
    from xml.etree import ElementTree

    try:
        raw = path.read_bytes()
        if b"<!ENTITY" in raw:  # entities could grow without bound; the collection has none
            raise InputError(f"{path.name} declares entities and is not read.")
        root = ElementTree.fromstring(raw)
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"{path.name} cannot be read as XML.") from error
    told = {
        (node.get("Label") or "").upper(): " ".join((node.text or "").split()) for node in root.iter("AbstractText")
    }
    text = "\n".join(f"{k.title()}: {told[k]}" for k in ("FINDINGS", "IMPRESSION") if told.get(k))
    if not text:
        raise InputError(f"{path.name} holds neither findings nor impression.")
    number = next((n.get("id") or "" for n in root.iter("uId")), "") or path.stem
    labels = [(n.text or "").strip() for n in root.iter("major")]
    return Draft(
        Item(
            id=f"doc-openi-{number}", kind="report", title=told.get("INDICATION", "")[:200], text=text, source=OPENI,
            licence="CC-BY-NC-ND-4.0", study=opaque("stu", number, defaults.salt), labels=tuple(x for x in labels if x),
            modality="DX",
        )
    )  # fmt: skip


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with open_text(path) as file:
        yield from csv.DictReader(file)


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
