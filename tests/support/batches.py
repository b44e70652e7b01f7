"""Small studies of nobody, questions that two cheap tools answer, and an agent with those tools alone."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.serve.batch.questions import BatchQuestion
from secondread.serve.batch.rows import VOLATILE
from secondread.serve.batch.work import Job

DX_IMAGE = "1.2.840.10008.5.1.4.1.1.1.1"
MEAN = BatchQuestion(id="mean", question="What is the mean grey value of the image?")
BLUR = BatchQuestion(id="blur", question="Is the image blurred?")
QUESTIONS = (MEAN, BLUR)


def small_agent(settings: Settings) -> Agent:
    """An agent with two tools that have no network."""
    return Agent(settings=settings, tools=["film_quality", "intensity_statistics"])


def job(*questions: BatchQuestion, **options: Any) -> Job:
    """The questions of a batch for the small agent; nothing is kept beside its output."""
    settings = Settings(trace_dir=None, cache_dir=None)
    return Job(questions or QUESTIONS, settings, small_agent, **options)


def study(
    path: Path,
    uid: str,
    *,
    patient: str = "P1",
    date: str = "20250102",
    level: int = 400,
    number: int = 1,
    size: int = 48,
    **header: Any,
) -> Path:
    """A film of one study as a DICOM file: noise around one grey level of 1023."""
    ds = pydicom.Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = DX_IMAGE
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{uid}.1.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid, f"{uid}.1"
    ds.PatientID, ds.PatientName, ds.StudyDate, ds.StudyTime = patient, "DOE^JANE", date, "101500"
    ds.Modality, ds.InstanceNumber, ds.SeriesNumber = "DX", number, 1
    ds.Rows = ds.Columns = size
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 10, 9
    for name, value in header.items():
        setattr(ds, name, value)
    noise = np.random.default_rng([number, level]).normal(level, 30, (size, size))
    ds.PixelData = np.clip(noise, 0, 1023).astype(np.uint16).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def studies(folder: Path, count: int) -> Path:
    """As many studies of different patients, one film each."""
    for k in range(count):
        study(folder / f"s{k:04d}" / "film.dcm", f"1.2.3.{k}", patient=f"P{k}", level=200 + 7 * (k % 90))
    return folder


def packed(folder: Path, archive: Path) -> Path:
    """A folder as a zip archive."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder))
    return archive


def rows_in(out: Path) -> list[dict[str, Any]]:
    """Rows of a batch as written."""
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def settled(out: Path) -> list[dict[str, Any]]:
    """Rows in the order of cases and questions without what two runs may differ in."""
    rows = [{k: v for k, v in row.items() if k not in VOLATILE} for row in rows_in(out)]
    return sorted(rows, key=lambda row: (row["key"], row["question_id"]))
