"""Stored DICOM values to display grey: one film in many encodings has one grey."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from secondread.imaging.dicom.grey import full_range
from secondread.imaging.dicom.padding import Spread
from secondread.imaging.dicom.voi import Window
from secondread.imaging.load import load

STEP = 1 / 255
Writer = Callable[..., Path]


def item(**values: Any) -> Any:
    from pydicom import Dataset

    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture
def grey(film8: NDArray[np.uint8]) -> NDArray[np.float32]:
    return film8.astype(np.float32) / 255


def test_png_8_bit_and_16_bit_12_bit_dicom_and_monochrome1_agree(
    film8: NDArray[np.uint8], film12: NDArray[np.uint16], grey: Any, write_dicom: Writer, tmp_path: Path
) -> None:
    Image.fromarray(film8).save(tmp_path / "film.png")
    Image.fromarray(film8.astype(np.uint16) * 257).save(tmp_path / "film16.png")
    sources: list[Any] = [
        tmp_path / "film.png",
        tmp_path / "film16.png",
        film8,
        film12,
        write_dicom(film12, "a.dcm"),
        write_dicom(4095 - film12, "b.dcm", PhotometricInterpretation="MONOCHROME1"),
        write_dicom(film12, "c.dcm", WindowCenter=2048, WindowWidth=4096),
        write_dicom(film12 * 16, "d.dcm", bits=16),
        write_dicom(film12, "e.dcm", bits=16),
        write_dicom(film8, "f.dcm", bits=8),
    ]
    for source in sources:
        assert np.abs(load(source).grey - grey).max() <= STEP + 1e-6, source


def test_inversion_comes_after_the_window(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    window = {"WindowCenter": 1000, "WindowWidth": 400}
    plain = load(write_dicom(film12, "a.dcm", **window)).grey
    inverse = load(write_dicom(film12, "b.dcm", PhotometricInterpretation="MONOCHROME1", **window)).grey
    assert 0 < np.mean((plain > 0) & (plain < 1)) < 1
    np.testing.assert_allclose(inverse, 1 - plain, atol=1e-6)


def test_rescale_comes_before_the_window(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    plain = load(write_dicom(film12, "a.dcm", WindowCenter=1000, WindowWidth=400)).grey
    moved = write_dicom(film12, "b.dcm", RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=976, WindowWidth=799)
    np.testing.assert_allclose(load(moved).grey, plain, atol=2e-3)


def test_signed_pixels_agree_with_unsigned(film12: NDArray[np.uint16], grey: Any, write_dicom: Writer) -> None:
    signed = (film12.astype(np.int32) - 2048).astype(np.int16)
    assert np.abs(load(write_dicom(signed)).grey - grey).max() <= STEP
    window = write_dicom(signed, "w.dcm", WindowCenter=0, WindowWidth=4096)
    assert np.abs(load(window).grey - grey).max() <= STEP


def test_first_of_several_windows_is_used(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    one = load(write_dicom(film12, "a.dcm", WindowCenter=1000, WindowWidth=400)).grey
    many = load(write_dicom(film12, "b.dcm", WindowCenter=[1000, 2048], WindowWidth=[400, 4096])).grey
    np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        ("LINEAR", 9.5, 0.5),
        ("LINEAR", 0.0, 0.0),
        ("LINEAR", 19.0, 1.0),
        ("LINEAR_EXACT", 10.0, 0.5),
        ("LINEAR_EXACT", 5.0, 0.25),
        ("SIGMOID", 10.0, 0.5),
        ("SIGMOID", 15.0, 1 / (1 + np.exp(-1))),
    ],
)
def test_window_functions_of_the_standard(function: str, value: float, expected: float) -> None:
    assert Window(10.0, 20.0, function)(np.array([value]))[0] == pytest.approx(expected, abs=1e-6)


def test_voi_lut_is_applied_and_preferred_to_a_window(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    table = np.arange(4095, -1, -1).astype(np.uint16)
    lut = item(LUTDescriptor=[4096, 0, 12], LUTData=table.tolist())
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    found = load(write_dicom(film12, VOILUTSequence=[lut], WindowCenter=10, WindowWidth=20)).grey
    np.testing.assert_allclose(found, 1 - film12 / 4095, atol=1e-6)


def test_modality_lut_replaces_rescale(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    table = (np.arange(4096) // 16).astype(np.uint16)
    lut = item(LUTDescriptor=[4096, 0, 8], LUTData=table.tolist(), ModalityLUTType="US")
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    found = load(write_dicom(film12, ModalityLUTSequence=[lut])).grey
    np.testing.assert_allclose(found, (film12 // 16) / 255, atol=1e-6)


def test_padding_does_not_stretch_the_range_and_is_shown_black(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    signed = (film12.astype(np.int32) - 2048).astype(np.int16)
    padded = signed.copy()
    padded[:, :5] = -30000
    found = load(write_dicom(padded, bits=16, PixelPaddingValue=-30000)).grey
    assert (found[:, :5] == 0).all()
    inner = signed[:, 5:].astype(float)
    np.testing.assert_allclose(found[:, 5:], (inner - inner.min()) / np.ptp(inner), atol=1e-5)


def test_padding_is_black_under_monochrome1_too(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    pixels = np.clip(film12, 1, None)
    pixels[:, :5] = 0
    path = write_dicom(pixels, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1")
    assert (load(path).grey[:, :5] == 0).all()


def test_rle_decodes_to_the_same_image(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    from pydicom.uid import RLELossless

    plain, packed = load(write_dicom(film12, "a.dcm")), load(write_dicom(film12, "b.dcm", compress=RLELossless))
    np.testing.assert_array_equal(plain.grey, packed.grey)
    assert plain.info.ref.id == packed.info.ref.id


def test_a_window_that_shows_nothing_is_passed_over(film12: NDArray[np.uint16], grey: Any, write_dicom: Writer) -> None:
    found = load(write_dicom(film12, WindowCenter=60000, WindowWidth=10))
    assert np.abs(found.grey - grey).max() <= STEP
    assert any("no contrast" in caveat for caveat in found.info.caveats)


def test_colour_is_told_from_grey_in_three_channels(film8: NDArray[np.uint8], grey: Any, write_dicom: Writer) -> None:
    same = load(write_dicom(np.repeat(film8[..., None], 3, -1), "a.dcm", bits=8, PhotometricInterpretation="RGB"))
    assert not same.info.colour
    assert np.abs(same.grey - grey).max() <= STEP
    tinted = np.stack([film8, film8 // 2, film8 // 3], -1)
    assert load(write_dicom(tinted, "b.dcm", bits=8, PhotometricInterpretation="RGB")).info.colour


def test_several_frames_give_the_first_and_a_caveat(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    found = load(write_dicom(np.stack([film12, film12 // 2]), NumberOfFrames=2))
    np.testing.assert_allclose(found.grey, film12 / 4095, atol=1e-6)
    assert found.info.frames == 2
    assert any("only the first" in caveat for caveat in found.info.caveats)


def test_pixels_that_use_few_of_their_bits_are_scaled_to_those() -> None:
    def found(pixels: Any, bits: int) -> tuple[float, float]:
        return full_range(Spread(pixels, None), pixels.dtype, bits)

    assert found(np.array([0, 4000], np.uint16), 16) == (0.0, 4095.0)
    assert found(np.array([100, 2000], np.uint16), 12) == (0.0, 4095.0)
    assert found(np.array([-1000, 3000], np.int16), 16) == (-1000.0, 3000.0)
