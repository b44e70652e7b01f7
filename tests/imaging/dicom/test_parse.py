"""Headers are found in files of every make, and no header costs more than a file of its size can hold."""

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.imaging.dicom import parse as parser
from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.dicom.source import Source
from secondread.schema.errors import UnreadableImage, UnsupportedImage

Build = Callable[..., bytes]
IMPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)


@pytest.mark.parametrize("syntax", [None, IMPLICIT, BIG])
def test_a_file_without_meta_group_is_told_from_its_content(build: Build, syntax: str | None) -> None:
    data = build(PIXELS, **({"syntax": syntax} if syntax else {}))
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]
    bare = open_dicom(data[start:])
    np.testing.assert_array_equal(bare.stored(), PIXELS)
    assert any("preamble" in caveat for caveat in bare.caveats)
    assert any("transfer syntax" in caveat for caveat in bare.caveats)


def test_a_file_with_meta_group_but_without_preamble(build: Build) -> None:
    np.testing.assert_array_equal(open_dicom(build(PIXELS)[132:]).stored(), PIXELS)


@pytest.mark.parametrize("length", [0, 100, 131, 132, 140, 200, 300])
def test_a_file_that_ends_in_its_head_is_refused(build: Build, length: int) -> None:
    with pytest.raises((UnreadableImage, UnsupportedImage), match=r"x\.dcm"):
        open_dicom(build(PIXELS)[:length], "x.dcm").stored()


def test_elements_behind_the_pixels_do_no_harm(build: Build) -> None:
    import pydicom

    ds = pydicom.dcmread(io.BytesIO(build(PIXELS)))
    ds.add_new(0xFFFCFFFC, "OB", b"\0" * 200)
    stream = io.BytesIO()
    ds.save_as(stream)
    np.testing.assert_array_equal(open_dicom(stream.getvalue()).stored(), PIXELS)


def test_pixels_of_an_icon_are_not_those_of_the_image(build: Build, item: Callable[..., Any]) -> None:
    icon = item(Rows=1, Columns=2, BitsAllocated=8, PixelData=b"\x01\x02")
    icon["PixelData"].VR = "OB"
    np.testing.assert_array_equal(open_dicom(build(PIXELS, IconImageSequence=[icon])).stored(), PIXELS)


def test_a_small_file_that_inflates_without_end_takes_little_memory(build: Build) -> None:
    data = build(PIXELS, syntax=DEFLATED)
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]
    plain = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    at = plain.index(b"\xe0\x7f\x10\x00") + 8
    claimed = plain[:at] + struct.pack("<I", 100_000_000) + plain[at + 4 :] + b"\0" * 100_000_000
    worker = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = data[:start] + worker.compress(claimed) + worker.flush()
    del claimed
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        file = open_dicom(bomb)
        np.testing.assert_array_equal(file.stored(), PIXELS)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_a_deflated_object_beyond_a_gibibyte_is_refused(build: Build) -> None:
    data = build(PIXELS, syntax=DEFLATED, Rows=16000, Columns=6000, NumberOfFrames=1000)
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]
    plain = zlib.decompress(data[start:], -zlib.MAX_WBITS) + b"\0" * (17 << 20)
    worker = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = data[:start] + worker.compress(plain) + worker.flush()
    with pytest.raises(UnsupportedImage, match="inflates to more than 1 GiB"):
        open_dicom(bomb)


def test_a_length_beyond_the_file_asks_for_no_memory(build: Build, tmp_path: Path) -> None:
    data = build(PIXELS, ImageComments="x" * 40)
    at = data.index(b"LT") - 4
    claimed = data[: at + 4] + b"UT\0\0" + struct.pack("<I", 0xFFFFFFF0) + data[at + 8 :]
    path = tmp_path / "claim.dcm"
    path.write_bytes(claimed)
    tracemalloc.start()
    try:
        with pytest.raises((UnreadableImage, UnsupportedImage)):
            open_dicom(path).stored()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_header_of_countless_empty_items_is_refused(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    data = build(PIXELS)
    at = data.index(b"\x28\0\x02\0US")
    item = b"\xfe\xff\x00\xe0\0\0\0\0"
    head = b"\x18\x00\x12\x00SQ\0\0"
    endless = head + b"\xff\xff\xff\xff" + item * 30_000 + b"\xfe\xff\xdd\xe0\0\0\0\0"
    monkeypatch.setattr(parser, "MOST_READS", 20_000)
    with pytest.raises(UnsupportedImage, match="header of too many elements"):
        open_dicom(data[:at] + endless + data[at:], "x.dcm")
    monkeypatch.setattr(parser, "MOST_ITEMS", 10_000)
    known = head + struct.pack("<I", 30_000 * 8) + item * 30_000
    with pytest.raises(UnsupportedImage, match="header of too many elements"):
        open_dicom(data[:at] + known + data[at:], "x.dcm")


def test_a_source_reads_parts_and_stops_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    for source in (Source(str(path), "x"), Source(b"0123456789", "x")):
        assert source.size == 10
        assert source.read(3, 4) == b"3456"
        assert source.read(8, 1 << 40) == b"89"
        assert source.read(20, 4) == b""
        with source.stream() as stream:
            assert stream.read(1 << 40) == b"0123456789"
