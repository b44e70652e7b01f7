"""How a frame lies in the patient: RAS mm from plane tags or functional groups, and nothing where they cannot be."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.imaging.dicom.geometry import read_geometry
from secondread.imaging.load import load

AXIAL = {
    "ImagePositionPatient": [-100, -150, 40],
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [2, 3],
}
Item = Callable[..., Any]


def test_lps_of_the_header_becomes_ras(item: Item) -> None:
    place, caveats = read_geometry(item(**AXIAL))
    assert place is not None
    assert place.origin == (100, 150, 40)
    assert place.per_column == (-3, 0, 0)  # the second spacing lies between columns
    assert place.per_row == (0, -2, 0)
    assert caveats == []


def test_a_sagittal_plane(item: Item) -> None:
    place, _ = read_geometry(item(**AXIAL | {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}))
    assert place is not None
    assert place.per_column == (0, -3, 0)  # to the back
    assert place.per_row == (0, 0, -2)  # to the feet


def test_a_projection_has_none_and_no_caveat(item: Item) -> None:
    assert read_geometry(item(PixelSpacing=[1, 1])) == (None, [])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ImagePositionPatient": None}, "not both"),
        ({"ImageOrientationPatient": None}, "not both"),
        ({"ImagePositionPatient": [1, 2]}, "not both"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1]}, "not both"),
        ({"PixelSpacing": None}, "pixel spacing"),
        ({"PixelSpacing": [0, 1]}, "pixel spacing"),
        ({"PixelSpacing": [1, -1]}, "pixel spacing"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angles"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.1, 0.995, 0]}, "right angles"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "unit vectors"),
        ({"ImageOrientationPatient": [1, 1, 0, 0, 0, 1]}, "unit vectors"),
        ({"ImagePositionPatient": [1e9, 0, 0]}, "farther away"),
    ],
)
def test_a_place_that_cannot_be_is_none_with_a_caveat(item: Item, changed: dict[str, Any], words: str) -> None:
    header = {k: v for k, v in (AXIAL | changed).items() if v is not None}
    place, caveats = read_geometry(item(**header))
    assert place is None
    assert len(caveats) == 1
    assert words in caveats[0]


def test_a_file_with_inconsistent_geometry_loads_with_the_caveat(build: Callable[..., bytes]) -> None:
    header = AXIAL | {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}
    info = load(build(np.zeros((4, 6), np.uint16), **header)).info
    assert info.geometry is None
    assert any("right angles" in caveat for caveat in info.caveats)


def test_frames_of_a_dose_grid_lie_along_its_normal(item: Item) -> None:
    for offsets in ([0, 5, 10], [40, 45, 50]):
        ds = item(**AXIAL, NumberOfFrames=3, GridFrameOffsetVector=offsets)
        places = [read_geometry(ds, k)[0] for k in range(3)]
        assert [place and place.origin for place in places] == [(100, 150, 40), (100, 150, 45), (100, 150, 50)]


def test_frames_whose_place_is_not_given_have_none(item: Item) -> None:
    ds = item(**AXIAL, NumberOfFrames=3)
    assert read_geometry(ds, 0)[0] is not None
    place, caveats = read_geometry(ds, 1)
    assert place is None
    assert "other than the first" in caveats[0]


def test_a_frame_that_the_groups_leave_out_has_none(item: Item) -> None:
    groups = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 0])]), item()]
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[1, 1])],
    )
    ds = item(PerFrameFunctionalGroupsSequence=groups, SharedFunctionalGroupsSequence=[shared])
    assert read_geometry(ds, 0)[0] is not None
    assert read_geometry(ds, 1) == (None, ["The header does not say where this frame lies in the patient."])


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.floats(-math.pi, math.pi)] * 3),
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.tuples(*[st.floats(0.1, 5)] * 2),
)
def test_any_rotation_keeps_lengths_and_right_angles(
    angles: tuple[float, ...], position: tuple[float, ...], spacing: tuple[float, ...]
) -> None:
    from pydicom import Dataset
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_euler("xyz", angles).as_matrix()
    ds = Dataset()
    ds.ImagePositionPatient = [f"{v:.9f}"[:16] for v in position]
    ds.ImageOrientationPatient = [f"{v:.9f}"[:16] for v in (*turned[:, 0], *turned[:, 1])]
    ds.PixelSpacing = [f"{v:.9f}"[:16] for v in spacing]
    place, caveats = read_geometry(ds)
    assert caveats == []
    assert place is not None
    column, row = np.array(place.per_column), np.array(place.per_row)
    assert np.linalg.norm(column) == pytest.approx(spacing[1], rel=1e-6)
    assert np.linalg.norm(row) == pytest.approx(spacing[0], rel=1e-6)
    assert abs(column @ row) < 1e-5 * spacing[0] * spacing[1]
    flip = np.array([-1, -1, 1])
    np.testing.assert_allclose(column / spacing[1], flip * turned[:, 0], atol=1e-6)
    np.testing.assert_allclose(place.origin, flip * np.array(position), atol=1e-6)
