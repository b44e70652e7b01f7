"""Targets, pieces and loss of the nucleus recipe, on drawn data."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.training.nuclei.augment import LARGE, SMALL, piece
from secondread.training.nuclei.data import Field, read_index, targets_of
from secondread.training.nuclei.fit import loss_of


def labels() -> NDArray[np.int32]:
    y, x = np.mgrid[:120, :140]
    drawn = np.zeros((120, 140), np.int32)
    drawn[np.hypot(y - 60, x - 40) <= 20] = 1
    drawn[(np.hypot(y - 60, x - 80) <= 20) & (drawn == 0)] = 2
    return drawn


def field() -> Field:
    drawn = labels()
    image = np.repeat(np.where(drawn > 0, 200, 20).astype(np.uint8)[..., None], 3, 2)
    return Field("a", "fluor", "140x120", 0, image, "fluorescence", drawn, 40.0, targets_of(drawn))


def test_cores_lie_inside_and_apart_and_contact_lies_between() -> None:
    from scipy import ndimage

    targets = targets_of(labels()) > 0
    inside, contact, core = targets[..., 0], targets[..., 1], targets[..., 2]
    assert np.array_equal(inside, labels() > 0)
    assert ndimage.label(inside)[1] == 1 and ndimage.label(core)[1] == 2
    assert (core & ~inside).sum() == 0
    rows, columns = np.nonzero(contact)
    assert 57 <= columns.min() <= columns.max() <= 63 and 45 <= rows.min() <= rows.max() <= 75


def test_pieces_show_nuclei_at_the_size_that_the_network_is_used_for() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        image, targets = piece(field(), 96, rng)
        assert image.shape == targets.shape == (3, 96, 96)
        assert 0 <= image.min() <= image.max() <= 1
        assert set(targets.unique().tolist()) <= {0.0, 1.0}
        bright = image.mean(0) > (image.mean(0).min() + image.mean(0).max()) / 2
        if targets[0].any() and not targets[0].all():
            assert (bright == (targets[0] > 0)).float().mean() > 0.9
    assert SMALL < LARGE < 40


def test_loss_is_small_for_the_truth_and_large_for_its_opposite() -> None:
    targets = torch.from_numpy(targets_of(labels())[:112, :128] / 255).permute(2, 0, 1)[None].float()
    right = loss_of(20 * (2 * targets - 1), (targets, targets))
    wrong = loss_of(-20 * (2 * targets - 1), (targets, targets))
    assert right < 0.05 < 10 < wrong


def test_a_folder_without_an_index_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]  # pytest's path
    with pytest.raises(InputError, match=r"No index\.csv"):
        read_index(tmp_path)
