"""Written names are found and painted over; side letters, anatomy and text-free pixels stay as they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from secondread.imaging.identity import burned_in
from secondread.imaging.identity.burned_in import FoundText, caveats, find_text, painted_over
from secondread.imaging.identity.deidentify import deidentify
from secondread.schema.errors import ToolUnavailable

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def ocr() -> None:
    pytest.importorskip("rapidocr", reason="extra `ocr` is not installed")
    pytest.importorskip("onnxruntime", reason="extra `ocr` is not installed")


@pytest.fixture
def ground() -> NDArray[np.float32]:
    """A smooth picture without text."""
    y, x = np.mgrid[0:300, 0:400]
    return (0.4 + 0.2 * np.sin(x / 90) * np.cos(y / 70)).astype(np.float32)


def write(grey: NDArray[np.float32], words: str, at: tuple[int, int], size: int = 24, ink: float = 0.95) -> Any:
    """The picture with a line on it, and where its ink is."""
    from PIL import Image, ImageDraw, ImageFont

    layer = Image.new("L", (grey.shape[1], grey.shape[0]), 0)
    ImageDraw.Draw(layer).text(at, words, font=ImageFont.load_default(size=size), fill=255)
    mask = np.asarray(layer, dtype=np.float32) / 255
    return (grey * (1 - mask) + ink * mask).astype(np.float32), mask > 0.5


@pytest.mark.parametrize(("size", "ink"), [(16, 0.95), (24, 0.0), (40, 0.75)])
def test_a_name_is_found_where_it_stands(ocr: None, ground: NDArray[np.float32], size: int, ink: float) -> None:
    picture, written = write(ground, "DOE JANE 1961-04-12", (30, 200), size, ink)
    found = find_text(picture)
    assert {item.kind for item in found} == {"text"}
    covered = painted_over(np.zeros(picture.shape), found, 1.0)
    assert covered[written].mean() > 0.95
    assert covered.mean() < 0.2
    assert caveats(found)[0].startswith("Text is burned in") and "DOE" not in f"{caveats(found)} {found}"


def test_a_side_letter_is_a_marker_and_stays(ocr: None, ground: NDArray[np.float32]) -> None:
    picture, _ = write(ground, "R", (40, 40), 40)
    found = find_text(picture)
    assert [item.kind for item in found] == ["marker"]
    assert not caveats(found)
    assert (painted_over(picture, found, 0.0) == picture).all()


def test_a_picture_without_text_raises_no_alarm(ocr: None, ground: NDArray[np.float32]) -> None:
    from secondread.imaging.load import load

    assert not find_text(ground)
    assert [item.kind for item in find_text(load(EXAMPLES / "chest.dcm").grey)] == ["marker"]  # its R
    assert not find_text(np.zeros((4, 4), np.float32))


def test_boxes_grow_a_little_and_stop_at_the_border() -> None:
    pixels = np.ones((20, 30), np.int16)
    box = FoundText(x0=25.5, y0=-0.5, x1=29.5, y1=9.5, kind="text", score=0.9, letters=5)
    done = painted_over(pixels, [box], -7)
    assert (done[:11, 25:] == -7).all()
    assert (done[14:] == 1).all() and (done[:, :22] == 1).all()
    assert (pixels == 1).all()


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(burned_in, "find_spec", lambda name: None)
    with pytest.raises(ToolUnavailable, match=r"secondread\[ocr\]"):
        find_text(np.zeros((20, 20), np.float32))
    with pytest.raises(ToolUnavailable):
        deidentify(EXAMPLES / "chest.dcm", tmp_path / "out", text_in_pixels="mask")
    assert not list((tmp_path / "out").iterdir())


def test_the_loader_repeats_what_the_header_says_of_its_pixels(
    film12: NDArray[np.uint16], write_dicom: Callable[..., Path]
) -> None:
    from secondread.imaging.load import load

    told = "The header says that identifying text is burned into the pixels."
    assert told in load(write_dicom(film12, BurnedInAnnotation="YES")).info.caveats
    assert told not in load(write_dicom(film12, BurnedInAnnotation="NO")).info.caveats


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_masking_a_film_removes_the_words_and_nothing_else(
    ocr: None, ground: NDArray[np.float32], write_dicom: Callable[..., Path], tmp_path: Path, photometric: str
) -> None:
    picture, written = write(ground, "DOE JANE 4711", (60, 120))
    shown = picture if photometric == "MONOCHROME2" else 1 - picture
    stored = np.rint(shown * 4000).astype(np.uint16)
    path = write_dicom(stored, PhotometricInterpretation=photometric, BurnedInAnnotation="YES", PatientID="a")
    warned = deidentify(path, tmp_path / "warn", text_in_pixels="warn")
    assert warned.warnings[0].reason == "Its pixels show text in one place."
    (clean,) = (pydicom.dcmread(p) for p in deidentify(path, tmp_path / "mask", text_in_pixels="mask").written)
    pixels = clean.pixel_array
    fill = stored.max() if photometric == "MONOCHROME1" else stored.min()
    assert (pixels[written] == fill).mean() > 0.95
    far = np.ones(stored.shape, bool)
    far[100:170, 40:300] = False
    assert (pixels == stored)[far].all()
    assert clean.BurnedInAnnotation == "NO"
    assert "113101" in {item.CodeValue for item in clean.DeidentificationMethodCodeSequence}


def test_masking_a_film_without_words_keeps_its_bytes(
    ocr: None, write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    stored = np.rint(np.linspace(0, 4000, 200 * 200).reshape(200, 200)).astype(np.uint16)
    path = write_dicom(stored, PatientID="a", compress="1.2.840.10008.1.2.4.90")
    (clean,) = (pydicom.dcmread(p) for p in deidentify(path, tmp_path / "o", text_in_pixels="mask").written)
    assert clean.PixelData == pydicom.dcmread(path).PixelData
    assert clean.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"


def test_every_frame_of_a_colour_clip_is_masked(
    ocr: None, ground: NDArray[np.float32], write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    picture, written = write(ground, "ST MARY HOSPITAL", (60, 20))
    frames = np.stack([np.rint(picture * 250).astype(np.uint8)] * 3)
    frames[1, 200:, :] = 10
    clip = np.repeat(frames[..., None], 3, axis=-1)
    path = write_dicom(clip[0], bits=8, PhotometricInterpretation="RGB", PatientID="a", Modality="US")
    ds = pydicom.dcmread(path)
    ds.NumberOfFrames, ds.PixelData = 3, clip.tobytes()
    ds.save_as(path)
    (clean,) = (pydicom.dcmread(p) for p in deidentify(path, tmp_path / "o", text_in_pixels="mask").written)
    pixels = clean.pixel_array
    assert pixels.shape == clip.shape
    assert (pixels[:, written] == clip.min()).mean() > 0.95
    assert (pixels[:, 150:] == clip[:, 150:]).all()
