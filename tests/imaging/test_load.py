"""What `load` accepts, by content, and the one clear error for everything else."""

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from secondread.imaging.load import load
from secondread.schema.errors import SecondReadError, UnreadableImage, UnsupportedImage, UsageError

Film = NDArray[np.uint8]


def encoded(picture: Any, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_files_bytes_and_pictures_give_the_same_grey(film8: Film, tmp_path: Path, kind: str) -> None:
    data = encoded(film8, kind)
    (tmp_path / f"film.{kind.lower()}").write_bytes(data)
    from_file, from_bytes = load(tmp_path / f"film.{kind.lower()}"), load(data)
    np.testing.assert_array_equal(from_file.grey, from_bytes.grey)
    np.testing.assert_array_equal(from_file.grey, load(Image.open(io.BytesIO(data))).grey)
    assert from_file.info.source_format == kind.lower()
    assert from_file.info.caveats == ()
    assert np.abs(from_file.grey - film8 / 255).mean() <= (0.01 if kind == "JPEG" else 1e-6)


def test_grey_is_read_only_float32_in_the_unit_range(film8: Film) -> None:
    grey = load(film8).grey
    assert grey.dtype == np.float32
    assert (grey.min(), grey.max()) == (0.0, 1.0)
    with pytest.raises(ValueError, match="read-only"):
        grey[0, 0] = 1


def test_a_wrong_extension_is_a_caveat(film8: Film, tmp_path: Path, write_dicom: Callable[..., Path]) -> None:
    (tmp_path / "film.dcm").write_bytes(encoded(film8, "PNG"))
    assert load(tmp_path / "film.dcm").info.caveats == ("The file name says dicom, but the content is png.",)
    dicom = write_dicom(film8, "film.jpg", bits=8)
    assert load(dicom).info.caveats == ("The file name says jpeg, but the content is dicom.",)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGB", "RGBA", "I;16", "CMYK"])
def test_png_and_tiff_modes(film8: Film, mode: str) -> None:
    wide = Image.fromarray(film8.astype(np.uint16) * 257)
    picture = wide if mode == "I;16" else Image.fromarray(film8).convert(mode)
    found = load(encoded(picture, "TIFF" if mode == "CMYK" else "PNG"))
    assert not found.info.colour
    if mode != "1":
        assert np.abs(found.grey - film8 / 255).max() <= 0.011
    else:
        assert set(np.unique(found.grey)) == {0.0, 1.0}


def test_white_is_zero_tiff_is_inverted_at_16_bits(film8: Film) -> None:
    wide = film8.astype(np.uint16) * 257
    found = load(encoded(Image.fromarray(65535 - wide), "TIFF", tiffinfo={262: 0}))
    assert np.abs(found.grey - film8 / 255).max() <= 1e-4


def test_colour_photograph_is_marked(film8: Film) -> None:
    tinted = np.stack([film8, film8 // 2, film8 // 3], -1)
    assert load(encoded(tinted, "PNG")).info.colour
    assert not load(encoded(np.repeat(film8[..., None], 3, -1), "JPEG")).info.colour


def test_transparent_pixels_are_shown_over_black(film8: Film) -> None:
    opacity = np.full_like(film8, 255)
    opacity[:10] = 0
    found = load(encoded(np.dstack([film8, film8, film8, opacity]), "PNG"))
    assert (found.grey[:10] == 0).all()
    np.testing.assert_allclose(found.grey[10:], film8[10:] / 255, atol=1e-6)
    assert any("transparent" in caveat for caveat in found.info.caveats)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(film8: Film, orientation: int) -> None:
    picture = Image.fromarray(film8)
    exif = picture.getexif()
    exif[0x0112] = orientation
    data = encoded(picture, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))) / 255
    np.testing.assert_allclose(load(data).grey, expected, atol=1e-6)


def test_first_page_of_several(film8: Film) -> None:
    data = encoded(film8, "TIFF", save_all=True, append_images=[Image.fromarray(255 - film8)])
    found = load(data)
    np.testing.assert_allclose(found.grey, film8 / 255, atol=1e-6)
    assert found.info.frames == 2
    assert any("only the first" in caveat for caveat in found.info.caveats)


def test_one_pixel_loads() -> None:
    assert load(encoded(np.array([[7]], np.uint8), "PNG")).grey.shape == (1, 1)


def png_header(columns: int, rows: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", UnreadableImage, "is empty"),
        (b"hello, this is a letter\n" * 20, UnreadableImage, "not an image"),
        (b"\x89PNG\r\n\x1a\n", UnreadableImage, "damaged"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, UnreadableImage, "damaged"),
        (b"II*\0" + b"\0" * 50, UnreadableImage, "damaged"),
        (b"\0" * 128 + b"DICM", UnreadableImage, "truncated"),
        (b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0", UnreadableImage, "truncated|damaged"),
        (b"\x08\0\x05\0garbage that is not a data set", UnreadableImage, "not an image"),
        (os.urandom(4096).replace(b"\x08", b"x").replace(b"\x02", b"x"), UnreadableImage, "not an image"),
        (b"GIF89a" + b"\0" * 50, UnsupportedImage, "GIF"),
        (b"%PDF-1.7", UnsupportedImage, "PDF"),
        (png_header(20000, 100), UnsupportedImage, "20000 pixels wide is above the limit"),
        (png_header(100, 20000), UnsupportedImage, "20000 pixels high is above the limit"),
        (png_header(16000, 16000), UnsupportedImage, "100 megapixels"),
        (png_header(100, 100), UnreadableImage, "truncated|damaged"),
    ],
)
def test_bad_content_is_one_typed_error_that_names_the_file(
    tmp_path: Path, content: bytes, error: type[SecondReadError], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_files_are_unreadable(film8: Film, tmp_path: Path, kind: str, share: float) -> None:
    noisy = np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8)
    data = encoded(noisy, kind)
    path = tmp_path / "film"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableImage, match=r"truncated|damaged"):
        load(path)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.99])
