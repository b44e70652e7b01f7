"""Volumes on other grids, and masks that come back to where they were."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secondread.imaging.volume.onto import MOVED, mask_on, onto, overlap
from secondread.imaging.volume.regridded import reoriented
from secondread.imaging.volume.resample import resampled
from secondread.imaging.volume.volume import Volume
from secondread.schema.errors import InputError, UnsupportedImage, UsageError

CODES = ["".join(codes) for p in itertools.permutations(("RL", "AP", "SI")) for codes in itertools.product(*p)]


def turned(degrees: float, sides: tuple[float, float, float] = (1, 1, 1)) -> NDArray[np.float64]:
    """An affine about the head-foot axis."""
    angle = np.radians(degrees)
    affine = np.diag([*sides, 1.0])
    affine[:2, :2] = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * sides[:2]
    return affine


def ball(affine: NDArray[np.float64], shape: tuple[int, int, int], centre: tuple[float, ...], radius: float) -> Volume:
    """A ball of ones given in mm, on any grid: the anatomy is the same whatever the grid."""
    places = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    mm = places @ affine[:3, :3].T + affine[:3, 3]
    return Volume.from_array((np.linalg.norm(mm - centre, axis=-1) <= radius).astype(np.uint8), affine)


@pytest.mark.parametrize("codes", CODES)
def test_axes_turn_and_masks_return_without_a_voxel_moved(codes: str) -> None:
    rng = np.random.default_rng(3)
    affine = np.array([[0, -2.0, 0, 5], [0, 0, 3.0, -7], [-1.5, 0, 0, 9], [0, 0, 0, 1]])
    volume = Volume.from_array(rng.integers(-9, 9, (4, 5, 6)).astype(np.int16), affine, unit="HU", modality="CT")
    made = reoriented(volume, codes)
    assert made.volume.orientation.codes == codes and made.volume.header.unit == "HU"
    for plane in ("axial", "coronal", "sagittal"):
        np.testing.assert_array_equal(made.volume.slice(plane, 2), volume.slice(plane, 2))
        assert made.volume.slice_geometry(plane, 2) == volume.slice_geometry(plane, 2)
    np.testing.assert_array_equal(made.back(made.volume.stored), volume.stored)
    assert np.shares_memory(made.volume.stored, volume.stored)


def test_scales_per_slice_survive_a_turn() -> None:
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    volume = Volume.from_array(stored, np.eye(4), scale=[(1, 0), (2, 1), (3, 2), (4, 3)])
    made = reoriented(volume, "SAL")
    np.testing.assert_array_equal(made.volume.values()[:, :, ::-1].transpose(2, 1, 0), volume.values())
    with pytest.raises(UsageError, match="no orientation"):
        reoriented(volume, "RAA")
    with pytest.raises(UsageError, match="no orientation"):
        reoriented(volume, "RA")
    with pytest.raises(InputError, match="how it lies"):
        reoriented(Volume.from_array(stored), "RAS")


def test_a_mask_on_the_grid_of_its_image_is_taken_as_it_is() -> None:
    image = Volume.from_array(np.zeros((4, 5, 6)), turned(10))
    labels = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    found, caveats = mask_on(Volume.from_array(labels, turned(10)), image)
    np.testing.assert_array_equal(found, labels)
    assert caveats == ()
    found, _ = mask_on(Volume.from_array(labels.astype(np.float32), turned(10)), image)
    assert found.dtype == np.int32
    with pytest.raises(InputError, match="whole numbers"):
        mask_on(Volume.from_array(labels + 0.5, turned(10)), image)


def test_a_mask_of_equal_shape_on_another_grid_is_never_used_by_index() -> None:
    shape, centre = (30, 30, 30), (14.0, 15.0, 13.0)
    image = Volume.from_array(np.zeros(shape), np.eye(4))
    shifted = np.eye(4)
    shifted[:3, 3] = (4, -3, 2)
    mask = ball(shifted, shape, centre, 6)
    found, caveats = mask_on(mask, image)
    assert caveats == (MOVED,)
    assert not np.array_equal(found, mask.stored)
    np.testing.assert_array_equal(found, ball(np.eye(4), shape, centre, 6).stored)


@given(
    st.floats(-40, 40),
    st.sampled_from(CODES),
    st.tuples(*[st.floats(0.6, 2.5)] * 3),
    st.tuples(*[st.floats(18, 24)] * 3),
)
@settings(max_examples=25, deadline=None)
def test_a_ball_keeps_its_place_on_any_grid(
    degrees: float, codes: str, sides: tuple[float, float, float], centre: tuple[float, float, float]
) -> None:
    image = Volume.from_array(np.zeros((44, 44, 44), np.uint8), np.eye(4))
    affine = turned(degrees, sides)
    corner = np.array(centre) - affine[:3, :3] @ (np.array([20, 20, 20]) / np.array(sides) * 0.9)
    affine[:3, 3] = corner
    shape = tuple(int(np.ceil(40 / side)) for side in sides)
    mask = reoriented(ball(affine, (shape[0], shape[1], shape[2]), centre, 9), codes).volume
    found, _ = mask_on(mask, image)
    distance = np.linalg.norm(np.stack(np.mgrid[0:44, 0:44, 0:44], axis=-1) - np.array(centre), axis=-1)
    reach = float(np.linalg.norm(sides)) / 2  # a voxel centre lies at most this far from the nearest of the mask
    assert distance[found == 1].max() <= 9 + reach + 1e-6
    assert (found[distance <= 9 - reach - 1e-6] == 1).all()


def test_volumes_that_do_not_meet_or_are_not_placed_are_refused() -> None:
    image = Volume.from_array(np.zeros((10, 10, 10)), np.eye(4))
    far = np.eye(4)
    far[0, 3] = 100
    with pytest.raises(InputError, match="do not overlap"):
        mask_on(Volume.from_array(np.zeros((10, 10, 10), np.uint8), far), image)
    with pytest.raises(InputError, match="how it lies"):
        mask_on(Volume.from_array(np.zeros((10, 10, 10), np.uint8)), image)
    assert overlap(image, image) == 1.0


def test_values_are_interpolated_onto_another_grid_and_missing_ones_stay_missing() -> None:
    x = np.mgrid[0:10, 0:10, 0:10][0].astype(np.float32)
    coarse = Volume.from_array(x * 2, np.diag([2.0, 2, 2, 1]), modality="PT")
    fine = Volume.from_array(np.zeros((25, 12, 12)), np.eye(4))
    found = onto(coarse, fine)
    np.testing.assert_allclose(found.values()[:19, 5, 5], np.arange(19), atol=1e-5)
    assert np.isnan(found.values()[20:]).all() and found.header.modality == "PT"
    assert any("not finite" in caveat for caveat in found.info.caveats)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SRA"])
def test_monai_spacing_agrees_with_a_lookup_by_position(codes: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(21, 18, 12)).astype(np.float32)
    affine = turned(12, (0.8, 0.7, 2.5))
    affine[:3, 3] = (10, 20, 30)
    volume = Volume.from_array(values, affine, unit="HU", modality="CT")
    made = resampled(volume, (1.5, 1.2, 1.0), codes)
    assert made.volume.orientation.codes == codes and made.volume.spacing_mm == pytest.approx((1.5, 1.2, 1.0))
    looked_up = onto(volume, made.volume).values()
    inside = np.isfinite(looked_up)
    assert inside.mean() > 0.7
    np.testing.assert_allclose(made.volume.values()[inside], looked_up[inside], atol=2e-5)
    mask = made.volume.stored > 0
    back = made.back(mask)
    assert back.shape == volume.shape and back.dtype == np.bool_
    by_position, _ = mask_on(Volume.from_array(mask, made.volume.affine), volume)
    outside = overlap_mask(volume, made.volume)
    np.testing.assert_array_equal(back[outside], by_position.astype(bool)[outside])


def overlap_mask(volume: Volume, other: Volume) -> NDArray[np.bool_]:
    """Voxels of `volume` whose centre lies between voxel centres of `other`, and not at the edge of two voxels."""
    places = np.stack(np.meshgrid(*(np.arange(n) for n in volume.shape), indexing="ij"), axis=-1)
    found = other.to_index(volume.to_mm(places))
    clear = (np.abs(found - np.floor(found) - 0.5) > 1e-4).all(axis=-1)
    return np.asarray(clear & ((found >= 0) & (found <= np.array(other.shape) - 1)).all(axis=-1))


def test_labels_go_to_a_finer_grid_and_return_exactly() -> None:
    labels = np.random.default_rng(1).integers(0, 118, (14, 12, 9)).astype(np.uint8)
    affine = np.array([[-2.0, 0, 0, 40], [0, 0, 2.4, -10], [0, -3.0, 0, 7], [0, 0, 0, 1]])
    volume = Volume.from_array(labels, affine)
    made = resampled(volume, (0.5, 0.5, 0.5), "RAS", nearest=True)
    assert made.volume.dtype == np.uint8
    back = made.back(made.volume.stored)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, labels)
    with pytest.raises(InputError, match="mask of this grid"):
        made.back(labels)


def test_an_unchanged_spacing_touches_no_value() -> None:
    volume = Volume.from_array(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.diag([-1.0, 2, 3, 1]))
    made = resampled(volume, (1, 2, 3))
    assert made.volume.dtype == np.int16 and np.shares_memory(made.volume.stored, volume.stored)
    for spacing in ((0, 1, 1), (1, 1), (1, float("nan"), 1)):
        with pytest.raises(UsageError, match="three numbers"):
            resampled(volume, spacing)
    big = Volume.from_array(np.zeros((300, 300, 300), np.uint8), np.diag([4.0, 4, 4, 1]))
    with pytest.raises(UnsupportedImage, match="above the limit"):
        resampled(big, (0.05, 0.05, 0.05))
