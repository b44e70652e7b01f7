"""Stored DICOM values to display grey: one film in many encodings has one grey."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.dicom.grey import display_grey, full_range
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


def by_the_book(stored: Any, slope: float, intercept: float, window: Window, *, inverse: bool) -> Any:
    """The steps of the standard one after the other in double precision. Source: PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    x, c, w = stored.astype(np.float64) * slope + intercept, window.center, window.width
    if window.function == "SIGMOID":
        grey = 1 / (1 + np.exp(-4 * (x - c) / w))
    elif window.function == "LINEAR_EXACT":
        grey = np.clip((x - c) / w + 0.5, 0, 1)
    elif w <= 1:
        grey = (x > c - 0.5).astype(np.float64)
    else:
        grey = np.clip((x - (c - 0.5)) / (w - 1) + 0.5, 0, 1)
    return 1 - grey if inverse else grey


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32]),
    st.sampled_from([1.0, -1.0, 0.5, 2.0, 0.0125]),
    st.sampled_from([0.0, -1024.0, 7.25]),
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    st.floats(1, 3),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_every_path_to_grey_follows_the_book(
    dtype: Any, slope: float, intercept: float, function: str, share: float, inverse: bool, seed: int
) -> None:
    from pydicom import Dataset

    limits = np.iinfo(dtype)
    stored = np.random.default_rng(seed).integers(limits.min // 3, limits.max // 2, (8, 9)).astype(dtype)
    values = stored.astype(np.float64) * slope + intercept
    ds = Dataset()
    ds.PhotometricInterpretation = "MONOCHROME1" if inverse else "MONOCHROME2"
    ds.RescaleSlope, ds.RescaleIntercept, ds.VOILUTFunction = slope, intercept, function
    width = max(float(f"{np.ptp(values) / share:.6g}"), 2.0)
    centre = float(f"{values.mean():.6g}")
    ds.WindowCenter, ds.WindowWidth = centre, width
    grey, caveats = display_grey(ds, stored, limits.bits)
    window = Window(centre, width, function)
    np.testing.assert_allclose(grey, by_the_book(stored, slope, intercept, window, inverse=inverse), atol=2e-4)
    assert grey.dtype == np.float32
    assert caveats == []


def test_a_linear_window_of_width_one_is_a_step(write_dicom: Writer) -> None:
    pixels = np.array([[98, 99], [100, 101]], np.uint16)
    assert load(write_dicom(pixels, WindowCenter=100, WindowWidth=1)).grey.tolist() == [[0, 0], [1, 1]]


def test_a_sigmoid_is_inverted_after_it_was_drawn(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"}
    plain = load(write_dicom(film12, "a.dcm", **window)).grey
    inverse = load(write_dicom(film12, "b.dcm", PhotometricInterpretation="MONOCHROME1", **window)).grey
    np.testing.assert_allclose(inverse, 1 - plain, atol=1e-6)
    assert plain[0, 0] == pytest.approx(1 / (1 + np.exp(8)), abs=1e-6)


def test_every_window_is_listed_and_the_first_is_the_default(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    path = write_dicom(film12, WindowCenter=[1000, 2048, 5], WindowWidth=[400, 4096, -1])
    assert open_dicom(path).windows() == [(1000, 400), (2048, 4096)]


@pytest.mark.parametrize(
    "header",
    [
        {"RescaleSlope": "NaN", "RescaleIntercept": -1024},
        {"RescaleSlope": "0", "RescaleIntercept": -1024},
        {"RescaleSlope": 1, "RescaleIntercept": "inf"},
        {"RescaleSlope": "1e300", "RescaleIntercept": 0},
    ],
)
def test_a_rescale_that_is_no_number_is_ignored_whole_with_a_caveat(
    film12: NDArray[np.uint16], grey: Any, write_dicom: Writer, header: dict[str, Any]
) -> None:
    path = write_dicom(film12)
    import pydicom

    ds = pydicom.dcmread(path)
    for keyword, value in header.items():
        ds.add(pydicom.DataElement(keyword, "DS", value, validation_mode=0))
    ds.save_as(path)
    found = load(path)
    assert np.abs(found.grey - grey).max() <= STEP
    assert any("rescale" in caveat for caveat in found.info.caveats)
    assert open_dicom(path).rescale() == (1, 0)


@pytest.mark.parametrize(
    ("values", "padding", "limit"),
    [
        ([-2000], -2000, None),
        ([-2000], 63536, None),  # the same bits, read as unsigned
        ([-2000, -1990, -1995], -2000, -1990),
        ([-2000, -1990, -1995], -1990, -2000),
    ],
)
def test_padding_of_signed_pixels_and_ranges_of_it(
    film12: NDArray[np.uint16], write_dicom: Writer, values: list[int], padding: int, limit: int | None
) -> None:
    import struct

    signed = (film12.astype(np.int32) // 4 - 500).astype(np.int16)
    padded = signed.copy()
    padded[:6, :] = np.resize(values, padded[:6, :].shape)
    path = write_dicom(padded, bits=16, PixelPaddingValue=-7)
    import pydicom

    ds = pydicom.dcmread(path)
    ds["PixelPaddingValue"].VR = "SS" if padding < 0 else "US"
    ds.PixelPaddingValue = padding
    if limit is not None:
        ds.add_new("PixelPaddingRangeLimit", "SS", limit)
    ds.save_as(path)
    assert struct.pack("<H", padding & 0xFFFF) in path.read_bytes()
    found = load(path).grey
    assert (found[:6] == 0).all()
    inner = signed[6:].astype(float)
    np.testing.assert_allclose(found[6:], (inner - inner.min()) / np.ptp(inner), atol=1e-5)


def test_fractional_padding_is_left_out(build: Callable[..., bytes]) -> None:
    values = np.array([[0.25, -1e10], [0.5, 0.75]], np.float32)
    found = open_dicom(build(values, FloatPixelPaddingValue=-1e10)).grey()
    np.testing.assert_allclose(found, [[0, 0], [0.5, 1]], atol=1e-6)


def test_a_few_outliers_do_not_hide_the_rest() -> None:
    pixels = np.random.default_rng(0).normal(0, 100, (300, 300)).astype(np.int16)
    pixels[0, 0], pixels[5, 5] = -30000, 30000
    low, high = full_range(Spread(pixels, None), pixels.dtype, 16)
    assert -420 < low < -250
    assert 250 < high < 420
    expected = np.quantile(pixels, (0.0005, 0.9995))
    np.testing.assert_allclose((low, high), expected, atol=2)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.float32]), st.integers(0, 2**32))
def test_the_spread_of_what_is_not_padding(dtype: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    stored = random.integers(-100 if np.dtype(dtype).kind != "u" else 0, 100, (7, 9)).astype(dtype)
    padded = random.random((7, 9)) > 0.5
    padded[3, 3] = False
    assert Spread(stored, padded).ends() == (stored[~padded].min(), stored[~padded].max())
    assert Spread(stored, None).ends() == (stored.min(), stored.max())


def test_presentation_shape_that_contradicts_is_a_caveat(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    found = load(write_dicom(film12, PresentationLUTShape="INVERSE"))
    assert any("Presentation LUT Shape" in caveat for caveat in found.info.caveats)
    agreeing = write_dicom(film12, "b.dcm", PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1")
    assert not load(agreeing).info.caveats


@pytest.mark.parametrize("broken", [{"LUTDescriptor": [4096, 0]}, {"LUTDescriptor": [4096, 0, 40]}, {"LUTData": None}])
def test_a_table_that_is_malformed_is_passed_over(
    film12: NDArray[np.uint16], grey: Any, write_dicom: Writer, broken: dict[str, Any]
) -> None:
    lut = item(LUTDescriptor=[4096, 0, 12], LUTData=list(range(4096)))
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    for keyword, value in broken.items():
        if value is None:
            delattr(lut, keyword)
        else:
            lut[keyword].value = value
    found = load(write_dicom(film12, ModalityLUTSequence=[lut]))
    assert np.abs(found.grey - grey).max() <= STEP
    assert any("modality LUT" in caveat for caveat in found.info.caveats)
    assert np.abs(load(write_dicom(film12, "v.dcm", VOILUTSequence=[lut])).grey - grey).max() <= STEP
