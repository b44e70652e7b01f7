"""A compressed frame is looked at before a decoder sees it: its size, its kind, and whether it is all there."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from secondread.imaging.dicom.codestream import head_of, rle_segments
from secondread.imaging.dicom.layout import Layout
from secondread.schema.errors import UnreadableImage


def layout(family: str, **changes: Any) -> Layout:
    syntax = {"jpeg": "1.2.840.10008.1.2.4.50", "jpeg2000": "1.2.840.10008.1.2.4.90", "rle": "1.2.840.10008.1.2.5"}
    values: dict[str, Any] = {
        "rows": 40, "columns": 48, "samples": 1, "allocated": 8, "stored": 8, "shift": 0, "signed": False,
        "photometric": "MONOCHROME2", "planar": 0, "kind": "PixelData", "swapped": False, "big_endian": False,
        "encapsulated": True, "syntax": syntax[family],
    }  # fmt: skip
    return Layout(**values | changes)


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 48), np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def jpeg2000() -> bytes:
    from openjpeg.utils import encode_array

    return bytes(encode_array(np.random.default_rng(0).integers(0, 4095, (40, 48)).astype(np.uint16), bits_stored=12))


def test_heads_are_read(jpeg: bytes, jpeg2000: bytes) -> None:
    found = head_of(layout("jpeg"), jpeg, "x")
    assert (found.rows, found.columns, found.components, found.precision, found.process) == (40, 48, 1, 8, 0xC0)
    found = head_of(layout("jpeg2000", allocated=16), jpeg2000, "x")
    assert (found.rows, found.columns, found.components, found.precision, found.process) == (40, 48, 1, 12, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 41}, "are 48 x 40, but its header says 48 x 41"),
        ({"columns": 47}, "are 48 x 40, but its header says 47 x 40"),
        ({"samples": 3}, "1 channels, but its header says 3"),
    ],
)
@pytest.mark.parametrize("family", ["jpeg", "jpeg2000"])
def test_a_stream_of_another_size_is_refused(
    jpeg: bytes, jpeg2000: bytes, family: str, changes: dict[str, int], words: str
) -> None:
    data = jpeg if family == "jpeg" else jpeg2000
    with pytest.raises(UnreadableImage, match=words):
        head_of(layout(family, **({"allocated": 16} | changes)), data, "x.dcm")


def test_a_stream_that_claims_gigapixels_is_refused_by_its_head(jpeg2000: bytes) -> None:
    at = jpeg2000.index(b"\xff\x51") + 6
    huge = jpeg2000[:at] + b"\xff\xff\xff\xff" * 2 + jpeg2000[at + 8 :]
    with pytest.raises(UnreadableImage, match=r"x\.dcm is damaged"):
        head_of(layout("jpeg2000", allocated=16), huge, "x.dcm")


def test_a_stream_cut_into_countless_tiles_is_refused(jpeg2000: bytes) -> None:
    at = jpeg2000.index(b"\xff\x51") + 6
    size = (20000).to_bytes(4, "big") * 2
    tiled = jpeg2000[:at] + size + b"\0" * 8 + (1).to_bytes(4, "big") * 2 + jpeg2000[at + 24 :]
    with pytest.raises(UnreadableImage, match="tiles that cannot be"):
        head_of(layout("jpeg2000", rows=20000, columns=20000, allocated=16), tiled, "x.dcm")


@pytest.mark.parametrize("family", ["jpeg", "jpeg2000"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.5, 0.9, 0.99])
def test_a_truncated_stream_is_refused(jpeg: bytes, jpeg2000: bytes, family: str, share: float) -> None:
    data = jpeg if family == "jpeg" else jpeg2000
    with pytest.raises(UnreadableImage, match=r"x\.dcm is damaged"):
        head_of(layout(family, allocated=16), data[: int(share * len(data))], "x.dcm")


def test_an_end_marker_may_be_missing_where_all_tiles_are_there(jpeg2000: bytes) -> None:
    assert jpeg2000.endswith(b"\xff\xd9")
    assert head_of(layout("jpeg2000", allocated=16), jpeg2000[:-2], "x").rows == 40


def test_a_scan_that_sequential_jpeg_does_not_know_is_refused(jpeg: bytes) -> None:
    at = jpeg.index(b"\xff\xda") + 4
    assert jpeg[at : at + 1] == b"\x01"
    wrong = jpeg[: at + 3] + b"\x01\x05\x00" + jpeg[at + 6 :]
    with pytest.raises(UnreadableImage, match="a scan that is not allowed"):
        head_of(layout("jpeg"), wrong, "x.dcm")


def test_segments_of_rle_fit_layout_and_data() -> None:
    two = (2).to_bytes(4, "little") + (64).to_bytes(4, "little") + (70).to_bytes(4, "little") + b"\0" * 52
    parts = rle_segments(layout("rle", allocated=16), two + b"abcdefghij", "x")
    assert [bytes(part) for part in parts] == [b"abcdef", b"ghij"]
    with pytest.raises(UnreadableImage, match="have 2 segments, but its header asks for 1"):
        rle_segments(layout("rle"), two + b"abcdefghij", "x")
    with pytest.raises(UnreadableImage, match="lie outside"):
        rle_segments(layout("rle", allocated=16), two + b"abc", "x")
    with pytest.raises(UnreadableImage, match="end before"):
        rle_segments(layout("rle", allocated=16), two[:20], "x")


@pytest.mark.parametrize("end", [b"\x7f", b"", b"\x00", b"\x81\x07"])
def test_rle_of_too_few_values_is_refused(end: bytes) -> None:
    from secondread.imaging.dicom.decode import compressed

    header = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + b"\0" * 56
    with pytest.raises(UnreadableImage, match="cannot be decoded"):
        compressed(layout("rle"), header + b"\x02abc" + end, "x.dcm")
