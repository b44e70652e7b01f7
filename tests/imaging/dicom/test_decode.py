"""Bytes to stored values: byte orders, colour layouts, bits that are no part of a value, and each transfer syntax."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.dicom.file import open_dicom
from secondread.schema.errors import UnreadableImage, UnsupportedImage

Build = Callable[..., bytes]
IMPLICIT, BIG, DEFLATED, ENCAPSULATED = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1.98",
)  # fmt: skip
RLE, JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


def noise(dtype: Any, shape: tuple[int, ...], low: int | None = None, high: int | None = None) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    ends = limits.min if low is None else low, (limits.max if high is None else high) + 1
    return np.random.default_rng(3).integers(*ends, shape, np.int64).astype(dtype)


@pytest.mark.parametrize("syntax", [None, IMPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_plain_pixels_of_every_depth_and_byte_order(build: Build, syntax: str | None, dtype: Any) -> None:
    pixels = noise(dtype, (2, 5, 3))
    file = open_dicom(build(pixels, **({"syntax": syntax} if syntax else {})))
    for frame in range(2):
        np.testing.assert_array_equal(file.stored(frame), pixels[frame])
        assert file.stored(frame).dtype == dtype
        assert file.stored(frame).dtype.isnative


@pytest.mark.parametrize("syntax", [RLE, JPEG_LS, JPEG_2000])
@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 12), (np.uint16, 16), (np.int16, 16)])
def test_lossless_syntaxes_give_back_what_was_stored(build: Build, syntax: str, dtype: Any, bits: int) -> None:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype == np.int16 else (0, 2**bits - 1)
    pixels = noise(dtype, (3, 32, 40), low, high)
    file = open_dicom(build(pixels, bits=bits, compress=syntax))
    assert file.frames == 3
    for frame in range(3):
        np.testing.assert_array_equal(file.stored(frame), pixels[frame])


@pytest.mark.parametrize("syntax", [RLE, JPEG_LS, JPEG_2000])
def test_colours_survive_lossless_syntaxes(build: Build, syntax: str) -> None:
    pixels = noise(np.uint8, (32, 40, 3))
    np.testing.assert_array_equal(open_dicom(build(pixels, samples=3, compress=syntax)).stored(), pixels)


def test_colour_by_plane_is_colour_by_pixel(build: Build) -> None:
    pixels = noise(np.uint8, (4, 6, 3))
    planes = build(pixels, samples=3, raw=pixels.transpose(2, 0, 1).tobytes(), PlanarConfiguration=1)
    np.testing.assert_array_equal(open_dicom(planes).stored(), pixels)
    assert not np.array_equal(open_dicom(build(pixels, samples=3, PlanarConfiguration=1)).stored(), pixels)


@pytest.mark.parametrize(
    ("ybr", "rgb"),
    [
        ((0, 128, 128), (0, 0, 0)),
        ((255, 128, 128), (255, 255, 255)),
        ((76, 85, 255), (254, 0, 0)),
        ((29, 255, 107), (0, 0, 254)),
    ],
)
def test_ybr_full_becomes_rgb(build: Build, ybr: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    pixels = np.tile(np.array(ybr, np.uint8), (2, 2, 1))
    file = open_dicom(build(pixels, samples=3, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(file.stored().astype(int) - np.array(rgb)).max() <= 1


def test_halved_colours_are_shared_by_neighbours(build: Build) -> None:
    raw = bytes([10, 200, 128, 128, 76, 76, 85, 255])  # two lumas, blue, red: a grey pair, a red pair
    pixels = np.zeros((2, 2, 3), np.uint8)
    stored = open_dicom(build(pixels, samples=3, raw=raw, PhotometricInterpretation="YBR_FULL_422")).stored()
    assert stored[0].tolist() == [[10, 10, 10], [200, 200, 200]]
    assert np.abs(stored[1].astype(int) - [254, 0, 0]).max() <= 1


def test_partial_range_lumas_reach_black_and_white(build: Build) -> None:
    raw = bytes([16, 235, 128, 128])
    stored = open_dicom(
        build(np.zeros((1, 2, 3), np.uint8), samples=3, raw=raw, PhotometricInterpretation="YBR_PARTIAL_422")
    ).stored()
    assert stored.tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("wrong", ["HSV", "ARGB", "CMYK"])
def test_retired_colour_spaces_are_refused_by_name(build: Build, wrong: str) -> None:
    with pytest.raises(UnsupportedImage, match=wrong):
        open_dicom(build(noise(np.uint8, (4, 4, 3)), samples=3, PhotometricInterpretation=wrong)).stored()


@pytest.mark.parametrize("compress", [None, RLE])
def test_what_lies_above_the_stored_bits_is_no_part_of_the_value(build: Build, compress: str | None) -> None:
    values = noise(np.uint16, (6, 8), 0, 4095)
    dirty = values | (noise(np.uint16, (6, 8), 0, 15) << 12).astype(np.uint16)
    header: dict[str, Any] = {"compress": compress} if compress else {}
    np.testing.assert_array_equal(open_dicom(build(dirty, bits=12, **header)).stored(), values)


@pytest.mark.parametrize("compress", [None, RLE])
def test_the_sign_is_that_of_the_highest_stored_bit(build: Build, compress: str | None) -> None:
    values = noise(np.int16, (6, 8), -2048, 2047)
    masked = (values.astype(np.int32) & 0xFFF).astype(np.int16)
    header: dict[str, Any] = {"compress": compress} if compress else {}
    np.testing.assert_array_equal(open_dicom(build(masked, bits=12, **header)).stored(), values)


def test_values_in_the_high_bits_are_moved_down(build: Build) -> None:
    values = noise(np.uint16, (6, 8), 0, 4095)
    file = open_dicom(build((values << 4).astype(np.uint16), bits=12, HighBit=15))
    np.testing.assert_array_equal(file.stored(), values)
    assert file.caveats == []


def test_a_high_bit_that_the_pixels_belie_is_ignored_with_a_caveat(build: Build) -> None:
    values = noise(np.uint16, (6, 8), 0, 4095)
    file = open_dicom(build(values, bits=12, HighBit=15))
    np.testing.assert_array_equal(file.stored(), values)
    assert any("High Bit" in caveat for caveat in file.caveats)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"HighBit": 3}, "High Bit contradicts"),
        ({"BitsStored": 17}, "Bits Stored is missing or impossible"),
        ({"BitsStored": 0}, "Bits Stored is missing or impossible"),
        ({"BitsStored": None}, "Bits Stored is missing or impossible"),
        ({"PhotometricInterpretation": None}, "were read as MONOCHROME2"),
        ({"PhotometricInterpretation": "SMITH"}, "were read as MONOCHROME2"),
        ({"SamplesPerPixel": None}, "how many channels"),
    ],
)
def test_what_a_header_lacks_is_told_with_a_caveat(build: Build, header: dict[str, Any], words: str) -> None:
    values = noise(np.uint16, (6, 8), 0, 4095)
    file = open_dicom(build(values, bits=16 if "BitsStored" in header else 12, **header))
    np.testing.assert_array_equal(file.stored(), values)
    assert any(words in caveat for caveat in file.caveats)
    assert not any("SMITH" in caveat for caveat in file.info().caveats)


@pytest.mark.parametrize(
    ("header", "error", "words"),
    [
        ({"Rows": None}, UnreadableImage, "how many rows"),
        ({"Columns": 0}, UnreadableImage, "how many rows"),
        ({"BitsAllocated": None}, UnreadableImage, "how many bits"),
        ({"BitsAllocated": 12}, UnsupportedImage, "12 bits per pixel"),
        ({"SamplesPerPixel": 2}, UnsupportedImage, "2 channels"),
        ({"SamplesPerPixel": 3}, UnreadableImage, "MONOCHROME2 pixels do not have 3 channels"),
        ({"PhotometricInterpretation": "RGB"}, UnreadableImage, "RGB pixels do not have 1 channels"),
        ({"Rows": 60000}, UnsupportedImage, "60000 pixels high is above the limit"),
        ({"Rows": 16000, "Columns": 16000}, UnsupportedImage, "100 megapixels"),
        ({"Rows": 7}, UnreadableImage, "fewer pixels than its header says"),
        ({"NumberOfFrames": 2_000_000_000}, UnreadableImage, "1 of 2000000000 frames"),
    ],
)
def test_headers_that_cannot_be_are_refused_before_a_pixel_is_read(
    build: Build, header: dict[str, Any], error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        open_dicom(build(noise(np.uint16, (6, 8)), **header), "x.dcm").stored()


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        ("1.2.840.10008.1.2.4.53", "JPEG Spectral Selection"),
        ("1.2.840.10008.1.2.4.55", "JPEG Full Progression"),
        ("1.2.840.10008.1.2.4.102", "MPEG-4"),
        ("1.2.840.10008.1.2.8.1", "transfer syntax"),
        ("1.2.3.4.5", "transfer syntax of its maker"),
    ],
)
def test_syntaxes_without_decoder_are_refused_by_name(build: Build, syntax: str, words: str) -> None:
    data = build(noise(np.uint8, (6, 8)), compress=RLE)  # whatever the fragments hold: nothing looks at them
    with pytest.raises(UnsupportedImage, match=words):
        open_dicom(renamed(data, syntax), "x.dcm").stored()


def test_plain_pixels_under_the_name_of_a_compressed_syntax_are_read_with_a_caveat(build: Build) -> None:
    pixels = noise(np.uint16, (6, 8))
    file = open_dicom(renamed(build(pixels), JPEG_2000))
    np.testing.assert_array_equal(file.stored(), pixels)
    assert any("they are not" in caveat for caveat in file.caveats)
    with pytest.raises(UnreadableImage, match="but they are not"):
        open_dicom(renamed(build(pixels, raw=pixels.tobytes()[:-8]), JPEG_2000)).stored()


def test_compressed_pixels_under_the_name_of_a_plain_syntax_are_refused(build: Build) -> None:
    data = build(noise(np.uint16, (6, 8)), compress=RLE)
    with pytest.raises(UnreadableImage, match="its header says they are not"):
        open_dicom(renamed(data, "1.2.840.10008.1.2.1")).stored()


def test_uncompressed_fragments_are_read(build: Build) -> None:
    pixels = noise(np.uint16, (2, 6, 8))
    data = encapsulated(build, pixels, [frame.tobytes() for frame in pixels], ENCAPSULATED)
    file = open_dicom(data)
    for frame in range(2):
        np.testing.assert_array_equal(file.stored(frame), pixels[frame])


@pytest.mark.parametrize("table", [True, False])
def test_frames_in_several_fragments_are_put_together(build: Build, table: bool) -> None:
    import pydicom
    from pydicom.encaps import generate_frames

    pixels = noise(np.uint16, (3, 32, 40))
    ds = pydicom.dcmread(io.BytesIO(build(pixels, compress=JPEG_2000)))
    streams = list(generate_frames(ds.PixelData, number_of_frames=3))
    data = encapsulated(build, pixels, streams, JPEG_2000, fragments=4, table=table)
    file = open_dicom(data)
    assert file.frames == 3
    for frame in range(3):
        np.testing.assert_array_equal(file.stored(frame), pixels[frame])


def renamed(data: bytes, syntax: str) -> bytes:
    """The file with another transfer syntax in its meta group, everything else as it was."""
    import pydicom

    ds = pydicom.dcmread(io.BytesIO(data))
    old = str(ds.file_meta.TransferSyntaxUID)
    was, now = (text.encode() + b"\0" * (len(text) % 2) for text in (old, syntax))
    at = data.index(b"\x02\0\x10\0UI") + 6
    assert data[at + 2 : at + 2 + len(was)] == was
    changed = data[:at] + len(now).to_bytes(2, "little") + now + data[at + 2 + len(was) :]
    length = int.from_bytes(changed[140:144], "little") + len(now) - len(was)
    return changed[:140] + length.to_bytes(4, "little") + changed[144:]


def encapsulated(
    build: Build, pixels: NDArray[Any], streams: list[bytes], syntax: str, *, fragments: int = 1, table: bool = True
) -> bytes:
    """A file whose pixel element holds these streams."""
    from pydicom.encaps import encapsulate

    value = encapsulate(streams, fragments_per_frame=fragments, has_bot=table)
    data = build(pixels, raw=b"\0" * len(value))
    at = data.index(b"\xe0\x7f\x10\x00")
    head = data[: at + 8] + b"\xff\xff\xff\xff"
    return renamed(head + value + b"\xfe\xff\xdd\xe0\0\0\0\0", syntax)
