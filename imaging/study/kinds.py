"""What a file or DICOM object is: which reader takes it, and whether it shows a patient at all."""

import zlib
from functools import lru_cache
from typing import Literal

from secondread.imaging.dicom.spacing import PROJECTION
from secondread.imaging.load import content_kind
from secondread.imaging.study.tags import DIRECTORY

FileKind = Literal["dicom", "png", "jpeg", "tiff", "nifti", "nrrd", "metaimage", "video", "unsupported", "other"]

VOLUME_FORMATS = frozenset(("nifti", "nrrd", "metaimage"))
_PICTURES: tuple[Literal["png", "jpeg", "tiff"], ...] = ("png", "jpeg", "tiff")

_ROOT = "1.2.840.10008.5.1.4.1.1."
_DERIVED = ("66", "67", "68", "11", "30", "481.2", "481.3", "91")
"""Registrations, segmentations, surfaces, real world value maps, presentation states, parametric maps, dose,
structure sets, annotations."""
_DOCUMENTS = ("88", "104", "9", "200", "78", "79", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9", "481.10",
              "481.11", "481.12", "481.13", "481.14", "481.15", "481.16", "481.17", "481.18", "481.19", "481.20",
              "481.21", "481.22", "481.23", "481.24", "481.25")  # fmt: skip
"""Reports and key objects, encapsulated documents, waveforms, protocols, lens measurements, plans and records."""
_SECONDARY = ("7",)
_TILED = ("77.1.6",)
"""Source of these lists: DICOM PS3.4 B.5, PS3.6 Annex A."""

_DERIVED_MODALITIES = frozenset(("SEG", "PR", "RTDOSE", "RTSTRUCT", "REG", "RWV", "FID", "RTSEGANN", "ANN", "M3D"))
_DOCUMENT_MODALITIES = frozenset(
    ("SR", "KO", "DOC", "PLAN", "RTPLAN", "RTRECORD", "RTINTENT", "RTRAD", "ECG", "HD", "EEG", "EMG", "EOG", "RESP",
     "AU", "CTPROTOCOL", "XAPROTOCOL", "SMR", "KER", "LEN", "SRF", "VA", "IOL", "OPV", "BDUS", "PLAN")
)  # fmt: skip

ObjectKind = Literal["image", "secondary", "derived", "document", "directory"]


def file_kind(head: bytes, name: str) -> FileKind:
    """What a file is by its first bytes.

    Args:
        head: At least its first 512 bytes, or all of a shorter file.
        name: Its name; looked at only for MetaImage headers, which are plain text.
    """
    found = content_kind(head)
    if found in ("dicom", "bare dicom"):
        return "dicom"
    for picture in _PICTURES:
        if found == picture:
            return picture
    if found == "NIfTI" or (found is None and head[4:12] in (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")):
        return "nifti"
    if found == "gzip":
        return "nifti" if _packed_nifti(head) else "other"
    if head.startswith(b"NRRD000"):
        return "nrrd"
    if name.lower().endswith((".mha", ".mhd")) and b"NDims" in head[:1024]:
        return "metaimage"
    if _video(head):
        return "video"
    return "unsupported" if found in ("BMP", "WebP", "GIF", "JPEG 2000") else "other"


@lru_cache(1024)
def object_kind(sop_class: str, modality: str, *, rows: int) -> ObjectKind:
    """What a DICOM object is: an image of a patient, a screen shot, something computed from images, or text.

    Args:
        sop_class: SOP Class UID, may be empty.
        modality: DICOM Modality in upper case, decides when the class is missing or private.
        rows: Height of its pixels; 0 for an object without any.
    """
    if sop_class == DIRECTORY:
        return "directory"
    if sop_class.startswith(_ROOT):
        rest = sop_class[len(_ROOT) :]
        if _among(rest, _DERIVED):
            return "derived"
        if _among(rest, _DOCUMENTS):
            return "document"
        if _among(rest, _SECONDARY) and modality not in PROJECTION:
            return "secondary"
    elif modality in _DERIVED_MODALITIES:
        return "derived"
    elif modality in _DOCUMENT_MODALITIES:
        return "document"
    if modality in ("SEG", "PR", "RTSTRUCT"):
        return "derived"
    return "image" if rows else "document"


@lru_cache(1024)
def is_tiled(sop_class: str) -> bool:
    """Whether the frames of the object are tiles of one slide."""
    return sop_class.startswith(_ROOT) and _among(sop_class[len(_ROOT) :], _TILED)


@lru_cache(1024)
def is_image_class(sop_class: str) -> bool:
    """Whether every object of this class has pixels, so that one without is damaged."""
    rest = sop_class.removeprefix(_ROOT)
    return rest != sop_class and not _among(rest, (*_DERIVED, *_DOCUMENTS, "66"))


def _among(rest: str, families: tuple[str, ...]) -> bool:
    return any(rest == family or rest.startswith(f"{family}.") for family in families)


def _packed_nifti(head: bytes) -> bool:
    """Whether a gzip stream holds a NIfTI file."""
    try:
        inner = zlib.decompressobj(31).decompress(head, 352)
    except zlib.error:
        return False
    return inner[344:348] in (b"n+1\0", b"ni1\0") or inner[4:8] in (b"n+2\0", b"ni2\0")


def _video(head: bytes) -> bool:
    """MP4 and its relatives, AVI, Matroska, MPEG program streams."""
    brand = head[4:8] == b"ftyp" and head[8:12] not in (b"heic", b"heix", b"mif1", b"avif", b"msf1", b"jp2 ")
    return (
        brand
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head[:4] in (b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
    )