def test_truncated_dicom_is_one_typed_error(film12: Any, write_dicom: Callable[..., Path], share: float) -> None:
    path = write_dicom(film12)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises((UnreadableImage, UnsupportedImage), match=r"truncated|damaged"):
        load(path)


def test_missing_folder_and_device(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="does not exist"):
        load(tmp_path / "absent.png")
    with pytest.raises(UnreadableImage, match="is a folder"):
        load(tmp_path)
    with pytest.raises(UnreadableImage, match="not a regular file"):
        load("/dev/null")
    with pytest.raises(UnreadableImage):
        load("x" * 5000)
    with pytest.raises(UnreadableImage):
        load("a\0b")


def test_a_name_with_control_characters_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage) as caught:
        load(tmp_path / "a\n\x1b[31mb.png")
    assert str(caught.value).isprintable()


def test_dicom_without_pixels_names_its_class(film12: Any, write_dicom: Callable[..., Path]) -> None:
    import pydicom

    path = write_dicom(film12)
    ds = pydicom.dcmread(path)
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(ds, keyword)
    ds.save_as(path)
    with pytest.raises(UnsupportedImage, match=r"without pixels \(Digital X-Ray Image Storage"):
        load(path)


def test_dicom_of_too_many_pixels_is_refused_before_decoding(film12: Any, write_dicom: Callable[..., Path]) -> None:
    path = write_dicom(film12, Rows=10, Columns=20000)
    with pytest.raises(UnsupportedImage, match="20000 pixels wide"):
        load(path)


def test_dicom_in_an_unknown_transfer_syntax_names_it(film12: Any, write_dicom: Callable[..., Path]) -> None:
    import pydicom

    path = write_dicom(film12)
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.55"
    ds["PixelData"].is_undefined_length = True
    ds.PixelData = pydicom.encaps.encapsulate([ds.PixelData])
    ds.save_as(path)
    with pytest.raises(UnsupportedImage, match="JPEG Full Progression"):
        load(path)


@pytest.mark.parametrize("part", ["preamble", "meta", "transfer syntax"])
def test_dicom_without_its_head_is_read_with_a_caveat(film12: Any, write_dicom: Callable[..., Path], part: str) -> None:
    import pydicom

    path = write_dicom(film12)
    whole = load(path)
    if part == "preamble":
        path.write_bytes(path.read_bytes()[132:])
    else:
        ds = pydicom.dcmread(path)
        if part == "meta":
            ds.file_meta = pydicom.dataset.FileMetaDataset()
        else:
            del ds.file_meta.TransferSyntaxUID
        preamble = part == "transfer syntax"
        ds.preamble = b"\0" * 128 if preamble else None
        ds.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=False)
    found = load(path)
    np.testing.assert_array_equal(found.grey, whole.grey)
    assert found.info.ref.id == whole.info.ref.id
    assert found.info.caveats


@pytest.mark.parametrize("wrong", [42, None, ["a.png"], {"a": 1}])
def test_other_types_are_usage_errors(wrong: Any) -> None:
    with pytest.raises(UsageError):
        load(wrong)


def test_importing_the_loader_is_light() -> None:
    code = "import sys, secondread.imaging.load; print({'torch', 'pydicom', 'PIL', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
