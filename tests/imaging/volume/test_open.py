"""What a file is decides how it is opened, and what is no volume is refused by what it is."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from secondread.imaging.volume.open import open_volume
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage

Writer = Callable[..., Path]


def test_content_decides_not_the_extension(write_nifti: Writer, tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    zipped = write_nifti(array, np.eye(4), "a.nii.gz")
    for name in ("scan.nii", "scan.mha", "scan"):
        path = tmp_path / name
        path.write_bytes(zipped.read_bytes())
        np.testing.assert_array_equal(open_volume(path).stored, array)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (bytes(128) + b"DICM" + bytes(200), UnsupportedImage, "is a DICOM file, not a volume file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), UnsupportedImage, "not a volume but a PNG file"),
        (b"%PDF-1.7" + bytes(100), UnsupportedImage, "not a volume but a PDF file"),
        (b"PK\x03\x04" + bytes(100), UnsupportedImage, "not a volume but a ZIP file"),
        (gzip.compress(b"hello" * 50, mtime=0), UnreadableImage, "not a volume file"),
        (b"hello" * 50, UnreadableImage, "not a volume file"),
        (b"\x1f\x8b" + bytes(100), UnreadableImage, "gzip"),
        (b"x", UnreadableImage, "not a volume file"),
        (b"", UnreadableImage, "is empty"),
    ],
)
def test_other_content_is_refused_by_what_it_is(
    tmp_path: Path, data: bytes, error: type[Exception], words: str
) -> None:
    path = tmp_path / "scan.nii"
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(error, match=words) as raised:
            open_volume(source, "scan.nii")
        assert str(raised.value).startswith("scan.nii")


def test_paths_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="does not exist"):
        open_volume(tmp_path / "missing.nii")
    with pytest.raises(UnreadableImage, match="is a folder"):
        open_volume(tmp_path)
    with pytest.raises(SecondReadError):
        open_volume("bad\0name.nii")


@pytest.mark.parametrize("unprintable", ["a\x1b[31m.nii", "a\n.nii"])
def test_names_are_shown_without_control_characters(tmp_path: Path, unprintable: str) -> None:
    path = tmp_path / unprintable
    path.write_bytes(b"hello" * 50)
    with pytest.raises(UnreadableImage) as raised:
        open_volume(path)
    assert str(raised.value).isprintable()
