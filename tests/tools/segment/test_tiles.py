"""A network gives the same maps in tiles as in one piece, and flips undo themselves."""

import numpy as np
import pytest
import torch

from secondread.tools.segment import tiles
from secondread.tools.segment.unet_network import UNet


@pytest.fixture
def network() -> UNet:
    torch.manual_seed(1)
    return UNet(1, 2, (4, 8)).eval()


def test_tiles_agree_with_the_whole(network: UNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "bf16", lambda: False)
    image = np.random.default_rng(0).random((1, 150, 210)).astype(np.float32)
    whole = tiles.logits(network, image, ((),))
    monkeypatch.setattr(tiles, "TILE", 48)
    monkeypatch.setattr(tiles, "MARGIN", 16)
    parts = tiles.logits(network, image, ((),))
    assert parts.shape == (2, 150, 210)
    assert torch.allclose(parts, whole, atol=1e-4)


@pytest.mark.parametrize("shape", [(33, 47), (16, 16), (3, 90)])
def test_any_size_comes_back_as_it_was(network: UNet, shape: tuple[int, int]) -> None:
    assert tiles.logits(network, np.zeros((1, *shape), np.float32)).shape == (2, *shape)


def test_a_mirrored_image_gives_mirrored_maps(network: UNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "bf16", lambda: False)
    image = np.random.default_rng(1).random((1, 32, 48)).astype(np.float32)
    there = tiles.logits(network, image)
    back = tiles.logits(network, np.ascontiguousarray(image[:, :, ::-1]))
    assert torch.allclose(there, back.flip(2), atol=1e-4)
