"""Exact scans, faiss indices with exact re-ranking, and files that do not fit."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secondread.schema.errors import InputError
from secondread.tools.retrieve.index.choose import IndexKind, plan, predicted
from secondread.tools.retrieve.index.vector_index import IndexCard, VectorIndex, build

faiss = pytest.importorskip("faiss")
N, D = 6000, 32


def clustered(count: int = N, dimension: int = D, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(60, dimension))
    made = centres[rng.integers(0, 60, count)] + 0.6 * rng.normal(size=(count, dimension))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


VECTORS = clustered()
QUERIES = clustered(50, seed=1)


def truth(k: int, allowed: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    near = QUERIES @ VECTORS.T
    if allowed is not None:
        near = np.where(allowed, near, -np.inf)
    return np.argsort(-near, axis=1, kind="stable")[:, :k]


def recall(found: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    return float(np.mean([len(set(f) & set(t)) / len(t) for f, t in zip(found, true, strict=True)]))


def test_a_small_collection_is_scanned_exactly(tmp_path: Path) -> None:
    card = build(VECTORS, tmp_path, "image", "f")
    assert card.kind == "flat" and card.recall == 1.0 and not list(tmp_path.iterdir())
    ids, scores = VectorIndex(VECTORS, card, tmp_path).search(QUERIES, 10)
    assert np.array_equal(ids, truth(10))
    assert np.allclose(scores, np.take_along_axis(QUERIES @ VECTORS.T, ids, 1), atol=1e-6)


@pytest.mark.parametrize("kind", ["hnsw", "ivf_sq8", pytest.param("ivf_pq", marks=pytest.mark.slow)])
def test_every_index_finds_what_an_exact_scan_finds_with_exact_scores(tmp_path: Path, kind: IndexKind) -> None:
    card = build(VECTORS, tmp_path, "image", "f", kind=kind)
    ids, scores = VectorIndex(VECTORS, card, tmp_path).search(QUERIES, 10)
    assert recall(ids, truth(10)) >= 0.97
    assert card.recall is not None and card.recall >= 0.97
    assert np.allclose(scores, np.take_along_axis(QUERIES @ VECTORS.T, ids, 1), atol=1e-5)


@pytest.mark.parametrize("kind", ["hnsw", "ivf_sq8"])
def test_filters_hold_in_every_index_and_few_allowed_are_scanned(tmp_path: Path, kind: IndexKind) -> None:
    opened = VectorIndex(VECTORS, build(VECTORS, tmp_path, "image", "f", kind=kind), tmp_path)
    for share in (0.5, 0.01):
        allowed = np.random.default_rng(2).random(N) < share
        ids, _ = opened.search(QUERIES, 10, allowed=allowed)
        assert allowed[ids[ids >= 0]].all()
        assert recall(ids, truth(10, allowed)) >= 0.95


def test_vectors_added_after_the_build_are_found(tmp_path: Path) -> None:
    card = build(VECTORS[:4000], tmp_path, "image", "f", kind="hnsw")
    ids, _ = VectorIndex(VECTORS, card, tmp_path).search(VECTORS[5000:5010], 1)
    assert ids[:, 0].tolist() == list(range(5000, 5010))


def test_an_index_of_another_size_or_a_changed_file_is_refused(tmp_path: Path) -> None:
    card = build(VECTORS, tmp_path, "image", "f", kind="hnsw")
    with pytest.raises(InputError, match="the corpus has"):
        VectorIndex(VECTORS[:100], card, tmp_path)
    with pytest.raises(InputError, match="has 6000 of 16"):
        VectorIndex(np.ascontiguousarray(VECTORS[:, :16]), card, tmp_path)
    path = tmp_path / card.file
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(bytes(held))
    with pytest.raises(InputError, match="damaged"):
        VectorIndex(VECTORS, card, tmp_path)
    with pytest.raises(InputError, match="missing or damaged"):
        VectorIndex(VECTORS, card.model_copy(update={"file": "../elsewhere"}), tmp_path)


def test_a_query_that_is_not_finite_or_of_another_dimension_is_refused(tmp_path: Path) -> None:
    opened = VectorIndex(VECTORS, build(VECTORS, tmp_path, "image", "f"), tmp_path)
    with pytest.raises(InputError):
        opened.search(np.full((1, D), np.nan, np.float32), 3)
    with pytest.raises(InputError):
        opened.search(QUERIES[:, :8], 3)


def test_an_empty_collection_and_a_large_k_give_what_there_is(tmp_path: Path) -> None:
    none = np.zeros((0, D), np.float32)
    empty = IndexCard(kind="flat", space="image", fingerprint="f", dimension=D, count=0)
    ids, scores = VectorIndex(none, empty, tmp_path).search(QUERIES[:1], 5)
    assert (ids == -1).all() and np.isneginf(scores).all()
    few = VECTORS[:3]
    ids, _ = VectorIndex(few, build(few, tmp_path, "image", "f"), tmp_path).search(QUERIES[:1], 5)
    assert (ids[0] >= 0).sum() == 3


def test_the_index_is_chosen_by_size_and_memory() -> None:
    big = 1 << 40
    assert plan(10_000, 512, memory=big).kind == "flat"
    assert plan(1_000_000, 512, memory=big).kind == "hnsw"
    assert plan(1_000_000, 512, memory=600 << 20).kind == "ivf_sq8"
    assert plan(20_000_000, 512, memory=big).kind == "ivf_pq"


@pytest.mark.parametrize("kind", ["hnsw", "ivf_sq8"])
def test_predicted_memory_is_close_to_the_size_of_the_file(tmp_path: Path, kind: IndexKind) -> None:
    vectors = clustered(20_000, 64)
    card = build(vectors, tmp_path, "image", "f", kind=kind)
    assert (tmp_path / card.file).stat().st_size == pytest.approx(predicted(kind, 20_000, 64), rel=0.15)
