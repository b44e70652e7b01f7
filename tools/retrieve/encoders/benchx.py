"""The image tower of a two-tower checkpoint (ConVIRT, MGCA, BenchX layouts): a ResNet-50 under some prefix."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, ToolUnavailable
from secondread.tools.retrieve.encoders.base import EncoderCard, ImageEncoder, Picture, unit
from secondread.tools.retrieve.encoders.local import fingerprint

SIDE = 224
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, with which these towers were started; a `preprocess.json` in the folder may state others."""
BATCH = 16
_MARK = "layer4.2.conv3.weight"
"""A key that only a ResNet of 50 layers or more has, in torchvision's names."""


class ImageTower(ImageEncoder):
    """Mean of the last feature map of the ResNet-50 in a checkpoint."""

    def __init__(self, folder: Path) -> None:
        try:
            import torchvision
        except ImportError as error:
            raise ToolUnavailable(
                "This encoder needs torchvision.", hint="Install the extra: pip install 'secondread[train]'."
            ) from error
        from torch import nn

        self._network = torchvision.models.resnet50(weights=None)
        self._network.fc = nn.Identity()
        state = tower(_checkpoint(folder))
        missing, _ = self._network.load_state_dict(state, strict=False)
        lacking = [k for k in missing if not k.endswith("num_batches_tracked")]
        if lacking:
            raise InputError(f"The checkpoint in {folder} lacks {len(lacking)} tensors, first {lacking[0]}.")
        self._network.eval().requires_grad_(False)
        stated = _preprocess(folder)
        self._mean, self._spread = stated.get("mean", MEAN), stated.get("std", SPREAD)
        self.card = EncoderCard(
            name=folder.name,
            fingerprint=fingerprint(folder),
            dimension=2048,
            takes=("images",),
            good_for="what its own card says",
            licence="see the folder of the weights",
        )

    def embed_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, 2048)."""
        import torch
        from PIL import Image

        made: list[NDArray[np.float32]] = []
        for start in range(0, len(pictures), BATCH):
            small = [
                np.asarray(Image.fromarray(np.ascontiguousarray(p)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
                for p in pictures[start : start + BATCH]
            ]
            shown = (np.stack(small).astype(np.float32) / 255 - np.array(self._mean, np.float32)) / np.array(
                self._spread, np.float32
            )
            with torch.inference_mode():
                made.append(unit(self._network(torch.from_numpy(shown).permute(0, 3, 1, 2)).numpy()))
        return np.concatenate(made) if made else np.zeros((0, 2048), np.float32)


def tower(state: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors of the ResNet in a state dict, without the prefix under which they stand.

    Raises:
        InputError: There is no ResNet-50 in it, or more than one.
    """
    prefixes = sorted({k[: -len(_MARK)] for k in state if k.endswith(_MARK)}, key=len)
    if not prefixes:
        raise InputError("The checkpoint holds no ResNet-50 in torchvision's names.")
    online = [p for p in prefixes if "_k." not in p and "momentum" not in p]
    if len(online) > 1:
        raise InputError(f"The checkpoint holds more than one image tower: {', '.join(online)[:120]}.")
    prefix = (online or prefixes)[0]
    return {
        k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix) and not k[len(prefix) :].startswith("fc.")
    }


def _checkpoint(folder: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for path in sorted(folder.glob("*.safetensors")):
        try:
            tensors: dict[str, Any] = load_file(path)
            return tensors
        except SafetensorError as error:
            raise InputError(f"{path} is damaged: {error}.") from error
    for path in sorted([*folder.glob("*.pth"), *folder.glob("*.ckpt"), *folder.glob("*.pt")]):
        import pickle

        import torch

        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, OSError, EOFError) as error:
            raise InputError(
                f"{path} cannot be read as plain weights.", hint="Save it as safetensors; code in pickles is not run."
            ) from error
        for key in ("state_dict", "model", "net"):
            if isinstance(found, dict) and isinstance(found.get(key), dict):
                found = found[key]
        if isinstance(found, dict):
            return found
        raise InputError(f"{path} holds no state dict.")
    raise InputError(f"{folder} holds no checkpoint (.safetensors, .pth, .ckpt, .pt).")


def _preprocess(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "preprocess.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def load(folder: Path) -> ImageTower:
    """The encoder in a folder.

    Raises:
        InputError: The folder holds something else.
        ToolUnavailable: torchvision is not installed.
    """
    return ImageTower(folder)
