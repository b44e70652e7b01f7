"""Files into a corpus: read, embed in batches, link to concepts, index; resumable and file by file isolated."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, SecondReadError
from secondread.tools.retrieve.ahead import Drafts, ahead
from secondread.tools.retrieve.corpus.corpus import Corpus
from secondread.tools.retrieve.encoders.base import DEFAULT_IMAGES, Encoder, encoder, unit
from secondread.tools.retrieve.index.vector_index import IndexCard, build
from secondread.tools.retrieve.readers.draft import Defaults, Draft, Pictures
from secondread.tools.retrieve.readers.walk import Source, sources
from secondread.tools.retrieve.records import IMAGE_KINDS, Item

BATCH = 64
"""Items that are embedded and written together."""
MAX_PROBLEMS = 1000
Progress = Callable[[int, str], None]
Embedded = tuple[str, NDArray[np.float32] | None] | str
"""Space and vector of an item, or what is wrong with it."""


@dataclass
class Report:
    """What a build did.

    Attributes:
        added: Items that are new or replaced.
        kept: Files that were known and unchanged.
        removed: Items of files that are gone.
        problems: (file, what was wrong with it or with a line of it), the first `MAX_PROBLEMS`.
        bad: How many problems there were.
        indices: Cards of the indices that were built.
    """

    added: int = 0
    kept: int = 0
    removed: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    bad: int = 0
    indices: list[IndexCard] = field(default_factory=list)

    def problem(self, file: str, what: str) -> None:
        """Note a problem."""
        self.bad += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append((file, what))


def ingest(
    root: Path,
    folder: Path,
    *,
    name: str = "",
    source: str = "",
    licence: str = "unknown",
    date: str = "",
    modality: str = "",
    images: str | None = DEFAULT_IMAGES,
    texts: str | None = None,
    prune: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Read files into a corpus, or bring one up to date.

    A file that was read before and has not changed is passed over, so a build that was cut off goes on where it was.

    Args:
        root: Folder, manifest or single file.
        folder: Of the corpus; made when it does not exist.
        name: Of the corpus, when it is made.
        source: Shown beside hits whose file names none.
        licence: Likewise.
        date: Likewise.
        modality: Likewise.
        images: Encoder of images; None leaves them out of image search.
        texts: Encoder of texts; None: words, concepts and the graph only.
        prune: Take out the items of files that are no longer there.
        progress: Called with the number of items so far and the file at hand.

    Raises:
        InputError: Nothing is at `root`, the corpus cannot be written, or it was built with another encoder.
    """
    report = Report()
    with Corpus.start(folder, name=name) as corpus:
        if not corpus.meta("salt"):
            corpus.set_meta("salt", secrets.token_hex(16))
        spaces = _Spaces(corpus, images, texts)
        defaults = Defaults(source or root.name, licence, date, corpus.meta("salt"), modality)
        buffer = _Buffer(corpus, spaces, report, progress)
        seen: set[str] = set()

        def fresh() -> Iterator[Source]:
            for one in sources(root, defaults, lambda what: report.problem(str(root), what)):
                seen.add(str(one.path))
                if corpus.stamp(str(one.path)) == one.stamp:
                    report.kept += 1
                else:
                    yield one

        for one, drafts in ahead(fresh()):
            buffer.take(one, drafts)
        buffer.flush()
        if prune:
            for file in set(corpus.files()) - seen:
                report.removed += corpus.forget_file(file)
        report.indices = index(corpus, spaces)
    return report


class _Buffer:
    """Drafts of several files on their way into the corpus, embedded and written together.

    A file counts as read in the transaction that holds its last item.
    """

    def __init__(self, corpus: Corpus, spaces: "_Spaces", report: Report, progress: Progress | None) -> None:
        self.corpus, self.spaces, self.report, self.progress = corpus, spaces, report, progress
        self._waiting: list[tuple[Draft, str]] = []
        self._ended: list[tuple[str, str, str]] = []

    def take(self, one: Source, drafts: Drafts) -> None:
        """Read one file; what is wrong with it is said and stays with it."""
        file = str(one.path)
        if self.corpus.stamp(file):
            self.corpus.forget_file(file)  # it has changed
        problem = ""
        try:
            for draft in drafts(partial(self.report.problem, file)):
                self._waiting.append((draft, file))
                if len(self._waiting) >= BATCH:
                    self.flush()
                    if self.progress is not None:
                        self.progress(self.report.added, one.path.name)
        except SecondReadError as error:
            problem = str(error)
            self.report.problem(file, problem)
        self._ended.append((file, one.stamp, problem))

    def flush(self) -> None:
        """Embed and store what waits; an item that cannot be embedded is left out and said."""
        fresh = [
            (d, f) for d, f in self._waiting if not self.corpus.holds(d.item, f)
        ]  # the others: a build was cut off
        members: list[tuple[Item, str, str, NDArray[np.float32] | None]] = []
        for (draft, file), made in zip(fresh, self.spaces.embed([d for d, _ in fresh]), strict=True):
            if isinstance(made, str):
                self.report.problem(file, f"{draft.item.id}: {made}")
            else:
                members.append((draft.item, file, *made))
        for space in sorted({m[2] for m in members}):
            part = [m for m in members if m[2] == space]
            items = [m[0] for m in part]
            self.corpus.add(
                items, files=[m[1] for m in part], concepts=[concepts_of(i) for i in items], space=space,
                vectors=np.stack([m[3] for m in part if m[3] is not None]) if space else None,
            )  # fmt: skip
        self.corpus.mark(self._ended)
        self.report.added += len(members)
        self._waiting, self._ended = [], []


