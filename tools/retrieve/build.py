"""Files into a corpus: read, embed in batches, link to concepts, index; resumable and file by file isolated."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.schema.errors import InputError, SecondReadError
from secondread.tools.retrieve.corpus.corpus import Corpus
from secondread.tools.retrieve.encoders.base import DEFAULT_IMAGES, Encoder, encoder, unit
from secondread.tools.retrieve.index.vector_index import IndexCard, build
from secondread.tools.retrieve.readers.draft import Defaults, Draft
from secondread.tools.retrieve.readers.walk import Source, sources
from secondread.tools.retrieve.records import IMAGE_KINDS, Item

BATCH = 64
"""Items that are embedded and written together."""
MAX_PROBLEMS = 1000
Progress = Callable[[int, str], None]


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
        for one in sources(root, defaults, lambda what: report.problem(str(root), what)):
            file = str(one.path)
            seen.add(file)
            if corpus.stamp(file) == one.stamp:
                report.kept += 1
                continue
            buffer.take(one)
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

    def take(self, one: Source) -> None:
        """Read one file; what is wrong with it is said and stays with it."""
        file = str(one.path)
        if self.corpus.stamp(file):
            self.corpus.forget_file(file)  # it has changed
        problem = ""
        try:
            for draft in one.read(partial(self.report.problem, file)):
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
        members: list[tuple[Item, str, str, NDArray[np.float32] | None]] = []
        for draft, file in self._waiting:
            if self.corpus.holds(draft.item, file):
                continue  # written by a build that was cut off in this file
            try:
                members.append((draft.item, file, *self.spaces.embed(draft)))
            except SecondReadError as error:
                self.report.problem(file, f"{draft.item.id}: {error}")
            except Exception as error:  # a decoder may fail in any way; the item is isolated and listed
                self.report.problem(file, f"{draft.item.id}: {type(error).__name__}")
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

    def embed(self, draft: Draft) -> tuple[str, NDArray[np.float32] | None]:
        """Space and unit vector of a draft; an empty space when no encoder takes it."""
        if draft.pictures is not None:
            made = self.encoder("image")
            if made is None:
                return "", None
            parts = made.embed_images(draft.pictures())
            return "image", unit(parts.mean(0, keepdims=True))[0] if len(parts) > 1 else parts[0]
        words = self.encoder("text") if draft.item.text else None
        if words is None:
            return "", None
        return "text", words.embed_texts([f"{draft.item.title}. {draft.item.text}"])[0]


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
