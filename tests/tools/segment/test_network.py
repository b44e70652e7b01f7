"""The network for inference computes what the trained one does."""

import pytest
import torch

from secondread.tools.segment.network import ChestAnatomyNet


def scramble(net: torch.nn.Module) -> None:
    """Batch-norm statistics and slopes that differ from their start values."""
    generator = torch.Generator().manual_seed(5)
    for name, value in net.state_dict().items():
        if value.dtype.is_floating_point:
            noise = torch.rand(value.shape, generator=generator)
            value.copy_(0.5 + noise if "running_var" in name else (noise - 0.5) * 0.2)


def test_folding_batch_norms_leaves_the_outputs_alone() -> None:
    net = ChestAnatomyNet().eval()
    scramble(net)
    film = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = net(film)
        net.fuse()
        assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
        assert torch.allclose(net(film), before, atol=1e-5)
    assert before.shape == (1, 4, 64, 64)
    assert before.std() > 1e-3


@pytest.mark.slow
def test_twin_of_the_monai_network_has_its_keys_and_outputs() -> None:
    pytest.importorskip("monai")
    from secondread.training.anatomy.fit import build_net

    trained, twin = build_net().eval(), ChestAnatomyNet().eval()
    scramble(trained)
    twin.load_state_dict(trained.state_dict())
    film = torch.rand(2, 1, 256, 256, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert torch.equal(trained(film), twin(film))
