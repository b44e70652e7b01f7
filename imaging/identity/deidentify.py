"""A cleaned copy of a DICOM file, folder or archive: the source is only read, each file written whole or not at all."""

import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from secondread.imaging.dicom.values import text
from secondread.imaging.export.source import is_dicom
from secondread.imaging.identity.clean_file import TextInPixels, cleaned_in_place, parsed, write
from secondread.imaging.identity.pseudonyms import Pseudonyms
from secondread.imaging.limits import MAX_BYTES
from secondread.imaging.load import read_bytes, shown
from secondread.imaging.quiet import quiet
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage, UsageError

DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of DICOMDIR: a list of names, of no use beside renamed files."""


@dataclass(frozen=True)
class Problem:
    """A file that was not written."""

    name: str
    """Path in the source, as found there."""
    reason: str


@dataclass
class Report:
    """What came of a source."""

    written: list[Path] = field(default_factory=list)
    failed: list[Problem] = field(default_factory=list)
    """DICOM files that could not be cleaned; nothing of them was written."""
    skipped: list[Problem] = field(default_factory=list)
    """Files that are not DICOM, and DICOMDIR."""
    warnings: list[Problem] = field(default_factory=list)
    """Files that were written although their pixels may show text."""


@dataclass(frozen=True)
class _Entry:
    """One file of the source: a path, or a member of an archive."""

    path: str
    member: str | None = None

    @property
    def name(self) -> str:
        return shown(self.member or self.path)

    def read(self) -> bytes:
        if self.member is None:
            return read_bytes(self.path)
        with zipfile.ZipFile(self.path) as archive:
            if archive.getinfo(self.member).file_size > MAX_BYTES:
                raise UnsupportedImage(f"{self.name} is larger than {MAX_BYTES >> 30} GiB.")
            try:
                return archive.read(self.member)
            except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
                raise UnreadableImage(f"{self.name} cannot be taken out of the archive.") from None


def deidentify(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    keep_dates_relative: bool = False,
    text_in_pixels: TextInPixels = "ignore",
    jobs: int = 1,
    key: bytes | None = None,
) -> Report:
    """Write a cleaned copy of every DICOM file of a source.

    Files are named by stand-ins, `patient/study/series/object.dcm`, since paths often hold names. Unique identifiers,
    patient and dates are replaced alike in all files, so that references between objects still hold.

    Args:
        source: A DICOM file, a folder (read with its sub-folders) or a zip archive.
        out: Folder to write to; missing or empty, and not inside the source.
        keep_dates_relative: Move all dates of a patient by one number of days in place of removing them.
        text_in_pixels: `warn` looks for text in the pixels and lists the files that show some; `mask` paints over it,
            and such files get new, uncompressed pixels; `ignore` goes by the header alone.
        jobs: Processes to use.
        key: Secret of the stand-ins; the same key gives the same ones. None: a new one that is not kept.

    Returns:
        What was written, and what was not and why. One bad file never stops the others.

    Raises:
        UsageError: `out` is not empty, lies inside the source, or cannot be written.
        UnreadableImage: The source does not exist or cannot be read.
        ToolUnavailable: Text is to be looked for, but the extra `ocr` is not installed.
    """
    target = _prepared(Path(source), Path(out))
    entries = list(_entries(os.fspath(source)))
    if text_in_pixels != "ignore":
        from secondread.imaging.identity.burned_in import check_installed

        check_installed()
    names = Pseudonyms(key) if key is not None else Pseudonyms.fresh()
    work = partial(
        _one, out=target, names=names, keep_dates_relative=keep_dates_relative, text_in_pixels=text_in_pixels
    )
    report = Report()
    for outcome in _run(work, entries, jobs):
        (getattr(report, outcome.kind)).append(outcome.value)
        if outcome.warning is not None:
            report.warnings.append(outcome.warning)
    return report


@dataclass(frozen=True)
class _Outcome:
    kind: str
    value: Any
    warning: Problem | None = None


def _prepared(source: Path, out: Path) -> Path:
    """The folder to write to, made."""
    if not source.exists():
        raise UnreadableImage(f"{shown(str(source))} does not exist.")
    inner, outer = out.resolve(), source.resolve()
    if inner == outer or (outer.is_dir() and inner.is_relative_to(outer)):
        raise UsageError(
            f"{shown(str(out))} lies inside the source, which is never written to.", hint="Use a folder elsewhere."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UsageError(
                f"{shown(str(out))} is not empty.",
                hint="Use a new folder, so that no old file is taken for a clean one.",
            )
    except OSError as error:
        raise UsageError(f"{shown(str(out))} cannot be written: {error.strerror or 'unknown reason'}.") from None
    return out


def _entries(source: str) -> Iterator[_Entry]:
    """Files of the source in a fixed order; linked folders are not followed."""
    if os.path.isdir(source):
        for folder, folders, files in os.walk(source):
            folders.sort()
            for file in sorted(files):
                path = os.path.join(folder, file)
                if os.path.isfile(path):
                    yield _Entry(path)
        return
    if not is_dicom(source) and zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                members = sorted(info.filename for info in archive.infolist() if not info.is_dir())
        except (zipfile.BadZipFile, OSError):
            raise UnreadableImage(f"{shown(source)} is a damaged archive.") from None
        for member in members:
            yield _Entry(source, member)
        return
    yield _Entry(source)


def _run(work: Any, entries: list[_Entry], jobs: int) -> Iterable[_Outcome]:
    if jobs <= 1 or len(entries) < 2:
        return map(work, entries)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(jobs, len(entries)), mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, entries, chunksize=max(1, min(16, len(entries) // jobs))))


def _one(
    entry: _Entry, *, out: Path, names: Pseudonyms, keep_dates_relative: bool, text_in_pixels: TextInPixels
) -> _Outcome:
    """Clean one file; every failure becomes an outcome."""
    try:
        with quiet():
            data = entry.read()
            ds = parsed(data)
            if ds is None:
                return _Outcome("skipped", Problem(entry.name, "It is not a DICOM file."))
            if text(ds, "SOPClassUID") == DIRECTORY or "DirectoryRecordSequence" in ds:
                return _Outcome("skipped", Problem(entry.name, "A DICOMDIR lists names of files; it is not copied."))
            warning = cleaned_in_place(
                ds, names, keep_dates_relative=keep_dates_relative, text_in_pixels=text_in_pixels
            )
            path = _placed(ds, out, names)
            write(ds, path)
        return _Outcome("written", path, Problem(entry.name, warning) if warning else None)
    except SecondReadError as error:
        return _Outcome("failed", Problem(entry.name, error.message))
    except MemoryError:
        return _Outcome("failed", Problem(entry.name, "It does not fit into memory."))
    except Exception:  # a damaged header makes pydicom raise almost any type; its text may quote the header
        return _Outcome("failed", Problem(entry.name, "Its DICOM data cannot be read or written whole."))


def _placed(ds: Any, out: Path, names: Pseudonyms) -> Path:
    """Where a cleaned file goes; two objects never share a path."""
    patient = text(ds, "PatientID") or "patient"
    study, series = (
        names.name(kind, text(ds, keyword))
        for kind, keyword in (("study", "StudyInstanceUID"), ("series", "SeriesInstanceUID"))
    )
    folder = out / patient / study / series
    folder.mkdir(parents=True, exist_ok=True)
    stem = names.name("object", text(ds.file_meta, "MediaStorageSOPInstanceUID"))
    number = 1
    while True:
        path = folder / (f"{stem}.dcm" if number == 1 else f"{stem}-{number}.dcm")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # claims the name among the processes
            return path
        except FileExistsError:
            number += 1
