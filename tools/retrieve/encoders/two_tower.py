"""CLIP and SigLIP families from a local folder: images and texts in one space."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.tools.retrieve.encoders.base import EncoderCard, Picture, unit
from secondread.tools.retrieve.encoders.local import fingerprint, read

BATCH = 16


class TwoTowerEncoder:
    """A model with `get_image_features` and `get_text_features` in the layout of transformers."""

    def __init__(self, folder: Path) -> None:
        parts = read(folder, "an image and text encoder", _load(folder))
        self._model, self._pictures, self._words = parts
        dimension = int(self.embed_texts(["x"]).shape[1])
        self.card = EncoderCard(
            name=folder.name,
            fingerprint=fingerprint(folder),
            dimension=dimension,
            takes=("images", "texts"),
            good_for="what its own card says; finding images by words and the reverse",
            licence="see the folder of the weights",
        )

    def embed_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, dimension)."""
        return self._embed(pictures, self._images)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, dimension); longer texts are cut to what the model takes."""
        return self._embed(texts, self._texts)

    def _embed(self, things: Sequence[Any], run: Any) -> NDArray[np.float32]:
        import torch

        made: list[NDArray[np.float32]] = []
        for start in range(0, len(things), BATCH):
            with torch.inference_mode():
                found = run(list(things[start : start + BATCH]))
            found = getattr(found, "pooler_output", found)
            made.append(unit(found.float().numpy()))
        return np.concatenate(made) if made else np.zeros((0, self.card.dimension), np.float32)

    def _images(self, pictures: list[Picture]) -> Any:
        return self._model.get_image_features(**self._pictures(images=pictures, return_tensors="pt"))

    def _texts(self, texts: list[str]) -> Any:
        # SigLIP was trained on texts padded to the full length; CLIP masks what is padded, so both may be
        words = self._words(
            texts, padding="max_length", truncation=True, max_length=self._length(), return_tensors="pt"
        )
        taken = {k: v for k, v in words.items() if k in ("input_ids", "attention_mask")}
        return self._model.get_text_features(**taken)

    def _length(self) -> int:
        return int(self._model.config.text_config.max_position_embeddings)


def _load(folder: Path) -> Any:
    def load(transformers: Any) -> tuple[Any, Any, Any]:
        model = transformers.AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        pictures = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        words = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return model, pictures, words

    return load


def load(folder: Path) -> TwoTowerEncoder:
    """The encoder in a folder.

    Raises:
        InputError: The folder holds something else.
        ToolUnavailable: transformers is not installed.
    """
    return TwoTowerEncoder(folder)
