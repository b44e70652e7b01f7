"""A DICOM file opens by its header and gives its frames one by one, each with its own scale, window, place and time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.imaging.dicom import pixels as pixel_reader
from secondread.imaging.dicom.file import open_dicom
from secondread.imaging.dicom.source import Source
from secondread.imaging.load import load
from secondread.schema.errors import InputError, UnreadableImage, UnsupportedImage

Build = Callable[..., bytes]
Item = Callable[..., Any]
RLE = "1.2.840.10008.1.2.5"


@pytest.fixture
def slices() -> Any:
    """Four frames of 5 rows x 7 columns, each value another."""
    return np.arange(140, dtype=np.uint16).reshape(4, 5, 7)


def test_opening_reads_the_header_and_no_pixel(build: Build, slices: Any) -> None:
    data = build(slices)
    cut = open_dicom(data[: len(data) - 200], "cut.dcm")
    assert (cut.rows, cut.columns) == (5, 7)
    assert cut.has_pixels
    with pytest.raises(UnreadableImage, match=r"cut\.dcm is truncated: it holds 1 of 4 frames"):
        cut.stored(0)


def test_a_path_and_bytes_give_the_same_frames(build: Build, slices: Any, tmp_path: Path) -> None:
    path = tmp_path / "clip.dcm"
    path.write_bytes(build(slices))
    from_path, from_bytes = open_dicom(path), open_dicom(path.read_bytes())
    assert from_path.frames == from_bytes.frames == 4
    for frame in range(4):
        np.testing.assert_array_equal(from_path.stored(frame), slices[frame])
        np.testing.assert_array_equal(from_bytes.stored(frame), slices[frame])


def test_a_frame_is_read_without_the_others(
    build: Build, slices: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.dcm"
    path.write_bytes(build(slices))
    file = open_dicom(path)
    assert file.frames == 4
    asked: list[int] = []
    view = Source.view

    def counted(self: Source, offset: int, length: int) -> Any:
        asked.append(length)
        return view(self, offset, length)

    monkeypatch.setattr(Source, "view", counted)
    file.stored(2)
    assert asked == [70]


def test_a_file_that_changes_after_it_was_opened_is_refused(build: Build, slices: Any, tmp_path: Path) -> None:
    path = tmp_path / "clip.dcm"
    path.write_bytes(build(slices))
    file = open_dicom(path)
    path.write_bytes(build(slices[:2]))
    with pytest.raises(UnreadableImage, match="has changed since it was opened"):
        file.stored(0)
    path.unlink()
    with pytest.raises(UnreadableImage, match="has gone since it was opened"):
        file.stored(1)


def test_a_frame_is_decoded_once_for_all_that_is_asked_of_it(
    build: Build, slices: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = open_dicom(build(slices, compress=RLE))
    decodes: list[int] = []
    real = pixel_reader.compressed

    def counting(*args: Any) -> Any:
        decodes.append(1)
        return real(*args)

    monkeypatch.setattr(pixel_reader, "compressed", counting)
    file.stored(1), file.values(1), file.grey(1), file.info(1), file.load(1)
    assert len(decodes) == 1


def test_frames_of_an_enhanced_object_have_their_own_rescale_window_and_place(enhanced: bytes) -> None:
    file = open_dicom(enhanced)
    assert file.frames == 3
    for k in range(3):
        stored = file.stored(k)
        assert (stored[0, 0], stored[3, 5]) == (100 * k, 100 * k + 35)
        assert file.rescale(k) == (k + 1, -10 * k)
        assert file.unit(k) == "HU"
        assert file.values(k)[1, 2] == (100 * k + 12) * (k + 1) - 10 * k
        assert file.windows(k) == [((18, 225, 630)[k], 100), (0, 400)]
        place = file.geometry(k)
        assert place is not None
        assert (place.origin, place.per_column, place.per_row) == ((20, -30, 5 * k - 7), (-3, 0, 0), (0, -2, 0))
        info = file.info(k)
        assert (info.ref.frame, info.frames, info.geometry) == (k, 3, place)
        assert info.spacing is not None
        assert (info.spacing.row_mm, info.spacing.column_mm) == (2, 3)
    assert len({file.info(k).ref.id for k in range(3)}) == 3


def test_the_window_of_a_frame_is_the_default_and_another_can_be_asked_for(enhanced: bytes) -> None:
    file = open_dicom(enhanced)
    values = file.values(1)
    np.testing.assert_allclose(file.grey(1), np.clip((values - 224.5) / 99 + 0.5, 0, 1), atol=1e-6)
    np.testing.assert_allclose(file.grey(1, (0, 400)), np.clip((values + 0.5) / 399 + 0.5, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(file.grey(1, (225, 100)), file.grey(1))


def test_load_takes_a_frame(enhanced: bytes) -> None:
    first, third = load(enhanced), load(enhanced, frame=2)
    assert any("only the first is read" in caveat for caveat in first.info.caveats)
    assert any("only frame 3 is read" in caveat for caveat in third.info.caveats)
    np.testing.assert_array_equal(third.grey, open_dicom(enhanced).grey(2))
    with pytest.raises(InputError, match="no frame 4: it holds 3"):
        load(enhanced, frame=3)
    with pytest.raises(InputError, match="there is no frame 2"):
        load(np.zeros((4, 4)), frame=1)


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": -1024}, "HU"),
        ({"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}, "HU"),
        ({"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "US"}, "stored"),
        ({"RescaleSlope": 1, "RescaleIntercept": -1024, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "stored"),
        ({"RescaleSlope": "NaN", "RescaleIntercept": 0}, "stored"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "stored"),
        ({"Modality": "MR", "RescaleSlope": 2, "RescaleIntercept": 0}, "stored"),
        ({}, "stored"),
    ],
)
def test_hounsfield_units_are_claimed_where_the_header_gives_them(
    build: Build, slices: Any, header: dict[str, Any], unit: str
) -> None:
    assert open_dicom(build(slices[0], **header)).unit() == unit


def test_hounsfield_units_stay_what_they_are(build: Build) -> None:
    hounsfield = np.array([[-1024, -1000, 0], [40, 400, 3071]], np.int16)
    file = open_dicom(build((hounsfield + 1024).astype(np.uint16), bits=12, RescaleSlope=1, RescaleIntercept=-1024))
    np.testing.assert_array_equal(file.values(), hounsfield)
    assert file.values().dtype == np.float32


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ({"FrameTime": 40}, [0, 0.04, 0.08, 0.12]),
        ({"FrameTimeVector": [0, 10, 20, 30]}, [0, 0.01, 0.03, 0.06]),
        ({"CineRate": 25}, [0, 0.04, 0.08, 0.12]),
        ({"FrameTimeVector": [0, 10], "RecommendedDisplayFrameRate": 10}, [0, 0.1, 0.2, 0.3]),
        ({"FrameTime": 0}, [None] * 4),
        ({}, [None] * 4),
    ],
)
def test_frames_of_a_clip_have_a_time(
    build: Build, slices: Any, header: dict[str, Any], times: list[float | None]
) -> None:
    file = open_dicom(build(slices, Modality="US", **header))
    assert [file.time_s(k) for k in range(4)] == [None if t is None else pytest.approx(t) for t in times]


def test_times_of_an_enhanced_clip_come_from_its_frames(build: Build, item: Item, slices: Any) -> None:
    stamps = ["20200101235959.500", "20200101235959.750", "20200102000000.0", "20200102000000.25"]
    groups = [item(FrameContentSequence=[item(FrameAcquisitionDateTime=stamp)]) for stamp in stamps[:2]]
    file = open_dicom(build(slices[:2], PerFrameFunctionalGroupsSequence=groups))
    assert [file.time_s(k) for k in range(2)] == [0, 0.25]


def test_one_image_has_no_time(build: Build, slices: Any) -> None:
    assert open_dicom(build(slices[0], FrameTime=40)).time_s(0) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fractional_pixels_keep_their_values(build: Build, dtype: Any) -> None:
    values = np.linspace(-1.5, 2.25, 12, dtype=dtype).reshape(3, 4)
    file = open_dicom(build(values, WindowCenter=0, WindowWidth=1))
    np.testing.assert_array_equal(file.stored(), values)
    assert file.stored().dtype == dtype
    np.testing.assert_allclose(file.grey(), np.clip(values + 0.5, 0, 1), atol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_fractional_pixels_that_are_no_numbers_are_refused(build: Build, wrong: float) -> None:
    values = np.ones((3, 4), np.float32)
    values[1, 1] = wrong
    with pytest.raises(UnreadableImage, match="not finite"):
        open_dicom(build(values)).stored()


def test_bits_of_a_segmentation_are_zero_and_one_across_byte_borders(build: Build) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 5, 7), np.uint8)
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    file = open_dicom(build(bits, raw=packed, BitsAllocated=1, BitsStored=1, HighBit=0, Modality="SEG"))
    assert file.frames == 3
    for frame in range(3):
        np.testing.assert_array_equal(file.stored(frame), bits[frame])
        np.testing.assert_array_equal(file.grey(frame), bits[frame].astype(np.float32))


def test_a_padding_byte_is_no_further_frame(build: Build) -> None:
    file = open_dicom(build(np.array([[7]], np.uint8)))
    assert file.frames == 1
    tiny = open_dicom(build(np.ones((2, 2), np.uint8), raw=b"\x0f", BitsAllocated=1, BitsStored=1, HighBit=0))
    assert tiny.frames == 1


def test_more_frames_than_stated_are_given_with_a_caveat(build: Build, slices: Any) -> None:
    file = open_dicom(build(slices, NumberOfFrames=2))
    assert file.frames == 4
    assert any("4 frames, more than the 2" in caveat for caveat in file.caveats)


@pytest.mark.parametrize("wrong", ["1A", "x"])
def test_a_number_of_frames_that_is_none_is_refused(build: Build, slices: Any, wrong: str) -> None:
    data = build(slices, NumberOfFrames=44)
    with pytest.raises(UnreadableImage, match="its number of frames is not a number"):
        open_dicom(data.replace(b"IS\x02\x0044", b"IS\x02\x00" + wrong.ljust(2).encode()), "x.dcm").stored()


def test_pixels_without_an_image_name_the_kind_of_object(build: Build, slices: Any) -> None:
    data = build(slices)
    cut = data[: data.index(b"\xe0\x7f\x10\x00")]
    file = open_dicom(cut, "plan.dcm")
    assert not file.has_pixels
    with pytest.raises(UnsupportedImage, match=r"plan\.dcm is a DICOM file without pixels \(CT Image Storage\)"):
        file.stored()


def test_arrays_cannot_be_written_to(build: Build, slices: Any) -> None:
    file = open_dicom(build(slices))
    with pytest.raises(ValueError, match="read-only"):
        file.stored(0)[0, 0] = 1
    file.grey(0)[0, 0] = 0.5  # a new array each time
    assert file.grey(0)[0, 0] == 0
