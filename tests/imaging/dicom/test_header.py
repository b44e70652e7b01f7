"""View, age, spacing and the rest from the header."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.imaging.load import load
from secondread.schema.errors import UsageError
from secondread.schema.image import ImageInfo

Writer = Callable[..., Path]


def code(value: str, **more: Any) -> Any:
    from pydicom import Dataset

    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, "SCT", "x"
    for keyword, found in more.items():
        setattr(ds, keyword, found)
    return ds


@pytest.fixture
def read(film12: NDArray[np.uint16], write_dicom: Writer) -> Callable[..., ImageInfo]:
    return lambda **header: load(write_dicom(film12, **header)).info


@pytest.mark.parametrize(
    ("header", "view"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "AP"}, "AP"),
        ({"ViewPosition": "LL"}, "LATERAL"),
        ({"ViewPosition": "RL"}, "LATERAL"),
        ({"ViewPosition": "LLO"}, "OTHER"),
        ({"ViewPosition": "PA ERECT"}, "PA"),
        ({"ViewPosition": "SMITH"}, "UNKNOWN"),
        ({"ViewCodeSequence": [code("399348003")]}, "AP"),
        ({"ViewCodeSequence": [code("272479007")]}, "PA"),
        ({"ViewCodeSequence": [code("399033003")]}, "UNKNOWN"),
        ({"ViewPosition": "AP", "ViewCodeSequence": [code("272479007")]}, "UNKNOWN"),
        ({"PatientOrientation": ["A", "F"]}, "LATERAL"),
        ({"StudyDescription": "CHEST PA"}, "UNKNOWN"),
        ({"SeriesDescription": "CHEST AP PORTABLE"}, "AP"),
        ({"StudyDescription": "CHEST AP/LAT"}, "UNKNOWN"),
        ({}, "UNKNOWN"),
    ],
)
def test_view(read: Callable[..., ImageInfo], header: dict[str, Any], view: str) -> None:
    info = read(**header)
    assert info.view == view
    assert info.view_source == ("unknown" if view == "UNKNOWN" else "header")


def test_what_is_stated_overrides_the_header(film12: NDArray[np.uint16], write_dicom: Writer) -> None:
    path = write_dicom(film12, ViewPosition="AP", PatientAge="045Y")
    header, stated = load(path).info, load(path, view="pa", age=12).info
    assert (header.view, header.age_years, header.age_source) == ("AP", 45, "header")
    assert (stated.view, stated.view_source, stated.age_years, stated.age_source) == ("PA", "stated", 12, "stated")
    assert stated.ref.id == header.ref.id


@pytest.mark.parametrize("wrong", [{"view": "SIDEWAYS"}, {"age": -1}, {"age": 131}, {"age": float("nan")}])
def test_a_wrong_statement_is_a_usage_error(film8: NDArray[np.uint8], wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        load(film8, **wrong)


@pytest.mark.parametrize(
    ("header", "age"),
    [
        ({"PatientAge": "045Y"}, 45),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "026W"}, 0.5),
        ({"PatientAge": "002D"}, 0.01),
        ({"PatientAge": "000Y"}, None),
        ({"PatientAge": "095Y"}, 90),
        ({"PatientAge": "old"}, None),
        ({"PatientBirthDate": "20010615", "StudyDate": "20110614"}, 9),
        ({"PatientBirthDate": "20010615", "StudyDate": "20110616"}, 10),
        ({"PatientAge": "045Y", "PatientBirthDate": "20010615", "StudyDate": "20110616"}, None),
        ({"PatientBirthDate": "20110615", "StudyDate": "20010616"}, None),
    ],
)
def test_age(read: Callable[..., ImageInfo], header: dict[str, Any], age: float | None) -> None:
    assert read(**header).age_years == (None if age is None else pytest.approx(age, abs=0.005))


@pytest.mark.parametrize(
    ("header", "kind", "tag", "column_mm"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.15]}, "detector_plane", "ImagerPixelSpacing", 0.15),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.2, 0.2]}, "detector_plane", "ImagerPixelSpacing", 0.2),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.18, 0.18]}, "calibrated", "PixelSpacing", 0.18),
        ({"PixelSpacing": [0.2, 0.2]}, "detector_plane", "PixelSpacing", 0.2),
        ({"PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"}, "calibrated", "PixelSpacing", 0.2),
        ({"PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "GEOMETRY"}, "calibrated", "PixelSpacing", 0.2),
        ({"Modality": "CT", "PixelSpacing": [0.7, 0.6]}, "calibrated", "PixelSpacing", 0.6),
        ({"Modality": "OT", "NominalScannedPixelSpacing": [0.1, 0.1]}, "detector_plane", "NominalScanned", 0.1),
    ],
)
def test_spacing_comes_from_the_right_tag(
    read: Callable[..., ImageInfo], header: dict[str, Any], kind: str, tag: str, column_mm: float
) -> None:
    spacing = read(**header).spacing
    assert spacing is not None
    assert (spacing.kind, spacing.column_mm) == (kind, column_mm)
    assert spacing.source.startswith(tag)


@pytest.mark.parametrize("wrong", [[0, 0], [-1, 1], [1000, 1000], [0.2]])
def test_a_spacing_that_cannot_be_is_ignored_with_a_caveat(read: Callable[..., ImageInfo], wrong: list[float]) -> None:
    info = read(ImagerPixelSpacing=wrong)
    assert info.spacing is None
    assert any("not a valid spacing" in caveat for caveat in info.caveats)


def test_magnification_is_a_caveat(read: Callable[..., ImageInfo]) -> None:
    info = read(ImagerPixelSpacing=[0.2, 0.2], EstimatedRadiographicMagnificationFactor=1.07)
    assert any("1.07" in caveat for caveat in info.caveats)


def test_pixels_that_are_not_square_are_known_as_squeezed(read: Callable[..., ImageInfo]) -> None:
    assert read(PixelAspectRatio=[4, 3]).squeezed is True
    assert read(PixelAspectRatio=[1, 1]).squeezed is False
    assert read().squeezed is None


def test_words_are_mapped_to_closed_terms(read: Callable[..., ImageInfo]) -> None:
    info = read(
        SeriesDescription="Mr Smith portable supine", BodyPartExamined="CHEST", ImageLaterality="U", PatientSex="F"
    )
    assert (info.portable, info.position, info.body_part, info.image_laterality, info.sex) == (
        True, "supine", "CHEST", "U", "F",
    )  # fmt: skip
    strange = read(BodyPartExamined="SMITH", PatientSex="SMITH", Modality="SMITH")
    assert (strange.body_part, strange.sex, strange.modality) == (None, None, None)


def test_position_from_codes(read: Callable[..., ImageInfo]) -> None:
    supine = code("102538003", PatientOrientationModifierCodeSequence=[code("40199007")])
    prone = code("102538003", PatientOrientationModifierCodeSequence=[code("1240000")])
    assert read(PatientOrientationCodeSequence=[supine]).position == "supine"
    assert read(PatientOrientationCodeSequence=[prone]).position == "unknown"
    assert read(PatientOrientationCodeSequence=[code("10904000")]).position == "erect"


def test_mirrored_rows_are_a_caveat(read: Callable[..., ImageInfo]) -> None:
    assert any("mirrored" in caveat for caveat in read(PatientOrientation=["R", "F"]).caveats)
    assert not read(PatientOrientation=["L", "F"]).caveats
