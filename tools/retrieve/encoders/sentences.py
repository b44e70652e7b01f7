"""Text encoders of the sentence-transformers layout from a local folder, without that package."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.retrieve.encoders.base import EncoderCard, TextEncoder, unit
from secondread.tools.retrieve.encoders.local import fingerprint, read

BATCH = 32
LENGTH = 256


class SentenceEncoder(TextEncoder):
    """A text transformer whose token vectors are averaged, or whose first token is taken, as its folder says."""

    def __init__(self, folder: Path) -> None:
        inner, self._pooling, self._length = _layout(folder)
        self._model, self._words = read(inner, "a text encoder", _load(inner))
        self.card = EncoderCard(
            name=folder.name,
            fingerprint=fingerprint(folder),
            dimension=int(self._model.config.hidden_size),
            takes=("texts",),
            good_for="what its own card says",
            licence="see the folder of the weights",
        )

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, dimension); longer texts are cut to what the model takes."""
        import torch

        made: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), BATCH):
            words = self._words(
                list(texts[start : start + BATCH]),
                padding=True, truncation=True, max_length=self._length, return_tensors="pt",
            )  # fmt: skip
            with torch.inference_mode():
                tokens = self._model(**words).last_hidden_state
            if self._pooling == "first":
                found = tokens[:, 0]
            else:
                mask = words["attention_mask"][..., None].to(tokens.dtype)
                found = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1)
            made.append(unit(found.float().numpy()))
        return np.concatenate(made) if made else np.zeros((0, self.card.dimension), np.float32)


def _layout(folder: Path) -> tuple[Path, str, int]:
    """Folder of the transformer, `mean` or `first`, and the longest text in tokens.

    Raises:
        InputError: The folder uses a module that is not read here.
    """
    modules = _json(folder / "modules.json")
    inner, pooling, length = folder, "mean", LENGTH
    for module in modules if isinstance(modules, list) else []:
        kind, path = str(module.get("type", "")).rsplit(".", 1)[-1], folder / str(module.get("path", ""))
        if kind == "Transformer":
            inner = path
        elif kind == "Pooling":
            stated = _json(path / "config.json")
            if isinstance(stated, dict) and stated.get("pooling_mode_cls_token"):
                pooling = "first"
        elif kind != "Normalize":
            raise InputError(
                f"{folder} has a part of kind {kind!r}, which is not read.", hint="Use mean or first-token pooling."
            )
    stated = _json(folder / "sentence_bert_config.json")
    if isinstance(stated, dict) and isinstance(stated.get("max_seq_length"), int):
        length = stated["max_seq_length"]
    return inner, pooling, length


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _load(folder: Path) -> Any:
    def load(transformers: Any) -> tuple[Any, Any]:
        model = transformers.AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        return model, transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)

    return load


def load(folder: Path) -> SentenceEncoder:
    """The encoder in a folder.

    Raises:
        InputError: The folder holds something else.
        ToolUnavailable: transformers is not installed.
    """
    return SentenceEncoder(folder)
