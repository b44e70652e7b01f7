"""Borders found by interpolating only where classes meet are those of interpolating everywhere."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from secondread.tools.segment.enlarge import enlarge, enlarge_classes
from secondread.tools.segment.grid import place
from secondread.tools.segment.postprocess import winner

SHAPES = [(512, 512), (432, 432), (256, 256), (90, 110), (400, 620), (777, 205), (205, 777), (1500, 1400)]


def smooth(seed: int) -> NDArray[np.float32]:
    """Four blurred random maps with sum 1, shape (4, 256, 256)."""
    from scipy import ndimage

    logits = np.random.default_rng(seed).normal(size=(4, 256, 256))
    logits = ndimage.gaussian_filter(logits, (0, 8, 8)) * 200
    found = np.exp(logits - logits.max(0))
    return np.asarray(found / found.sum(0), np.float32)


def everywhere(maps: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Bilinear maps of the padded frame by torch, without the padding."""
    where = place(rows, columns)
    size = (where.padded_rows, where.padded_columns)
    full = functional.interpolate(torch.from_numpy(maps)[None], size=size, mode="bilinear", align_corners=False)
    return full[0, :, where.top : where.top + rows, where.left : where.left + columns].numpy()


@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_those_of_torch(shape: tuple[int, int]) -> None:
    maps = smooth(0)
    assert np.abs(enlarge(maps[1], *shape) - everywhere(maps, *shape)[1]).max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_most_probable_class_is_that_of_all_maps_interpolated(shape: tuple[int, int], seed: int) -> None:
    maps = smooth(seed)
    whole = everywhere(maps, *shape)
    found, expected = enlarge_classes(maps, winner(maps), *shape), winner(whole)
    assert found.shape == shape and found.dtype == np.uint8 and len(np.unique(found)) == 4
    differ = found != expected
    best = np.sort(whole, axis=0)
    assert (best[3] - best[2])[differ].max(initial=0) < 1e-5  # ties of float32 alone
    assert differ.mean() < 1e-4


def test_a_single_class_stays_alone() -> None:
    maps = np.zeros((4, 256, 256), np.float32)
    maps[2] = 1
    assert (enlarge_classes(maps, winner(maps), 300, 280) == 2).all()
