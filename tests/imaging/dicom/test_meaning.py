"""The id of an image follows from its pixels and what scales and places them, and from nothing else."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.imaging.load import load

Build = Callable[..., bytes]
PIXELS = np.random.default_rng(2).integers(0, 4095, (40, 48)).astype(np.uint16)
IMPLICIT, BIG, RLE, JPEG_2000 = (
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90",
)  # fmt: skip
PLACED = {"ImagePositionPatient": [1, 2, 3], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [1, 1]}


def id_of(data: bytes) -> str:
    return load(data).info.ref.id


@pytest.mark.parametrize(
    "other",
    [{"syntax": IMPLICIT}, {"syntax": BIG}, {"compress": RLE}, {"compress": JPEG_2000}],
    ids=["implicit", "big endian", "rle", "jpeg 2000"],
)
def test_another_lossless_syntax_keeps_the_id(build: Build, item: Callable[..., Any], other: dict[str, Any]) -> None:
    def tables() -> dict[str, Any]:
        lut = item(
            LUTDescriptor=[4096, 0, 12],
            LUTData=np.arange(4096, dtype=">u2" if "syntax" in other and other["syntax"] == BIG else "<u2").tobytes(),
        )
        lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "OW"
        return {"VOILUTSequence": [lut]}

    plain_lut = item(LUTDescriptor=[4096, 0, 12], LUTData=list(range(4096)))
    plain_lut["LUTDescriptor"].VR = plain_lut["LUTData"].VR = "US"
    assert id_of(build(PIXELS, bits=12, **PLACED, **tables(), **other)) == id_of(
        build(PIXELS, bits=12, **PLACED, VOILUTSequence=[plain_lut])
    )


@pytest.mark.parametrize(
    "header",
    [
        {"PatientName": "Doe^Jo", "PatientID": "1", "StudyDate": "20200101", "AccessionNumber": "7"},
        {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4", "FrameOfReferenceUID": "1.2.5"},
        {"PatientAge": "045Y", "ViewPosition": "PA", "SeriesDescription": "chest"},
        {"SOPInstanceUID": "1.2.3.4.5.6"},
    ],
)
def test_identifiers_and_words_do_not_change_the_id(build: Build, header: dict[str, Any]) -> None:
    assert id_of(build(PIXELS, **header)) == id_of(build(PIXELS))


@pytest.mark.parametrize(
    "header",
    [
        {"RescaleSlope": 2, "RescaleIntercept": 0},
        {"WindowCenter": 5, "WindowWidth": 10},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PixelPaddingValue": 0},
        PLACED,
        PLACED | {"ImagePositionPatient": [1, 2, 4]},
    ],
)
def test_what_scales_or_places_the_pixels_changes_the_id(build: Build, header: dict[str, Any]) -> None:
    others = {id_of(build(PIXELS)), id_of(build(PIXELS, PixelSpacing=[1, 1]))}
    if "ImagePositionPatient" in header and header != PLACED:
        others.add(id_of(build(PIXELS, **PLACED)))
    assert id_of(build(PIXELS, **header)) not in others


def test_frames_with_equal_pixels_in_other_places_have_other_ids(enhanced: bytes) -> None:
    import pydicom

    ds = pydicom.dcmread(io.BytesIO(enhanced))
    ds.PixelData = ds.PixelData[:48] * 3
    for groups in ds.PerFrameFunctionalGroupsSequence:
        del groups.PixelValueTransformationSequence, groups.FrameVOILUTSequence
    stream = io.BytesIO()
    ds.save_as(stream)
    assert len({load(stream.getvalue(), frame=k).info.ref.id for k in range(3)}) == 3


def test_a_deidentified_copy_keeps_the_id(build: Build, tmp_path: Path) -> None:
    from secondread.imaging.identity.deidentify import deidentify

    source = tmp_path / "scan.dcm"
    source.write_bytes(
        build(PIXELS, bits=12, PatientName="Doe^Jo", PatientID="1", StudyDate="20200101", **PLACED,
              RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    )  # fmt: skip
    deidentify(source, tmp_path / "clean")
    (copy,) = (tmp_path / "clean").rglob("*.dcm")
    assert b"Doe" not in copy.read_bytes()
    assert load(copy).info.ref.id == load(source).info.ref.id
    np.testing.assert_array_equal(load(copy).grey, load(source).grey)