class _Spaces:
    """The encoders of a corpus, opened when first needed, and the graph that texts are linked to."""

    def __init__(self, corpus: Corpus, images: str | None, texts: str | None) -> None:
        self.corpus = corpus
        self.wanted = {"image": images, "text": texts}
        for kind, name in self.wanted.items():
            stored = corpus.meta(f"encoder:{kind}")
            if stored and name is not None and stored != name:
                raise InputError(
                    f"The corpus was built with the {kind} encoder {stored!r}, not {name!r}.",
                    hint="Name that one, or build another corpus.",
                )
            if stored and name is None:
                self.wanted[kind] = stored
        self._open: dict[str, Encoder] = {}

    def encoder(self, kind: str) -> Encoder | None:
        """The encoder of `image` or `text`; None when there is none.

        Raises:
            InputError: The corpus holds vectors of an encoder with other weights.
        """
        name = self.wanted[kind]
        if name is None:
            return None
        if kind not in self._open:
            made = encoder(name)
            check_fingerprint(self.corpus, kind, made)
            if not self.corpus.meta(f"encoder:{kind}"):
                self.corpus.set_meta(f"encoder:{kind}", name)
                self.corpus.set_meta(f"fingerprint:{kind}", made.card.fingerprint)
                self.corpus.set_meta(f"dimension:{kind}", str(made.card.dimension))
            self._open[kind] = made
        return self._open[kind]

    def embed(self, drafts: Sequence[Draft]) -> list[Embedded]:
        """Space and unit vector of each draft, an empty space when no encoder takes it, or why it has none.

        Pictures of all drafts go through the encoder together: one at a time they would be several times slower, since
        the thread pools of two libraries take turns.
        """
        made: list[Embedded] = [("", None)] * len(drafts)
        pictured: list[tuple[int, int]] = []
        pictures: Pictures = []
        worded: list[int] = []
        for number, draft in enumerate(drafts):
            try:
                if draft.pictures is not None and self.encoder("image") is not None:
                    shown = draft.pictures()
                    pictured.append((number, len(shown)))
                    pictures += shown
                elif draft.pictures is None and draft.item.text and self.encoder("text") is not None:
                    worded.append(number)
            except SecondReadError as error:
                made[number] = str(error)
            except Exception as error:  # a decoder may fail in any way; the item is isolated and listed
                made[number] = type(error).__name__
        if pictures:
            vectors = self._images(pictures)
            start = 0
            for number, count in pictured:
                part = vectors[start : start + count]
                start += count
                bad = next((v for v in part if isinstance(v, str)), None)
                made[number] = bad if bad is not None else ("image", _mean([v for v in part if not isinstance(v, str)]))
        words = self.encoder("text") if worded else None
        if words is not None:
            texts = [f"{drafts[n].item.title}. {drafts[n].item.text}" for n in worded]
            for number, vector in zip(worded, words.embed_texts(texts), strict=True):
                made[number] = ("text", vector)
        return made

    def _images(self, pictures: Pictures) -> "list[NDArray[np.float32] | str]":
        """Vectors of pictures; when one of them breaks the batch, each alone."""
        held = self.encoder("image")
        assert held is not None
        try:
            return list(held.embed_images(pictures))
        except Exception:
            return [self._image(held, picture) for picture in pictures]

    @staticmethod
    def _image(held: Encoder, picture: NDArray[np.uint8]) -> "NDArray[np.float32] | str":
        try:
            vector: NDArray[np.float32] = held.embed_images([picture])[0]
            return vector
        except Exception as error:
            return f"it cannot be embedded: {type(error).__name__}"


def _mean(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One vector for several pictures: that of their mean."""
    return vectors[0] if len(vectors) == 1 else unit(np.stack(vectors).mean(0, keepdims=True))[0]


def concepts_of(item: Item) -> list[str]:
    """Concepts that an item names and does not deny, in its title, text and labels."""
    from secondread.kg.graph import core_graph
    from secondread.kg.link import mentions

    text = ". ".join(part for part in (item.title, item.text, *item.labels) if part)
    return [m.concept for m in mentions(text.replace("_", " "), core_graph()) if not m.negated]


def check_fingerprint(corpus: Corpus, kind: str, made: Encoder) -> None:
    """Refuse an encoder whose vectors cannot be compared with those stored.

    Raises:
        InputError: Weights, preprocessing or dimension differ.
    """
    stored = corpus.meta(f"fingerprint:{kind}")
    if stored and (stored != made.card.fingerprint or corpus.meta(f"dimension:{kind}") != str(made.card.dimension)):
        raise InputError(
            f"The vectors of the corpus were made by other weights of the {kind} encoder {made.card.name!r}.",
            hint="Build the corpus again with the encoder that is installed now.",
        )


def index(corpus: Corpus, spaces: Any = None, *, memory: int = 4 << 30) -> list[IndexCard]:
    """Build the indices of a corpus that lack one or have outgrown theirs."""
    made: list[IndexCard] = []
    for kind in ("image", "text"):
        if not corpus.meta(f"dimension:{kind}"):
            continue
        vectors = corpus.space(kind).all()
        if not len(vectors):
            continue
        card = build(vectors, corpus.folder, kind, corpus.meta(f"fingerprint:{kind}"), memory=memory)
        corpus.set_meta(f"index:{kind}", card.model_dump_json())
        made.append(card)
    return made


__all__ = ["IMAGE_KINDS", "Report", "check_fingerprint", "index", "ingest"]
