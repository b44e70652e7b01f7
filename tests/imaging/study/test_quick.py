"""The short walk over a header, against pydicom's reading of the same file."""

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from secondread.imaging.study import tags
from secondread.imaging.study.quick import FIRST_PIECE, quick_values
from tests.imaging.study.conftest import image


def saved(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def walked(data: bytes) -> dict[int, bytes] | None:
    stream = io.BytesIO(data)
    found = quick_values(stream, stream.read(FIRST_PIECE))
    return None if found is None else found.values


def by_pydicom(source: Any) -> dict[int, bytes]:
    ds = pydicom.dcmread(source, stop_before_pixels=True, force=True)
    found = {tag: ds.get_item(tag).value for tag in tags.WANTED if tag in ds}
    return {tag: value if isinstance(value, bytes) else b"" for tag, value in found.items()}


@pytest.mark.data
def test_every_real_header_gives_the_values_that_pydicom_finds(data_dir: Path) -> None:
    walks = 0
    for path in sorted((data_dir / "dicom_variety").rglob("*")):
        if not path.is_file() or path.read_bytes()[128:132] != b"DICM":
            continue
        found = walked(path.read_bytes())
        if found is None:
            continue
        walks += 1
        expected = by_pydicom(path)
        if found.get(tags.SOP_CLASS) == tags.DIRECTORY.encode():
            continue
        assert {k: v for k, v in found.items() if k != tags.MODALITY_LUT} == {
            k: v for k, v in expected.items() if k != tags.MODALITY_LUT
        }, path.name
    assert walks > 140


def test_values_behind_sequences_and_long_private_data_are_found() -> None:
    ds = image(3)
    inner = Dataset()
    inner.CodeValue = "x" * 900
    inner.PurposeOfReferenceCodeSequence = [Dataset(), Dataset()]
    ds.ReferencedImageSequence = [inner] * 20
    ds["ReferencedImageSequence"].is_undefined_length = True
    for item in ds.ReferencedImageSequence:
        item.is_undefined_length_sequence_item = True
    ds.private_block(0x0019, "NOBODY", create=True).add_new(1, "OB", bytes(2_000_000))
    data = saved(ds)
    assert walked(data) == by_pydicom(io.BytesIO(data))


def test_private_data_before_the_values_are_jumped_over_not_read() -> None:
    ds = image(3)
    ds.private_block(0x0019, "NOBODY", create=True).add_new(1, "OB", bytes(5_000_000))

    class Counted(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            self.read_bytes += len(piece)
            return piece

    stream = Counted(saved(ds))
    assert quick_values(stream, stream.read(FIRST_PIECE)) is not None
    assert stream.read_bytes < 4 * FIRST_PIECE


def test_pixels_are_never_read() -> None:
    data = saved(image(1, rows=512, columns=512))
    assert walked(data[: data.index(b"\xe0\x7f\x10\x00")]) == walked(data)


def test_implicit_headers_are_walked_too() -> None:
    ds = image(2)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    found = walked(saved(ds))
    assert found is not None
    assert found[tags.POSITION] == b"0.0\\0.0\\4.0 "


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_are_left_to_pydicom(syntax: Any) -> None:
    ds = image(2)
    ds.file_meta.TransferSyntaxUID = syntax
    ds._is_little_endian = syntax != ExplicitVRBigEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True, implicit_vr=False, little_endian=ds._is_little_endian)
    assert walked(buffer.getvalue()) is None


def test_elements_out_of_order_are_left_to_pydicom() -> None:
    data = saved(image(2))
    rows = data.index(b"\x28\x00\x10\x00US")
    study = data.index(b"\x20\x00\x0d\x00UI")
    moved = data[:study] + data[rows : rows + 10] + data[study:rows] + data[rows + 10 :]
    assert walked(moved) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_never_raises_and_never_invents_a_position(data: st.DataObject) -> None:
    whole = bytearray(saved(image(5)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(128, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    found = walked(bytes(whole[:cut]))
    if found is not None and tags.POSITION in found:
        assert found[tags.POSITION] in bytes(whole)
