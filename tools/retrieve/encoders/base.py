"""What an encoder is, and the registry that finds one by name or by a folder of weights."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, UsageError
from secondread.schema.record import Record

Picture = NDArray[np.uint8]
"""Red, green and blue, shape (rows, columns, 3)."""
Takes = Literal["images", "texts"]


class EncoderCard(Record):
    """What an encoder is and what its vectors are good for."""

    name: str
    """Short, stored beside the vectors."""
    fingerprint: str
    """Hash over weights and preprocessing: vectors of different fingerprints are never compared."""
    dimension: int
    takes: tuple[Takes, ...]
    """What it embeds; one that takes both has one space for both."""
    good_for: str
    licence: str


class Encoder(Protocol):
    """Images or texts to unit vectors; a batch gives what its members give alone."""

    card: EncoderCard

    def embed_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, dimension) of pictures."""

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors float32 (n, dimension) of texts."""


class ImageEncoder:
    """Base of encoders that take images only."""

    card: EncoderCard

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Refused.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"The encoder {self.card.name} takes images, no texts.")


class TextEncoder:
    """Base of encoders that take texts only."""

    card: EncoderCard

    def embed_images(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Refused.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"The encoder {self.card.name} takes texts, no images.")


BUILT_IN: dict[str, str] = {
    "trunk": "secondread.tools.retrieve.encoders.trunk:TrunkEncoder",
    "pixels": "secondread.tools.retrieve.encoders.pixels:PixelEncoder",
}
"""Encoders that need no weights of the user, by name."""
FAMILIES: dict[str, str] = {
    "clip": "secondread.tools.retrieve.encoders.two_tower:load",
    "siglip": "secondread.tools.retrieve.encoders.two_tower:load",
    "dinov2": "secondread.tools.retrieve.encoders.vision:load",
    "dinov3": "secondread.tools.retrieve.encoders.vision:load",
    "mae": "secondread.tools.retrieve.encoders.vision:load",
    "benchx": "secondread.tools.retrieve.encoders.benchx:load",
    "sentence": "secondread.tools.retrieve.encoders.sentences:load",
}
"""Families of local weights: `FAMILY:FOLDER`, or the folder alone when its files say which family it is."""
DEFAULT_IMAGES = "trunk"


def encoder(name: str) -> Encoder:
    """The encoder of a name, `FAMILY:FOLDER` or a folder.

    Raises:
        UsageError: No such encoder or family.
        InputError: The folder does not exist or does not say what it is.
        ToolUnavailable: Weights are damaged, or an extra is not installed.
    """
    if name in BUILT_IN:
        made: Encoder = _at(BUILT_IN[name])()
        return made
    family, colon, rest = name.partition(":")
    if colon and family in FAMILIES:
        folder = Path(rest).expanduser()
    elif Path(name).expanduser().is_dir():
        folder = Path(name).expanduser()
        family = _family(folder)
    else:
        known = ", ".join([*BUILT_IN, *(f"{f}:FOLDER" for f in FAMILIES)])
        raise UsageError(f"There is no encoder {name[:80]!r}.", hint=f"Known: {known}.")
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", hint="Encoders are read from local folders only.")
    loaded: Encoder = _at(FAMILIES[family])(folder)
    return loaded


def _at(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _family(folder: Path) -> str:
    """Which family a folder of weights belongs to, by its own files."""
    import json

    if (folder / "modules.json").is_file() or (folder / "sentence_bert_config.json").is_file():
        return "sentence"
    try:
        kind = str(json.loads((folder / "config.json").read_text()).get("model_type", ""))
    except (OSError, ValueError, AttributeError):
        kind = ""
    for found, family in (
        ("clip", "clip"), ("siglip", "siglip"), ("dinov2", "dinov2"), ("dinov3", "dinov3"), ("vit_mae", "mae"),
        ("vit", "mae"), ("bert", "sentence"),
    ):  # fmt: skip
        if kind.startswith(found) or kind == found:
            return family
    raise InputError(
        f"{folder} does not say which kind of encoder it holds.", hint=f"Name it: {', '.join(FAMILIES)} and a colon."
    )


def unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Rows brought to unit length, float32; a row of zeros becomes the first axis, so that it stays a unit vector."""
    made: NDArray[np.float64] = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(made, axis=-1, keepdims=True)
    flat = (lengths < 1e-12).ravel()
    made = made / np.maximum(lengths, 1e-12)
    if flat.any():
        made[flat] = 0
        made[flat, 0] = 1
    return np.asarray(made, np.float32)
