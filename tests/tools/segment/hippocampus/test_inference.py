"""Segmentation of crops: the grid of the answer, axis orders, refusals; and one real crop with the shipped networks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from secondread.schema.errors import NotApplicable, ToolUnavailable
from secondread.tools.segment.hippocampus.inference import LOOKS, STRUCTURES, segment
from secondread.tools.segment.hippocampus.network import HippocampusNet


@pytest.fixture(scope="module")
def nets() -> dict[int, HippocampusNet]:
    """Two networks of chance weights: good enough for what must hold of any."""
    found = {}
    for member in (0, 3):
        torch.manual_seed(member)
        found[member] = HippocampusNet().eval().requires_grad_(False)
    return found


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    from scipy import ndimage

    noise = np.random.default_rng(0).normal(size=(33, 45, 30))
    return ndimage.gaussian_filter(noise, 2).astype(np.float32)


def test_masks_lie_on_the_grid_of_the_crop_and_do_not_overlap(
    nets: dict[int, HippocampusNet], crop: np.ndarray
) -> None:
    found = segment(crop, np.eye(4), nets)
    assert all(m.shape == crop.shape and m.dtype == bool for m in found.masks.values())
    assert not (found.masks[STRUCTURES[0]] & found.masks[STRUCTURES[1]]).any()
    assert found.uncertainty.shape == crop.shape
    assert found.uncertainty.min() >= 0 and found.uncertainty.max() <= 1.0001
    assert len(found.samples) == 2 * len(LOOKS)


def test_another_axis_order_gives_the_same_masks_turned(nets: dict[int, HippocampusNet], crop: np.ndarray) -> None:
    plain = segment(crop, np.eye(4), nets)
    affine = np.array([[0, 0, -1, 32], [1, 0, 0, 0], [0, -1, 0, 29], [0, 0, 0, 1.0]])
    stored = crop.transpose(1, 2, 0)[:, ::-1, ::-1].copy()
    other = segment(stored, affine, nets)
    for name in STRUCTURES:
        assert np.array_equal(other.masks[name], plain.masks[name].transpose(1, 2, 0)[:, ::-1, ::-1])


def test_gain_and_offset_of_the_scanner_change_nothing(nets: dict[int, HippocampusNet], crop: np.ndarray) -> None:
    plain, other = segment(crop, np.eye(4), nets), segment(5000 * crop + 900, np.eye(4), nets)
    for name in STRUCTURES:
        assert (plain.masks[name] != other.masks[name]).mean() < 0.01


def test_a_half_millimetre_grid_gets_maps_of_its_own_size_and_like_values(
    nets: dict[int, HippocampusNet], crop: np.ndarray
) -> None:
    fine = np.repeat(np.repeat(np.repeat(crop, 2, 0), 2, 1), 2, 2)
    plain, found = segment(crop, np.eye(4), nets), segment(fine, np.diag([0.5, 0.5, 0.5, 1.0]), nets)
    assert all(found.masks[name].shape == fine.shape for name in STRUCTURES)
    assert found.voxel_mm3 == pytest.approx(0.125)
    blocks = found.uncertainty.reshape(33, 2, 45, 2, 30, 2).mean((1, 3, 5))
    assert np.corrcoef(blocks.ravel(), plain.uncertainty.ravel())[0, 1] > 0.9


def test_a_member_alone_is_that_network(nets: dict[int, HippocampusNet], crop: np.ndarray) -> None:
    alone = segment(crop, np.eye(4), nets, [3])
    again = segment(crop, np.eye(4), {3: nets[3]})
    assert {s.member for s in alone.samples} == {3}
    assert np.array_equal(alone.uncertainty, again.uncertainty)


def test_a_network_that_is_not_loaded_is_refused(nets: dict[int, HippocampusNet], crop: np.ndarray) -> None:
    with pytest.raises(ToolUnavailable, match=r"\[7\]"):
        segment(crop, np.eye(4), nets, [7])
    with pytest.raises(ToolUnavailable, match="No hippocampus network"):
        segment(crop, np.eye(4), {})


def test_a_whole_head_is_refused_before_any_network_looks() -> None:
    head = np.random.default_rng(0).random((90, 110, 95), np.float32)
    with pytest.raises(NotApplicable, match="whole head"):
        segment(head, np.diag([2.0, 2.0, 2.0, 1.0]), {0: None})  # type: ignore[dict-item]  # must not be called


@pytest.mark.data
def test_a_crop_of_the_set_is_outlined_by_the_network_that_has_not_seen_it(data_dir: Path) -> None:
    from secondread.evals.metrics import dice
    from secondread.tools.segment.hippocampus.weights import load_networks
    from secondread.training.hippocampus.data import load_cases

    case = load_cases(data_dir / "mr_hippocampus_msd")[0]
    found = segment(case.values, np.eye(4), load_networks(), [case.fold])
    assert found.plausible, found.reasons
    assert all(dice(found.masks[name], case.labels == k) > 0.75 for k, name in enumerate(STRUCTURES, 1))
