"""The plain torch network is MONAI's DynUNet."""

import pytest
import torch

from secondread.tools.segment.hippocampus.network import CHANNELS, CLASSES, STEP, HippocampusNet


def test_output_has_the_size_of_the_input_and_three_classes() -> None:
    with torch.inference_mode():
        assert HippocampusNet()(torch.zeros(2, 1, 16, 24, 2 * STEP)).shape == (2, CLASSES, 16, 24, 16)


@pytest.mark.slow
def test_weights_of_the_monai_network_give_the_same_output() -> None:
    from monai.networks.nets import DynUNet

    torch.manual_seed(0)
    original = DynUNet(
        3, 1, CLASSES, [3] * len(CHANNELS), [1, 2, 2, 2], [2, 2, 2], filters=list(CHANNELS),
        norm_name=("INSTANCE", {"affine": True}),
    ).eval()  # fmt: skip
    twin = HippocampusNet().eval()
    # MONAI registers every block a second time under skip_layers.
    twin.load_state_dict({k: v for k, v in original.state_dict().items() if not k.startswith("skip_layers")})
    crop = torch.randn(1, 1, 16, 24, 16)
    with torch.inference_mode():
        assert torch.allclose(twin(crop), original(crop), atol=1e-5)


def test_the_network_is_small_enough_to_ship() -> None:
    assert sum(p.numel() for p in HippocampusNet().parameters()) * 2 * 5 < 4_000_000
