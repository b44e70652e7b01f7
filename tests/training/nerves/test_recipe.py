"""Groups, views and loss of the nerve and vessel recipe, on drawn data."""

import numpy as np
import torch
from numpy.typing import NDArray

from secondread.training.nerves.augment import view
from secondread.training.nerves.data import Scan
from secondread.training.nerves.fit import loss_of
from secondread.training.nerves.groups import ALIKE, group, likeness, thumbnail


def scene(seed: int, rows: int = 300, columns: int = 320) -> NDArray[np.uint8]:
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(0, 1, (rows, columns)), 12)
    return np.clip(110 + 60 * smooth / smooth.std(), 30, 255).astype(np.uint8)


def test_the_same_scene_a_moment_later_shares_a_group_and_another_one_does_not() -> None:
    first, other = scene(1), scene(2)
    rng = np.random.default_rng(0)
    later = np.clip(np.roll(first, (6, -9), (0, 1)) * 0.8 + rng.normal(0, 4, first.shape), 0, 255).astype(np.uint8)
    framed = np.zeros((400, 448), np.uint8)
    framed[20:320, 60:380] = later
    alike = likeness([thumbnail(i) for i in (first, other, framed)])
    assert alike[0, 2] > ALIKE > alike[0, 1]
    assert np.array_equal(alike, alike.T) and not alike.diagonal().any()
    assert group(["0001", "0002", "0003"], alike) == ["0001", "0002", "0001"]


def test_look_alikes_of_look_alikes_share_a_group() -> None:
    alike = np.array([[0, 0.9, 0.1], [0.9, 0, 0.9], [0.1, 0.9, 0]], np.float32)
    assert group(["a", "b", "c"], alike) == ["a", "a", "a"]


def drawn() -> Scan:
    labels = np.zeros((200, 224), np.uint8)
    labels[60:110, 60:120], labels[120:180, 130:200] = 1, 2
    image = np.choose(labels, [90, 200, 10]).astype(np.uint8)
    return Scan("a", "a", 0, image, image, labels)


def test_masks_follow_the_picture() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        image, labels = view(drawn(), 128, rng)
        assert image.shape == (1, 128, 128) and labels.shape == (128, 128)
        assert 0 <= image.min() <= image.max() <= 1
        assert set(labels.unique().tolist()) <= {0, 1, 2}
        if (labels == 1).sum() > 50 and (labels == 2).sum() > 50:
            assert image[0][labels == 1].mean() > image[0][labels == 2].mean() + 0.2


def test_loss_is_near_zero_for_the_truth() -> None:
    target = torch.from_numpy(drawn().labels[None]).long()
    logits = 30 * torch.nn.functional.one_hot(target, 3).permute(0, 3, 1, 2).float()
    assert loss_of(logits, (target, target)) < 0.01
    assert loss_of(-logits, (target, target)) > 1
