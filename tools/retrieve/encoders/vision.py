"""Vision transformers without words from a local folder: DINOv2, DINOv3, ViT and ViT-MAE."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.tools.retrieve.encoders.base import EncoderCard, ImageEncoder, Picture, unit
from secondread.tools.retrieve.encoders.local import fingerprint, read

BATCH = 16


class VisionEncoder(ImageEncoder):
    """The class token of the last layer beside the mean of the patches."""

    def __init__(self, folder: Path) -> None:
        self._model, self._pictures = read(folder, "a vision encoder", _load(folder))
        self._masks = getattr(self._model.config, "mask_ratio", None) is not None
        if self._masks:
            self._model.config.mask_ratio = 0.0
        probe = np.zeros((32, 32, 3), np.uint8)
        self.card = EncoderCard(
            name=folder.name,
            fingerprint=fingerprint(folder),
            dimension=int(self._run([probe]).shape[1]),
            takes=("images",),
            good_for="what its own card says",
            licence="see the folder of the weights",
        )

    def embed_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, dimension)."""
        parts = [self._run(list(pictures[i : i + BATCH])) for i in range(0, len(pictures), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, self.card.dimension), np.float32)

    def _run(self, pictures: list[Picture]) -> NDArray[np.float32]:
        import torch

        shown = dict(self._pictures(images=pictures, return_tensors="pt"))
        if self._masks:  # a masked autoencoder puts patches in the order of this noise, which is random unless given
            config = self._model.config
            count = (int(config.image_size) // int(config.patch_size)) ** 2
            shown["noise"] = torch.arange(count, dtype=torch.float32).expand(len(pictures), -1)
        with torch.inference_mode():
            found = self._model(**shown).last_hidden_state
        tokens = 1 + int(getattr(self._model.config, "num_register_tokens", 0) or 0)
        return unit(torch.cat([found[:, 0], found[:, tokens:].mean(1)], dim=1).float().numpy())


def _load(folder: Path) -> Any:
    def load(transformers: Any) -> tuple[Any, Any]:
        model = transformers.AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        return model, transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)

    return load


def load(folder: Path) -> VisionEncoder:
    """The encoder in a folder.

    Raises:
        InputError: The folder holds something else.
        ToolUnavailable: transformers is not installed.
    """
    return VisionEncoder(folder)
