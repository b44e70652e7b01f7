"""What a corpus holds and what a search returns."""

from typing import Literal

from pydantic import Field

from secondread.schema.record import Record

ItemKind = Literal["passage", "report", "image", "volume", "frame"]
IMAGE_KINDS: tuple[ItemKind, ...] = ("image", "volume", "frame")
TEXT_KINDS: tuple[ItemKind, ...] = ("passage", "report")
Channel = Literal["dense", "words", "concepts", "graph"]


class Item(Record):
    """One thing that can be found: a passage, a report, an image, a volume or a frame of a video."""

    id: str = Field(min_length=1, max_length=200)
    """Opaque and stable: the image store's id for pixels, `doc-` and a hash for texts."""
    kind: ItemKind
    title: str = ""
    text: str = ""
    source: str
    """Who says it, or which collection it is from; shown beside every hit."""
    licence: str = "unknown"
    date: str = ""
    """Of the source, as ISO 8601 where known."""
    patient: str = ""
    """Opaque key; items of one key are one person. Empty when it is not known."""
    study: str = ""
    """Opaque key of the study."""
    modality: str = ""
    labels: tuple[str, ...] = ()
    """What the source says of it, in its own words or as concept ids."""
    language: str = "en"


class CorpusInfo(Record):
    """What a corpus is, as shown beside its hits."""

    name: str
    version: int
    """Goes up with every change."""
    changed: str
    """UTC, ISO 8601."""
    items: int
    kinds: dict[str, int] = Field(default_factory=dict)
    encoder: str = ""
    text_encoder: str = ""
    licences: dict[str, int] = Field(default_factory=dict)


class Hit(Record):
    """One item that a search found, with the place it took in every channel that ranked it."""

    item: Item
    score: float
    """Of the fused ranking, or the similarity when one channel alone ranked."""
    similarity: float | None = None
    """Cosine between unit vectors, when a dense channel ranked it."""
    ranks: dict[str, int] = Field(default_factory=dict)
    """Channel -> rank from 1."""


class Found(Record):
    """Result of one search."""

    hits: tuple[Hit, ...]
    corpus: CorpusInfo
    below_floor: bool = False
    """Something was found, and all of it was too far from the question to count."""
    note: str = ""
    """Why there are fewer hits than asked for."""
