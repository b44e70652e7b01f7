"""Slices and montages of a volume: right side up, right order, right numbers."""

from typing import Any

import numpy as np
import pytest

from secondread.imaging.draw.slices import columns_of, montage, slice_picture, spread
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import InputError, UsageError


@pytest.fixture
def volume() -> Volume:
    """20 x 30 x 40 voxels, dark but for a bright block at the patient's right, front and head end."""
    array = np.zeros((20, 30, 40), np.int16)
    array[15:, 22:, 30:] = 100
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    affine[:3, 3] = (-20, -15, 100)
    return Volume.from_array(array, affine, unit="HU", modality="CT", window=(50.0, 100.0))


def film(picture: Any, rows: int = 900) -> np.ndarray[Any, Any]:
    return np.asarray(picture.convert("L"))[:rows]


def bright(picture: np.ndarray[Any, Any], height: int) -> tuple[float, float]:
    """Centre of the large bright area as share of width and height."""
    part = picture[:height] == 255
    ys, xs = np.nonzero(part)
    return float(np.median(xs) / picture.shape[1]), float(np.median(ys) / height)


@pytest.mark.parametrize(
    ("plane", "index0", "place"),
    [
        ("axial", 35, (0.12, 0.13)),  # the right is at the image left, the front on top
        ("coronal", 25, (0.12, 0.12)),  # right at the left, head on top
        ("sagittal", 18, (0.13, 0.12)),  # front at the left, head on top
    ],
)
def test_a_slice_stands_as_readers_expect(volume: Volume, plane: Any, index0: int, place: tuple[float, float]) -> None:
    from secondread.imaging.draw.canvas import fit

    picture = slice_picture(volume, plane, index0)
    info = volume.slice_info(plane, index0)
    shown = fit(info.ref.rows, info.ref.columns, info.spacing)
    x, y = bright(film(picture, shown.height), shown.height)
    left = (picture.width - shown.width) / 2 / picture.width
    assert ((x - left) * picture.width / shown.width, y) == pytest.approx(place, abs=0.04)


def test_masks_of_a_volume_are_cut_like_its_slices(volume: Volume) -> None:
    mask = volume.stored > 50
    plain, marked = (slice_picture(volume, "axial", 35, masks=m) for m in (None, {"liver": mask}))
    before, after = film(plain, 700).astype(int), film(marked, 700)
    changed = np.abs(after - before) > 8
    assert changed.mean() > 0.02
    assert before[changed].min() >= 100  # only the bright block is painted over
    with pytest.raises(InputError):
        slice_picture(volume, "axial", 35, masks={"liver": mask[:-1]})


def test_a_structure_keeps_its_colour_on_slices_that_lack_others(volume: Volume) -> None:
    whole, empty = volume.stored > 50, np.zeros(volume.shape, bool)
    one = slice_picture(volume, "axial", 35, masks={"a": empty, "b": whole})
    two = slice_picture(volume, "axial", 35, masks={"a": whole, "b": whole})
    purple = (204, 121, 167)
    assert all((np.asarray(p) == purple).all(-1).any() for p in (one, two))


def test_a_montage_shows_first_and_last_at_even_steps() -> None:
    assert spread(40, 5, None, None) == [0, 10, 20, 29, 39]
    assert spread(40, 3, 10, 20) == [10, 15, 20]
    assert spread(3, 12, None, None) == [0, 1, 2]
    assert spread(40, 1, None, None) == [19]
    for wrong in ((40, 0, None, None), (40, 500, None, None), (40, 3, 30, 20), (40, 3, 0, 40)):
        with pytest.raises(UsageError):
            spread(*wrong)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 30, 40])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_montages_of_any_size_are_drawn_whole(volume: Volume, plane: Any, count: int) -> None:
    picture = montage(volume, plane, count=count, masks={"liver": volume.stored > 50})
    assert 520 <= picture.width <= 1400
    assert 100 < picture.height < 4000


def test_montage_tiles_follow_the_slices(volume: Volume) -> None:
    """The block fills the upper quarter of the slices: only the last tiles are bright."""
    picture = film(montage(volume, "axial", count=4), 10_000)
    across = columns_of(4, 40 / 30)
    wide = picture.shape[1] // across
    high = round(wide * 30 / 40)
    light = [
        float((picture[r * high + 30 : (r + 1) * high - 60, c * wide : (c + 1) * wide] > 200).mean())
        for r in range(2)
        for c in range(across)
    ][:4]
    assert light[3] > 0.02 > max(light[:3])


def test_a_volume_without_orientation_gets_no_sides(volume: Volume) -> None:
    bare = Volume.from_array(np.zeros((20, 30, 4), np.float32))
    assert film(slice_picture(bare, "axial", 1, window=(10.0, 2.0)), 595).max() == 0


def test_a_slice_that_is_none_is_refused(volume: Volume) -> None:
    with pytest.raises(UsageError):
        slice_picture(volume, "axial", 40)
