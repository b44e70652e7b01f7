"""The original DICOM files of an export, read again: identity goes from here into the written object and no further."""

import hashlib
import io
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from secondread.imaging.dicom.values import integer, number, numbers, text
from secondread.imaging.load import read_bytes, shown
from secondread.imaging.quiet import quiet
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage

FileSource = str | os.PathLike[str] | bytes

_META = (("SOPClassUID", "MediaStorageSOPClassUID"), ("SOPInstanceUID", "MediaStorageSOPInstanceUID"))
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_EMPTY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
          "StudyID", "ReferringPhysicianName")  # fmt: skip

_DERIVED = (
    ("StudyInstanceUID", "study"),
    ("SeriesInstanceUID", "series"),
    ("FrameOfReferenceUID", "frame of reference"),
)


@dataclass(frozen=True)
class SourceFiles:
    """Headers of the files that an exported object refers to, made fit for reference."""

    datasets: tuple[Any, ...]
    """pydicom data sets without pixels, in the order given."""
    caveats: tuple[str, ...] = ()
    """What the files lacked, without identifiers."""

    @property
    def frames(self) -> int:
        """Frames over all files."""
        return sum(max(1, integer(ds, "NumberOfFrames") or 1) for ds in self.datasets)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of every frame."""
        return int(self.datasets[0].Rows), int(self.datasets[0].Columns)


def read_sources(sources: Sequence[FileSource], purpose: str) -> SourceFiles:
    """Read the headers that an exported object refers to.

    Args:
        sources: Paths or bytes of DICOM files of one series; one multi-frame file or any number of single-frame ones.
        purpose: What needs them, for messages, e.g. `A DICOM segmentation`.

    Raises:
        UnsupportedImage: One of them is no DICOM image.
        UnreadableImage: One of them cannot be read.
        InputError: None given, of different sizes, or several of which one has more than one frame.
    """
    if not sources:
        raise InputError(f"{purpose} needs the DICOM file of the image, and there is none.")
    datasets = [_read(source, purpose) for source in sources]
    sizes = {(integer(ds, "Rows"), integer(ds, "Columns")) for ds in datasets}
    if len(sizes) > 1:
        raise InputError(f"{purpose} needs files of one size; these have {len(sizes)} sizes.")
    if len(datasets) > 1 and any((integer(ds, "NumberOfFrames") or 1) > 1 for ds in datasets):
        raise InputError(f"{purpose} refers to one multi-frame file or to single-frame files, not to both.")
    caveats = _completed(datasets)
    return SourceFiles(tuple(datasets), tuple(caveats))


def is_dicom(source: FileSource) -> bool:
    """Whether a source starts like a DICOM file (with preamble)."""
    if isinstance(source, bytes):
        return source[128:132] == b"DICM"
    try:
        with open(source, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _read(source: FileSource, purpose: str) -> Any:
    import pydicom

    name = "The data" if isinstance(source, bytes) else shown(os.fsdecode(source))
    data = source if isinstance(source, bytes) else read_bytes(os.fsdecode(source))
    foreign = UnsupportedImage(
        f"{name} is not a DICOM file: {purpose[:1].lower()}{purpose[1:]} refers to the DICOM object it was made from.",
        hint="Use the DICOM original.",
    )
    with quiet():
        try:
            ds = pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True)
            meta = getattr(ds, "file_meta", None)
            for keyword, instead in _META:
                if not text(ds, keyword) and meta is not None and text(meta, instead):
                    setattr(ds, keyword, text(meta, instead))
            ds.decode()
        except Exception:  # a damaged header makes pydicom raise almost any type; its text may quote the header
            raise UnreadableImage(f"{name} is damaged: its DICOM header cannot be read.") from None
    if not text(ds, "SOPClassUID") or not text(ds, "SOPInstanceUID"):
        raise (
            foreign
            if data[128:132] != b"DICM"
            else UnsupportedImage(f"{name} names no SOP class or instance, so nothing can refer to it.")
        )
    if any(not re.fullmatch(r"[0-9.]{1,64}", text(ds, keyword) or "0") for keyword in _UIDS):
        raise UnsupportedImage(f"{name} has a malformed UID, so nothing can refer to it.")
    if not integer(ds, "Rows") or not integer(ds, "Columns"):
        raise UnsupportedImage(f"{name} is a DICOM file without an image.")
    return ds


def _completed(datasets: list[Any]) -> list[str]:
    """Fill what every composite object must have; ids that are missing are derived from the files, and said."""
    caveats: list[str] = []
    seed = "|".join(sorted(text(ds, "SOPInstanceUID") for ds in datasets))
    placed = all("ImagePositionPatient" in ds for ds in datasets)
    for keyword, what in _DERIVED:
        lacking = [ds for ds in datasets if not text(ds, keyword)]
        if not lacking or (keyword == "FrameOfReferenceUID" and not placed):
            continue
        digest = hashlib.sha256(f"{what}|{seed}".encode()).digest()
        uid = f"2.25.{int.from_bytes(digest[:16], 'big')}"
        for ds in lacking:
            setattr(ds, keyword, uid)
        caveats.append(f"The source names no {what}; the written object makes up a {what} UID.")
    for ds in datasets:
        for keyword in _EMPTY:
            if keyword not in ds:
                setattr(ds, keyword, "")
        if "SpecificCharacterSet" in ds and not ds.SpecificCharacterSet:
            del ds.SpecificCharacterSet
        _plain_dates(ds)
    if placed:
        _thickness(datasets)
    return caveats


def _thickness(datasets: list[Any]) -> None:
    """A slice thickness where the files state none, since an object on their grid must have one.

    The distance of the first two slices, else the pixel spacing. Source: DICOM PS3.3 C.7.6.16.2.1.
    """
    places = [numbers(ds, "ImagePositionPatient") for ds in datasets[:2]]
    for ds in datasets:
        if number(ds, "SliceThickness") or not numbers(ds, "PixelSpacing"):
            continue
        apart = math.dist(*places) if len(places) == 2 and all(len(place) == 3 for place in places) else 0.0
        ds.SliceThickness = f"{apart or numbers(ds, 'PixelSpacing')[0]:.6g}"


def _plain_dates(ds: Any) -> None:
    """Dates and times of the old form (`2001.02.03`, `11:20:00`) in today's; others that cannot be read are emptied."""
    for keyword, form in (
        ("StudyDate", r"\d{8}"),
        ("StudyTime", r"\d{2,6}(\.\d{1,6})?"),
        ("PatientBirthDate", r"\d{8}"),
    ):
        told = text(ds, keyword)
        plain = told.replace(":", "") if keyword == "StudyTime" else told.replace(".", "")
        if (told and told != plain) or not re.fullmatch(form, plain or "0" * 8):
            setattr(ds, keyword, plain if re.fullmatch(form, plain) else "")


def finished(ds: Any) -> Any:
    """The written object, with what its source's own values oblige it to have."""
    if text(ds, "PatientIdentityRemoved").upper() == "YES" and not (
        text(ds, "DeidentificationMethod") or ds.get("DeidentificationMethodCodeSequence")
    ):
        ds.DeidentificationMethod = "Not stated by the source"
    return ds
