"""Search in unit vectors by inner product: exact when they are few, else by a faiss index with exact re-ranking."""

from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import ValidationError

from secondread.schema.errors import InputError, ToolUnavailable
from secondread.schema.record import Record
from secondread.tools.retrieve.index.choose import CODES, LINKS, IndexKind, lists_for, plan

SEED = 60100
TRAIN_AT_MOST = 100_000
HELD_OUT = 200
"""Vectors that serve as queries when recall is measured at build time."""
WANTED_RECALL = 0.98
RERANK = 8
"""Candidates per wanted hit that are re-ranked exactly."""
EFFORTS = {"hnsw": (96, 192, 384, 768), "ivf_sq8": (16, 32, 64, 128, 256), "ivf_pq": (32, 64, 128, 256)}
"""Search depths that are tried, in order, until the wanted recall is met."""
BLOCK = 65_536


class IndexCard(Record):
    """What an index was built from and how well it searches."""

    kind: IndexKind
    space: str
    """Name of the encoder."""
    fingerprint: str
    """Of the encoder: another one is refused."""
    dimension: int
    count: int
    """Vectors in it; those added later are searched one by one until the index is built again."""
    effort: int = 0
    recall: float | None = None
    """Share of the true 10 nearest that it finds, measured on vectors of its own."""
    file: str = ""
    check: str = ""
    """xxh3 of the index file."""
    bytes: int = 0
    """Predicted memory."""
    why: str = ""


def build(
    vectors: NDArray[np.float32],
    folder: Path,
    space: str,
    fingerprint: str,
    *,
    memory: int = 4 << 30,
    kind: IndexKind | None = None,
) -> IndexCard:
    """Build the index that fits and measure it; small collections need none.

    Args:
        vectors: Unit vectors float32 (n, d), may be mapped from a file.
        folder: Where `index-SPACE.faiss` is written; complete or not at all.
        space: Name of the encoder.
        fingerprint: Of the encoder.
        memory: Bytes that it may take.
        kind: Take this one.

    Raises:
        InputError: The folder cannot be written.
    """
    count, dimension = vectors.shape
    chosen = plan(count, dimension, memory=memory, kind=kind)
    faiss = _faiss() if chosen.kind != "flat" else None
    if faiss is None:
        why = chosen.why if chosen.kind == "flat" else "faiss is not installed: an exact scan serves any number"
        return IndexCard(
            kind="flat", space=space, fingerprint=fingerprint, dimension=dimension, count=count, recall=1.0,
            bytes=4 * dimension * count, why=why,
        )  # fmt: skip
    made = _made(faiss, chosen.kind, vectors)
    effort, recall = _tuned(made, chosen.kind, vectors)
    name = f"index-{space}.faiss"
    partial = folder / f"{name}.partial"
    try:
        faiss.write_index(made, str(partial))
        check = _check(partial)
        partial.replace(folder / name)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"The index could not be written to {folder}.") from error
    return IndexCard(
        kind=chosen.kind, space=space, fingerprint=fingerprint, dimension=dimension, count=count, effort=effort,
        recall=round(recall, 4), file=name, check=check, bytes=chosen.bytes, why=chosen.why,
    )  # fmt: skip


