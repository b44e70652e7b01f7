"""The shipped hippocampus networks."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.schema.errors import ToolUnavailable
from secondread.tools.weights_file import FOLDER, WeightsFile

if TYPE_CHECKING:
    import torch

    from secondread.tools.segment.hippocampus.network import HippocampusNet

WEIGHTS = WeightsFile("hippocampus", "secondread.training.hippocampus", licence="CC-BY-SA-4.0")
"""Share-alike because of the training data."""


def load_networks(folder: Path = FOLDER) -> "dict[int, HippocampusNet]":
    """Fold to the network that has not seen it, in evaluation mode.

    Raises:
        ToolUnavailable: A file is missing, damaged, foreign, or does not say that it was trained.
    """
    return networks_of(WEIGHTS.states(folder))


def networks_of(states: "list[dict[str, torch.Tensor]]") -> "dict[int, HippocampusNet]":
    """Networks from their weights.

    Raises:
        ToolUnavailable: The weights are those of another network.
    """
    from secondread.tools.segment.hippocampus.network import HippocampusNet

    networks = {}
    for member, state in enumerate(states):
        network = HippocampusNet()
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ToolUnavailable(f"The weights in {WEIGHTS.file} do not fit the network.") from error
        networks[member] = network.eval().requires_grad_(False)
    return networks
