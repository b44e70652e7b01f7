"""Build a graph store from a MIMIC-CXR(-JPG) folder: studies, image nodes, label and report edges with polarity.

Layout (physionet.org/content/mimic-cxr-jpg): `mimic-cxr-2.x.y-{metadata,split,chexpert,negbio}.csv[.gz]` and
`files/p10/p10000032/s50414267/<dicom id>.jpg` beside `files/p10/p10000032/s50414267.txt`. Labels: 1, 0, -1, blank for
positive, negative, uncertain, not mentioned. Labels and report mentions become `shows` edges of every image of a study.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from secondread.kg.builders.lines import stem_of, table, text_of
from secondread.kg.builders.report import BuildReport
from secondread.kg.builders.staged import Progress, store
from secondread.kg.graph import Graph, core_graph
from secondread.kg.store.writer import StoreWriter
from secondread.kg.text.link import LinkedMention, Linker
from secondread.schema.errors import InputError

LICENCE = "MIMIC-CXR under the PhysioNet credentialed data use agreement: not to be handed on"
SHOWS, PART_OF = "shows", "part_of"
SOURCES = {"chexpert": "CheXpert labels", "negbio": "NegBio labels", "report": "report text"}
POLARITIES = {"1": "positive", "0": "negative", "-1": "uncertain"}
ASSERTED = {"present": "positive", "absent": "negative", "uncertain": "uncertain"}
"""Assertions that become edges; what is historical or of the family does not say what the image shows."""
MENTIONED = ("finding", "disease", "device")
"""Kinds of concepts that a report says an image shows."""
PICTURES = (".jpg", ".jpeg", ".png", ".dcm")
_STUDY, _PERSON = re.compile(r"\d{1,12}"), re.compile(r"\d{1,12}")
_GAP = re.compile(r"[_\s]*")
_VALUE = re.compile(r"(-?[01])(?:\.0)?")

ImageId = Callable[[Path], str | None]
"""The id under which the image store and corpora know a picture, None when it cannot be read."""


def build(
    source: Path, out: Path, *, strict: bool = False, version: str = "", progress: Progress | None = None,
    image_id: ImageId | None = None,
) -> tuple[dict[str, Any], BuildReport]:  # fmt: skip
    """Build a store; see `rrf.build`.

    Args:
        source: Folder with the tables.
        out: Where the store will lie.
        strict: End at the first row that would be left out.
        version: Of the data set.
        progress: Told how far the build is.
        image_id: Names pictures; without it, and for pictures that are not there, image nodes carry the DICOM id.

    Raises:
        InputError: There is no metadata table, or strict and a row is wrong.
    """
    if not source.is_dir():
        raise InputError(f"{source} is no folder.")
    tables = {name: _table(source, name) for name in ("metadata", "split", "chexpert", "negbio")}
    if tables["metadata"] is None:
        raise InputError(f"{source} holds no table mimic-cxr-..-metadata.csv.")

    def fill(writer: StoreWriter, report: BuildReport) -> None:
        _Job(source, tables, writer, report, progress or (lambda _step, _share: None), image_id).run()

    return store(out, source="MIMIC-CXR", version=version, licence=LICENCE, restricted=True, strict=strict, fill=fill)


def _table(folder: Path, name: str) -> Path | None:
    found = sorted((*folder.glob(f"mimic-cxr-*-{name}.csv"), *folder.glob(f"mimic-cxr-*-{name}.csv.gz")))
    return found[0] if found else None


class _Job:
    def __init__(
        self, folder: Path, tables: dict[str, Path | None], writer: StoreWriter, report: BuildReport, told: Progress,
        image_id: ImageId | None,
    ) -> None:  # fmt: skip
        self.folder, self.tables, self.writer, self.report, self.told = folder, tables, writer, report, told
        self.image_id = image_id
        self.graph: Graph = core_graph()
        self.linker = Linker.from_graph(self.graph)
        self.images: dict[str, list[str]] = {}
        """Study id -> its image nodes."""
        self.person: dict[str, str] = {}

    def run(self) -> None:
        for source in SOURCES.values():
            self.writer.source(source, srl=9, licence=LICENCE)
        splits = self._splits()
        self._metadata(splits)
        for labeler in ("chexpert", "negbio"):
            path = self.tables[labeler]
            if path is not None:
                self._labels(path, labeler)
        self._reports()

    def _splits(self) -> dict[str, str]:
        path = self.tables["split"]
        if path is None:
            return {}
        return {row["dicom_id"]: row["split"] for _, row in table(path, ("dicom_id", "split"), self.report)}

    def _metadata(self, splits: dict[str, str]) -> None:
        path = self.tables["metadata"]
        assert path is not None
        file, seen = stem_of(path), set()
        for number, row in table(path, ("dicom_id", "subject_id", "study_id"), self.report):
            dicom, person, study = (row[name].strip() for name in ("dicom_id", "subject_id", "study_id"))
            if not dicom or not _STUDY.fullmatch(study) or not _PERSON.fullmatch(person):
                self.report.reject(file, "bad_id", [number])
                continue
            if dicom in seen:
                self.report.reject(file, "duplicate_id", [number])
                continue
            seen.add(dicom)
            picture = self._picture(person, study, dicom)
            known = self.image_id(picture) if picture is not None and self.image_id is not None else None
            if picture is None:
                self.report.note(file, "no_picture", [number])
            elif self.image_id is not None and known is None:
                self.report.note(file, "picture_cannot_be_read", [number])
            node = f"IMAGE:{known}" if known else f"MIMIC:{dicom}"
            if not self.writer.has(f"MIMIC:s{study}"):
                self.writer.put(
                    f"MIMIC:s{study}", kind="study", name=f"study s{study}", source=SOURCES["report"], srl=9
                )
            attributes = {
                "dicom": dicom, "study": study, "patient": person, "view": row.get("ViewPosition", ""),
                "split": splits.get(dicom, ""), "file": "" if picture is None else self._short(picture),
            }  # fmt: skip
            self.writer.put(
                node, kind="image", name=f"image of study s{study}", source=SOURCES["report"], srl=9,
                attributes={k: v for k, v in attributes.items() if v},
            )  # fmt: skip
            self.writer.join(node, PART_OF, f"MIMIC:s{study}", source=SOURCES["report"])
            self.images.setdefault(study, []).append(node)
            self.person[study] = person
            if number % 200 == 0:
                self.told(file, 0.0)

    def _short(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _place(self, person: str, study: str) -> Path:
        return self.folder / "files" / f"p{person[:2]}" / f"p{person}" / f"s{study}"

    def _picture(self, person: str, study: str, dicom: str) -> Path | None:
        if "/" in dicom or "\\" in dicom or dicom.startswith("."):
            return None
        folder = self._place(person, study)
        return next((p for end in PICTURES if (p := folder / f"{dicom}{end}").is_file()), None)

    def _labels(self, path: Path, labeler: str) -> None:
        file = stem_of(path)
        source = SOURCES[labeler]
        for number, row in table(path, ("subject_id", "study_id"), self.report):
            images = self.images.get(row["study_id"].strip())
            if images is None:
                self.report.reject(file, "study_without_image", [number])
                continue
            for label, value in row.items():
                if label in ("subject_id", "study_id") or not value.strip():
                    continue
                match = _VALUE.fullmatch(value.strip())
                if match is None:
                    self.report.reject(file, "bad_value", [number])
                    continue
                concept = self._concept(label)
                if concept is not None:
                    evidence = {"labeler": labeler, "study": row["study_id"].strip()}
                    self._shows(images, concept, POLARITIES[match.group(1)], source, evidence)

    def _concept(self, label: str) -> str | None:
        """The concept of a label; the two labels of no one finding are left out."""
        if label in ("No Finding", "Pleural Other"):
            return None
        found = self.graph.lookup(label)
        return self._known(found[0].id) if found else None

    def _known(self, concept: str) -> str:
        """A concept of the authored graph, added to the store when it is first named."""
        if not self.writer.has(concept):
            held = self.graph.concept(concept)
            self.writer.put(concept, kind=held.kind, name=held.name, synonyms=list(held.synonyms), source="core")
        return concept

    def _shows(self, images: list[str], concept: str, polarity: str, source: str, evidence: dict[str, Any]) -> None:
        for image in images:
            self.writer.join(image, SHOWS, concept, source=source, polarity=polarity, evidence=evidence)

    def _reports(self) -> None:
        file = "reports"
        self.report.begin(file)
        for done, (study, images) in enumerate(self.images.items()):
            path = self._place(self.person[study], study).with_suffix(".txt")
            if not path.is_file():
                path = path.with_suffix(".txt.gz")
            if not path.is_file():
                self.report.note(file, "no_report", count=1)
                continue
            self.report.read(file, 1)
            try:
                text = text_of(path)
            except InputError:
                self.report.reject(file, "report_cannot_be_read", count=1)
                continue
            if _GAP.fullmatch(text):
                self.report.note(file, "empty_report", count=1)
                continue
            if "\ufffd" in text:
                self.report.note(file, "invalid_utf8", count=1)
            for mention in self.linker.link(text):
                self._mention(study, images, mention)
            if done % 50 == 0:
                self.told(file, done / len(self.images))

    def _mention(self, study: str, images: list[str], mention: LinkedMention) -> None:
        polarity = ASSERTED.get(mention.assertion)
        kind = self.graph.concept(mention.concept).kind
        if polarity is None or kind not in MENTIONED:
            return
        evidence: dict[str, Any] = {"report": f"s{study}", "section": mention.section, "start": mention.start,
                                    "end": mention.end}  # fmt: skip
        for name in ("laterality", "location", "severity", "temporality", "rule"):
            if getattr(mention, name):
                evidence[name] = getattr(mention, name)
        self._shows(images, self._known(mention.concept), polarity, SOURCES["report"], evidence)
