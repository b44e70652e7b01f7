"""Search in vectors: recall, time and memory by size; build throughput beside the bare encoder.

    python benchmarks/retrieval.py [--sizes 10000 100000] [--dimension 512] [--full]

`--full` adds one million vectors (needs about 7 GB of memory and disk, and a quarter of an hour on two cores). Vectors
are drawn around random centres; queries are drawn likewise and are not in the collection. Times are of single queries.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.tools.retrieve.index.choose import predicted
from secondread.tools.retrieve.index.vector_index import VectorIndex, build

K = 10
QUERIES = 200


def drawn(count: int, dimension: int, seed: int, centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors around random centres."""
    rng = np.random.default_rng(seed)
    made = np.empty((count, dimension), np.float32)
    for start in range(0, count, 50_000):
        size = min(50_000, count - start)
        block = centres[rng.integers(0, len(centres), size)] + 0.7 * rng.standard_normal((size, dimension), np.float32)
        made[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return made


def exact(queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """The nearest ten of each query, by a full scan."""
    best = np.zeros((len(queries), 0), np.int64)
    near = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(vectors), 100_000):
        block = queries @ vectors[start : start + 100_000].T
        best = np.concatenate([best, np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)], 1)
        near = np.concatenate([near, block], 1)
        keep = np.argsort(-near, axis=1)[:, :K]
        best, near = np.take_along_axis(best, keep, 1), np.take_along_axis(near, keep, 1)
    return best


def measure(count: int, dimension: int) -> None:
    """One size."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(100, count // 200), dimension), np.float32)
    vectors, queries = drawn(count, dimension, 1, centres), drawn(QUERIES, dimension, 2, centres)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        card = build(vectors, Path(folder), "image", "benchmark")
        built = time.perf_counter() - started
        started = time.perf_counter()
        opened = VectorIndex(vectors, card, Path(folder))
        reopened = time.perf_counter() - started
        size = (Path(folder) / card.file).stat().st_size if card.file else 4 * dimension * count
        truth = exact(queries, vectors)
        times, hits = [], 0
        for query, true in zip(queries, truth, strict=True):
            started = time.perf_counter()
            ids, _ = opened.search(query[None], K)
            times.append(time.perf_counter() - started)
            hits += len(set(ids[0].tolist()) & set(true.tolist()))
    p50, p95 = np.quantile(times, [0.5, 0.95]) * 1000
    print(
        f"{count:>9} x {dimension}: {card.kind:<7} recall@10 {hits / (K * QUERIES):.4f}  p50 {p50:.2f} ms  "
        f"p95 {p95:.2f} ms  build {built:.1f} s  open {reopened:.2f} s  "
        f"size {size / predicted(card.kind, count, dimension):.2f} of predicted {card.bytes / 1e6:.0f} MB",
        flush=True,
    )


def throughput(images: int = 400) -> None:
    """Images per second of a build beside the encoder alone, on the same pictures."""
    from PIL import Image

    from secondread.evals.phantom import generate
    from secondread.tools.retrieve.build import ingest
    from secondread.tools.retrieve.encoders.base import encoder

    films = [Image.fromarray((generate(n).grey * 255).astype(np.uint8)) for n in range(8)]
    grey = [np.asarray(film.resize((512, 512))) for film in films]
    pictures = [np.repeat(np.roll(grey[n % 8], n, 1)[..., None], 3, 2) for n in range(images)]
    made = encoder("trunk")
    made.embed_images(pictures[:4])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        for number, picture in enumerate(pictures):
            Image.fromarray(picture[..., 0]).save(source / f"{number:03}.jpg", quality=90)
        started = time.perf_counter()
        made.embed_images(pictures)
        bare = time.perf_counter() - started
        started = time.perf_counter()
        ingest(source, Path(folder, "corpus"))
        whole = time.perf_counter() - started
    print(
        f"build: {images / whole:.1f} images per second, {bare / whole:.2f} of the bare encoder's {images / bare:.1f}"
    )


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--full", action="store_true", help="one million vectors too")
    args = parser.parse_args()
    for count in [*args.sizes, *([1_000_000] if args.full else [])]:
        measure(count, args.dimension)
    throughput()


if __name__ == "__main__":
    main()
