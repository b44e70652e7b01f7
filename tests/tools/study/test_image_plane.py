"""The plane of an image is that of its geometry, or unknown."""

from types import SimpleNamespace
from typing import Any

import pytest

from secondread.schema.errors import NotApplicable
from secondread.schema.image import ImageInfo, ImageRef
from secondread.schema.study import Place, PlaneGeometry
from secondread.tools.base import ToolRequest
from secondread.tools.study.image_plane import image_plane, nearest_plane

IMAGE = "img-" + "a" * 16


def answer(place: Place | None) -> Any:
    info = ImageInfo(ref=ImageRef(id=IMAGE, rows=8, columns=8, grid="g"), place=place)
    return image_plane().run_batch([ToolRequest(image=IMAGE)], SimpleNamespace(info=lambda _: info))[0]


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_one_plane_is_present_and_the_others_are_absent(plane: Any) -> None:
    found = answer(Place(study="stu-1", series="ser-1", series_number=1, series_count=1, plane=plane))
    assert {f.concept: f.polarity for f in found.items if f.polarity == "present"} == {f"{plane}_plane": "present"}
    assert len(found.items) == 3 and all(f.score_kind == "fact" and f.score is None for f in found.items)


@pytest.mark.parametrize(
    ("per_column", "per_row", "plane"),
    [
        ((-0.7, 0.0, 0.0), (0.0, -0.7, 0.0), "axial"),
        ((-0.7, 0.0, 0.1), (0.0, 0.1, -0.7), "coronal"),
        ((0.0, -0.7, 0.0), (0.0, 0.0, -0.7), "sagittal"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, -0.7), None),
    ],
)
def test_a_lone_slice_lies_in_the_plane_across_its_normal(per_column: Any, per_row: Any, plane: str | None) -> None:
    geometry = PlaneGeometry(origin=(0.0, 0.0, 0.0), per_column=per_column, per_row=per_row)
    assert nearest_plane(geometry) == plane


@pytest.mark.parametrize("place", [None, Place(study="stu-1", series="ser-1", series_number=1, series_count=1)])
def test_without_geometry_the_plane_is_not_known(place: Place | None) -> None:
    assert isinstance(answer(place), NotApplicable)
