"""Files by content, objects by class."""

import gzip
import struct

import pytest

from secondread.imaging.study.kinds import file_kind, is_image_class, object_kind

NIFTI = struct.pack("<i", 348) + bytes(340) + b"n+1\0"
NIFTI2 = struct.pack("<i", 540) + b"n+2\0\r\n\x1a\n" + bytes(528)


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (bytes(128) + b"DICM" + bytes(8), "x", "dicom"),
        (b"\x08\x00\x05\x00\x0a\0\0\0ISO_IR 100", "x", "dicom"),
        (b"\x89PNG\r\n\x1a\n", "x.dcm", "png"),
        (b"\xff\xd8\xff\xe0", "x", "jpeg"),
        (b"II*\0", "x", "tiff"),
        (NIFTI, "x", "nifti"),
        (NIFTI2, "x", "nifti"),
        (gzip.compress(NIFTI + bytes(2000), mtime=0), "x.bin", "nifti"),
        (gzip.compress(NIFTI2 + bytes(2000), mtime=0), "x.nii.gz", "nifti"),
        (gzip.compress(b"text" * 200, mtime=0), "x.nii.gz", "other"),
        (b"\x1f\x8b" + bytes(20), "x.nii.gz", "other"),
        (b"NRRD0005\n", "x", "nrrd"),
        (b"ObjectType = Image\nNDims = 3", "x.mhd", "metaimage"),
        (b"ObjectType = Image\nNDims = 3", "x.txt", "other"),
        (b"\0\0\0\x20ftypisom", "x", "video"),
        (b"\0\0\0\x20ftypheic", "x", "other"),
        (b"RIFF\0\0\0\0AVI LIST", "x", "video"),
        (b"\x1a\x45\xdf\xa3", "x", "video"),
        (b"GIF89a", "x", "unsupported"),
        (b"PK\x03\x04", "x", "other"),
        (b"%PDF-1.7", "x.dcm", "other"),
        (b"hello", "x.dcm", "other"),
        (b"", "x", "other"),
    ],
)
def test_files_are_told_by_content(head: bytes, name: str, kind: str) -> None:
    assert file_kind(head, name) == kind


@pytest.mark.parametrize(
    ("sop_class", "modality", "rows", "kind"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "CT", 4, "image"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "CT", 4, "derived"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "SEG", 4, "derived"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PR", 0, "derived"),
        ("1.2.840.10008.5.1.4.1.1.88.11", "SR", 0, "document"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", 0, "document"),
        ("1.2.840.10008.5.1.4.1.1.7", "OT", 4, "secondary"),
        ("1.2.840.10008.5.1.4.1.1.7", "CR", 4, "image"),
        ("1.2.840.10008.5.1.4.1.1.77.1.6", "SM", 4, "image"),
        ("1.2.840.10008.5.1.4.1.1.481.1", "RTIMAGE", 4, "image"),
        ("1.2.3.4.5", "SEG", 4, "derived"),
        ("", "SR", 0, "document"),
        ("", "", 4, "image"),
        ("1.2.3.4.5", "", 0, "document"),
        ("1.2.840.10008.1.3.10", "", 0, "directory"),
    ],
)
def test_objects_are_told_by_class_and_then_by_modality(sop_class: str, modality: str, rows: int, kind: str) -> None:
    assert object_kind(sop_class, modality, rows=rows) == kind


def test_an_image_class_has_pixels_and_a_report_has_none() -> None:
    assert is_image_class("1.2.840.10008.5.1.4.1.1.2")
    assert not is_image_class("1.2.840.10008.5.1.4.1.1.88.11")
    assert not is_image_class("1.2.3")


def test_every_storage_class_that_pydicom_knows_has_the_kind_its_name_says() -> None:
    from pydicom.uid import UID_dictionary

    words = {
        "Segmentation Storage": "derived", "Presentation State": "derived", " SR": "document", "Waveform": "document",
        "Encapsulated": "document", "Structure Set": "derived", "RT Plan Storage": "document",
        "Dose Storage": "derived",
        "CT Image": "image", "MR Image": "image", "X-Ray Image": "image", "Ultrasound Image": "image",
        "Secondary Capture": "secondary",
    }  # fmt: skip
    checked = 0
    for uid, (name, kind, _, retired, *_) in UID_dictionary.items():
        if "Storage" not in name or kind != "SOP Class" or retired or not uid.startswith("1.2.840.10008.5.1.4.1.1."):
            continue
        for word, expected in words.items():
            if word in name:
                assert object_kind(uid, "", rows=4) == expected, name
                checked += 1
                break
    assert checked > 60
