"""Looks into every file of a source once: DICOM headers, pictures, volumes and videos, and what is none of these."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from secondread.imaging.study import tags
from secondread.imaging.study.ahead import started
from secondread.imaging.study.archive import is_zip
from secondread.imaging.study.header import Header, read_header
from secondread.imaging.study.held import Held
from secondread.imaging.study.kinds import file_kind, is_image_class
from secondread.imaging.study.model import Unread
from secondread.imaging.study.plain import Plain, look
from secondread.imaging.study.walk import is_litter

_IMAGE_ENDINGS = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".gz", ".nrrd", ".mha", ".mhd")


@dataclass(slots=True)
class Collected:
    """What a source holds."""

    headers: list[Header] = field(default_factory=list)
    plain: list[Plain] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    skipped: int = 0
    """Files that are no images, DICOMDIR and litter among them."""
    archives: int = 0
    """Archives found inside the source, which are not opened."""


def collect(files: Iterable[Held]) -> Collected:
    """Read the start of every file.

    Args:
        files: From `secondread.imaging.study.walk.files`.
    """
    found = Collected()
    for opened in started(files):
        try:
            if opened.stream is None:
                found.unread.append(Unread(opened.held, opened.fault))
            else:
                _look(opened.held, opened.stream, opened.head, opened.size, found)
        except Exception:  # a damaged archive member or a failing disk raises almost any type
            found.unread.append(Unread(opened.held, f"{opened.held.name} cannot be read."))
        finally:
            opened.close()
    return found


def _look(held: Held, stream: BinaryIO, head: bytes, size: int, found: Collected) -> None:
    if not head:
        if held.name.lower().endswith(_IMAGE_ENDINGS):
            found.unread.append(Unread(held, f"{held.name} is empty."))
        else:
            found.skipped += 1
        return
    kind = file_kind(head, held.name)
    if kind == "other" or is_litter(held.name):
        found.archives += is_zip(head)
        found.skipped += 1
    elif kind == "unsupported":
        found.unread.append(Unread(held, f"{held.name} is a picture of a kind that is not read."))
    elif kind != "dicom":
        found.plain.append(look(held, kind, stream, head, size))
    else:
        _dicom(held, stream, head, size, found)


def _dicom(held: Held, stream: BinaryIO, head: bytes, size: int, found: Collected) -> None:
    header = read_header(held, stream, head, size)
    if header is None:
        if head[128:132] == b"DICM" or held.name.lower().endswith((".dcm", ".dicom")):
            found.unread.append(Unread(held, f"{held.name} is a damaged or truncated DICOM file."))
        else:
            found.skipped += 1
    elif (sop_class := header.text(tags.SOP_CLASS)) == tags.DIRECTORY:
        found.skipped += 1
    elif is_image_class(sop_class) and not (header.rows and header.columns):
        found.unread.append(Unread(held, f"{held.name} is truncated: its header ends before the size of its pixels."))
    elif size < header.expected_bytes:
        found.unread.append(Unread(held, f"{held.name} is truncated: it holds fewer pixels than its header says."))
    else:
        found.headers.append(header)