class VectorIndex:
    """Nearest unit vectors to a query. Thread-safe."""

    def __init__(self, vectors: NDArray[np.float32], card: IndexCard, folder: Path) -> None:
        """Open an index over vectors.

        Raises:
            InputError: The file is missing, damaged or of other vectors.
            ToolUnavailable: It needs faiss, which is not installed.
        """
        self.vectors = vectors
        self.card = card
        self._faiss: Any = None
        if card.dimension != vectors.shape[1] or card.count > len(vectors):
            raise InputError(
                f"The index is of {card.count} vectors of dimension {card.dimension}, the corpus has "
                f"{len(vectors)} of {vectors.shape[1]}.",
                hint="Build the index again.",
            )
        if card.kind == "flat":
            return
        faiss = _faiss()
        if faiss is None:
            raise ToolUnavailable(
                f"An index of kind {card.kind} needs faiss.",
                hint="Install the extra: pip install 'secondread[retrieve]'.",
            )
        path = folder / card.file
        if Path(card.file).name != card.file or not path.is_file() or _check(path) != card.check:
            raise InputError(f"The index file {card.file} is missing or damaged.", hint="Build the index again.")
        try:
            self._faiss = faiss.read_index(str(path), faiss.IO_FLAG_MMAP if card.kind.startswith("ivf") else 0)
        except RuntimeError as error:
            raise InputError(f"The index file {card.file} cannot be read.", hint="Build the index again.") from error
        if self._faiss.d != card.dimension or self._faiss.ntotal != card.count:
            raise InputError(f"The index file {card.file} is of other vectors.", hint="Build the index again.")
        _set_effort(self._faiss, card.kind, card.effort)

    def search(
        self, queries: NDArray[np.float32], k: int, *, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Nearest vectors of each query, best first.

        Args:
            queries: Unit vectors float32 (m, d).
            k: Most hits of each.
            allowed: For each vector whether it may be a hit, bool (n,); None: all may.

        Returns:
            Vector numbers int64 (m, k) and inner products float32 (m, k); -1 and -inf where there are fewer.
        """
        if queries.ndim != 2 or queries.shape[1] != self.card.dimension or not np.isfinite(queries).all():
            raise InputError(f"A query must be finite and of dimension {self.card.dimension}.")
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        scarce = allowed is not None and allowed.sum() < max(20 * k, len(self.vectors) // 20)
        for number, query in enumerate(queries):
            if self._faiss is None or scarce:
                found, near = self._scan(query, k, allowed)
            else:
                found, near = self._indexed(query, k, allowed)
            ids[number, : len(found)], scores[number, : len(found)] = found, near
        return ids, scores

    def _scan(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None, start: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Exact, over all vectors from `start`, or over the allowed ones only."""
        if allowed is not None:
            rows = np.flatnonzero(allowed[start:]) + start
            near = np.concatenate(
                [self.vectors[rows[i : i + BLOCK]] @ query for i in range(0, len(rows), BLOCK)] or [_NONE]
            )
        else:
            rows = np.arange(start, len(self.vectors))
            near = np.concatenate(
                [self.vectors[i : i + BLOCK] @ query for i in range(start, len(self.vectors), BLOCK)] or [_NONE]
            )
        best = _top(near, k)
        return rows[best].astype(np.int64), near[best]

    def _indexed(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Candidates of the index and of what was added since, re-ranked exactly."""
        wide = RERANK * k
        while True:
            _, found = self._faiss.search(query[None], min(wide, self.card.count))
            rows = found[0][found[0] >= 0]
            if allowed is not None:
                rows = rows[allowed[rows]]
            if len(rows) >= k or wide >= self.card.count or allowed is None:
                break
            wide *= 4
        if len(self.vectors) > self.card.count:
            late, _ = self._scan(query, k, allowed, self.card.count)
            rows = np.concatenate([rows, late])
        near = self.vectors[rows] @ query if len(rows) else _NONE
        best = _top(near, k)
        return rows[best], near[best]


_NONE = np.zeros(0, np.float32)


def _top(near: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the k largest, largest first; equal ones in order of place."""
    if len(near) > 4 * k:
        part = np.argpartition(-near, k - 1)[:k]
        edge = near[part].min()
        part = np.flatnonzero(near >= edge)
    else:
        part = np.arange(len(near))
    return part[np.argsort(-near[part], kind="stable")][:k]


def _made(faiss: Any, kind: IndexKind, vectors: NDArray[np.float32]) -> Any:
    count, dimension = vectors.shape
    lists = lists_for(count)
    code = min(CODES, dimension)
    names = {
        "hnsw": f"HNSW{LINKS}_SQ8",
        "ivf_sq8": f"IVF{lists},SQ8",
        "ivf_pq": f"OPQ{code}_{4 * code},IVF{lists},PQ{code}" if dimension % code == 0 else f"IVF{lists},SQ8",
    }
    made = faiss.index_factory(dimension, names[kind], faiss.METRIC_INNER_PRODUCT)
    if kind == "hnsw":
        faiss.downcast_index(made).hnsw.efConstruction = 160
    rng = np.random.default_rng(SEED)
    some = np.sort(rng.choice(count, min(count, TRAIN_AT_MOST), replace=False))
    made.train(np.ascontiguousarray(vectors[some]))
    for start in range(0, count, BLOCK):
        made.add(np.ascontiguousarray(vectors[start : start + BLOCK]))
    return made


def _tuned(made: Any, kind: IndexKind, vectors: NDArray[np.float32], k: int = 10) -> tuple[int, float]:
    """Smallest search depth with the wanted recall of the 10 nearest after re-ranking, and that recall.

    Half of the queries are stored vectors moved a little, so that none is its own first hit; half lie between two
    stored vectors, far from both, as a query does that is of no kind in the collection.
    """
    rng = np.random.default_rng(SEED + 1)
    count, dimension = vectors.shape
    number = min(HELD_OUT, count)
    picked = np.asarray(vectors[np.sort(rng.choice(count, number, replace=False))], np.float64)
    moved = picked + 0.1 * rng.normal(size=picked.shape) / dimension**0.5
    between = picked[: number // 2] + picked[rng.permutation(number)[: number // 2]]
    wanted = np.concatenate([moved[number // 2 :], between])
    lengths = np.maximum(np.linalg.norm(wanted, axis=1, keepdims=True), 1e-9)
    queries = np.ascontiguousarray(wanted / lengths, np.float32)
    truth = _exact(queries, vectors, k)
    depth, recall = 0, 0.0
    for depth in EFFORTS[kind]:
        _set_effort(made, kind, depth)
        _, found = made.search(queries, min(RERANK * k, count))
        hits = 0
        for number, query in enumerate(queries):
            rows = found[number][found[number] >= 0]
            best = rows[_top(vectors[rows] @ query, k)]
            hits += len(set(best.tolist()) & set(truth[number].tolist()))
        recall = hits / (len(queries) * min(k, count))
        if recall >= WANTED_RECALL:
            break
    return depth, recall


def _exact(queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The k nearest of each query, exactly, block by block."""
    ids = np.zeros((len(queries), 0), np.int64)
    near = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(vectors), BLOCK):
        block = queries @ np.asarray(vectors[start : start + BLOCK]).T
        ids = np.concatenate([ids, np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)], 1)
        near = np.concatenate([near, block], 1)
        keep = np.argsort(-near, axis=1, kind="stable")[:, :k]
        ids, near = np.take_along_axis(ids, keep, 1), np.take_along_axis(near, keep, 1)
    return ids


def _set_effort(made: Any, kind: IndexKind, effort: int) -> None:
    faiss = _faiss()
    if faiss is None or not effort:
        return
    space = faiss.ParameterSpace()
    space.set_index_parameter(made, "efSearch" if kind == "hnsw" else "nprobe", effort)


def _check(path: Path) -> str:
    total = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            total.update(block)
    return total.hexdigest()


def _faiss() -> Any:
    """faiss, or None where it is not installed or would bring a second OpenMP runtime into a process with torch."""
    import sys

    if sys.platform == "darwin" and "torch" in sys.modules:
        return None
    try:
        import faiss
    except ImportError:
        return None
    return faiss


def read_card(text: str) -> IndexCard | None:
    """A card as stored; None for an empty text.

    Raises:
        InputError: It does not read as one.
    """
    if not text:
        return None
    try:
        return IndexCard.model_validate_json(text)
    except ValidationError as error:
        raise InputError("The card of the index is damaged.", hint="Build the index again.") from error
