"""Whole heads and other volumes that are no crop around a hippocampus are refused by what they are."""

import numpy as np
import pytest

from secondread.schema.errors import NotApplicable
from secondread.tools.segment.hippocampus.valid import check


def crop(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape or (35, 50, 36), np.float32)


def test_a_crop_of_the_usual_size_passes_in_any_axis_order() -> None:
    assert check(crop(), np.eye(4)).shape == (35, 50, 36)
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    assert check(crop(36, 50, 35), affine).shape == (35, 50, 36)


@pytest.mark.parametrize(("shape", "side"), [((180, 220, 180), 1.0), ((90, 110, 90), 2.0), ((256, 256, 30), 0.9)])
def test_a_whole_head_is_refused_as_one(shape: tuple[int, int, int], side: float) -> None:
    values = np.broadcast_to(np.arange(shape[2], dtype=np.float32), shape)
    with pytest.raises(NotApplicable, match="whole head"):
        check(values, np.diag([side, side, side, 1.0]))


@pytest.mark.parametrize(
    ("affine", "match"),
    [
        (np.diag([0.5, 0.5, 0.5, 1.0]), "18 mm from right to left"),
        (np.diag([1.0, 2.0, 1.0, 1.0]), "100 mm from back to front"),
        (np.eye(4)[[1, 0, 2, 3]], "35 mm from back to front"),
        (np.diag([1.0, 1.0, 0.0, 1.0]), "no size in mm"),
    ],
)
def test_a_crop_of_another_size_is_refused_with_its_size(affine: np.ndarray, match: str) -> None:
    with pytest.raises(NotApplicable, match=match):
        check(crop(), affine)


def test_thick_slices_are_refused() -> None:
    with pytest.raises(NotApplicable, match="too coarse"):
        check(crop(35, 50, 9), np.diag([1.0, 1.0, 4.0, 1.0]))


def test_a_strongly_turned_grid_is_refused() -> None:
    c, s = np.cos(np.radians(35)), np.sin(np.radians(35))
    affine = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    with pytest.raises(NotApplicable, match="35 degrees"):
        check(crop(), affine)


def test_values_that_cannot_be_read_are_refused() -> None:
    holed = crop()
    holed[3, 4, 5] = np.nan
    with pytest.raises(NotApplicable, match="not finite"):
        check(holed, np.eye(4))
    with pytest.raises(NotApplicable, match="one value"):
        check(np.full((35, 50, 36), 3, np.float32), np.eye(4))
    with pytest.raises(NotApplicable, match="2 dimensions"):
        check(crop(35, 50), np.eye(4))
