"""The shipped vessel networks."""

from pathlib import Path
from typing import TYPE_CHECKING

from secondread.tools.weights_file import FOLDER, WeightsFile

if TYPE_CHECKING:
    from secondread.tools.segment.vessels.network import VesselNet

WEIGHTS = WeightsFile("vessels", "secondread.training.vessels", licence="CC-BY-4.0")


def load_networks(folder: Path = FOLDER) -> "dict[int, VesselNet]":
    """Fold to the network that has not seen it, in evaluation mode, batch norms folded in.

    Raises:
        ToolUnavailable: A file is missing, damaged, foreign, or does not say that it was trained.
    """
    from secondread.tools.segment.vessels.network import VesselNet

    return dict(enumerate(WEIGHTS.networks(VesselNet, folder)))
