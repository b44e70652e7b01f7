"""The embedded image encoder: what the chest anatomy network and the router see, projected to 256 numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import ToolUnavailable
from secondread.schema.record import short_hash
from secondread.tools.retrieve.encoders.base import EncoderCard, ImageEncoder, Picture, unit
from secondread.tools.weights_file import FOLDER, WeightsFile

if TYPE_CHECKING:
    import torch

MEMBER = 0
"""The network of the anatomy ensemble whose trunk is used; the others see the same things."""
POOL = 2
"""Cells along each side in which activations are averaged, so that place is kept coarsely."""
WEIGHTS = WeightsFile("image_encoder", "secondread.training.encoder")
GOOD_FOR = (
    "finding images of the same kind, view and gross appearance (opacities, stains, sides); it knows no diagnosis, and "
    "fine findings such as a nodule do not move it"
)


class Trunk:
    """Pooled activations of the chest anatomy network beside the router's plain features."""

    def __init__(self) -> None:
        from secondread.tools.segment.weights import load_networks

        self.network = load_networks(members=[MEMBER])[MEMBER]

    def features(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """float32 (n, m): not of unit length and in no common scale; the projection takes care of both."""
        import torch

        from secondread.tools.classify.router_features import features, to_square
        from secondread.tools.segment.grid import to_grid

        made = []
        for picture in pictures:
            grey = np.asarray(picture, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
            shown = torch.from_numpy(to_grid(np.ascontiguousarray(grey)))[None, None]
            with torch.inference_mode():
                seen = [_pooled(a) for a in self._activations(shown)]
            made.append(np.concatenate([*seen, features(to_square(picture))]))
        return np.stack(made).astype(np.float32) if made else np.zeros((0, 0), np.float32)

    def _activations(self, shown: "torch.Tensor") -> "list[torch.Tensor]":
        """Outputs of the third and fourth halving and of the bottom, without the way up."""
        level: Any = self.network.model
        found: list[Any] = []
        here: Any = shown
        while True:
            here = level[0](here)
            found.append(here)
            level = level[1].submodule
            if not isinstance(level, _sequential()):
                return [*found[2:], level(here)]


def _sequential() -> type:
    from torch import nn

    return nn.Sequential


def _pooled(activation: "torch.Tensor") -> NDArray[np.float32]:
    from torch.nn import functional

    one = activation[0]
    cells = functional.adaptive_avg_pool2d(one, POOL).reshape(-1)
    parts = (cells, one.std((1, 2)), one.amax((1, 2)))
    return np.concatenate([p.float().numpy() for p in parts])


class TrunkEncoder(ImageEncoder):
    """Trunk features, standardised, projected on their principal axes, of unit length."""

    def __init__(self, folder: Path = FOLDER) -> None:
        sha256, self.mean, self.scale, self.axes = read_projection(folder)
        self.trunk = Trunk()
        self.card = EncoderCard(
            name="trunk",
            fingerprint=short_hash(["trunk", "1", sha256, MEMBER, POOL]),
            dimension=int(self.axes.shape[1]),
            takes=("images",),
            good_for=GOOD_FOR,
            licence=WEIGHTS.licence,
        )

    def embed_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, 256)."""
        if not len(pictures):
            return np.zeros((0, self.card.dimension), np.float32)
        return project(self.trunk.features(pictures), self.mean, self.scale, self.axes)


def project(
    features: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32], axes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Standardised features on their principal axes, unit vectors float32 (n, axes)."""
    return unit(((features - mean) / scale).astype(np.float64) @ axes.astype(np.float64))


def read_projection(
    folder: Path,
) -> tuple[str, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """SHA-256, mean (m,), scale (m,) and axes (m, 256) of the projection.

    Raises:
        ToolUnavailable: The file or its manifest is missing or damaged.
    """
    sha256, _ = WEIGHTS.manifest(folder)
    state = WEIGHTS.states(folder)[0]
    try:
        mean, scale, axes = (state[name].numpy() for name in ("mean", "scale", "axes"))
    except KeyError as error:
        raise ToolUnavailable("The weights of the image encoder lack a part.", hint=WEIGHTS.again) from error
    return sha256, mean, scale, axes
