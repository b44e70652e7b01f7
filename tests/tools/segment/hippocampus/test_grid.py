"""Crops of any axis order and voxel size are brought to one grid, and maps back to theirs."""

import itertools

import numpy as np
import pytest

from secondread.tools.segment.hippocampus.grid import from_grid, normalise, padded, resampled, size_mm, to_grid, turn_of

ORDERS = list(itertools.permutations(range(3)))


def turned(values: np.ndarray, order: tuple[int, ...], flips: tuple[bool, ...]) -> tuple[np.ndarray, np.ndarray]:
    """An RAS array stored in another axis order and sense, with the affine that says so."""
    stored = values.transpose(order)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, patient in enumerate(order):
        affine[patient, axis] = -1 if flips[axis] else 1
        affine[patient, 3] = values.shape[patient] - 1 if flips[axis] else 0
    return np.flip(stored, [a for a in range(3) if flips[a]]).copy(), affine


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True), (True, True, True)])
def test_any_axis_order_gives_the_same_grid_and_comes_back(
    order: tuple[int, int, int], flips: tuple[bool, bool, bool]
) -> None:
    values = np.random.default_rng(0).random((5, 7, 9), np.float32)
    stored, affine = turned(values, order, flips)
    turn = turn_of(stored.shape, affine)
    assert np.array_equal(to_grid(stored, turn), to_grid(values, turn_of(values.shape, np.eye(4))))
    assert np.array_equal(from_grid(values[None], turn)[0], stored)


def test_size_counts_voxels_times_their_sides() -> None:
    affine = np.diag([2.0, -0.5, 1.5, 1.0])
    assert size_mm(turn_of((10, 20, 30), affine)) == (20.0, 10.0, 45.0)


def test_coarse_and_fine_voxels_come_to_one_millimetre() -> None:
    coarse = np.zeros((10, 12, 14), np.float32)
    coarse[:5] = 1
    turn = turn_of(coarse.shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    grid = to_grid(coarse, turn)
    assert grid.shape == (20, 24, 28)
    assert (grid[:9] > 0).all() and (grid[11:] < 0).all()
    assert from_grid(grid[None], turn).shape == (1, 10, 12, 14)


def test_thinning_out_averages() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), 20)[:, None, None] * np.ones((1, 4, 4), np.float32)
    assert np.abs(resampled(stripes, (10, 4, 4))[2:-2] - 0.5).max() < 0.1


def test_normalising_forgets_gain_and_offset() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=(8, 9, 10)).astype(np.float32)
    assert normalise(values) == pytest.approx(normalise(300 * values + 70), abs=1e-3)
    assert normalise(values).mean() == pytest.approx(0, abs=1e-4)
    assert normalise(values).std() == pytest.approx(1, abs=1e-4)
    assert normalise(values).dtype == np.float32


def test_a_flat_crop_becomes_zero() -> None:
    assert not normalise(np.full((4, 4, 4), 7, np.float32)).any()


def test_padding_repeats_the_border_to_multiples_of_eight() -> None:
    values = np.random.default_rng(2).random((9, 8, 3), np.float32)
    whole, where = padded(values)
    assert whole.shape == (16, 8, 8)
    assert np.array_equal(whole[where], values)
    assert np.array_equal(whole[0, :, 2], values[0, :, 0])
