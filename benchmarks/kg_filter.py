"""Neighbour-aware filtering of a million images, and loading of a graph of the size of MedMKG.

    python benchmarks/kg_filter.py [--images 1000000]

The order equals brute force on small graphs (tests/kg/builders/test_sources.py). The MedMKG-sized graph has 8,017
nodes, 262 relations and 35,387 triples of nobody, as CSV in the format of the released file.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from secondread.kg.builders import medmkg
from secondread.kg.builders.filter import neighbour_aware
from secondread.kg.store.csr import CsrStore

NODES, IMAGES, RELATIONS, TRIPLES = 8017, 4868, 262, 35_387


def filtering(images: int) -> None:
    """One line per variant."""
    rng = np.random.default_rng(0)
    edges = rng.poisson(4.25, images)
    image = np.repeat(np.arange(images), edges)
    concept = np.minimum(rng.zipf(1.4, len(image)) - 1, 3148)
    relation = rng.choice(3, len(image), p=[0.6, 0.3, 0.1])
    for variant in ("published", "mean", "gain"):
        started = time.perf_counter()
        kept = neighbour_aware(image, relation, concept, images, variant)  # type: ignore[arg-type]
        taken = time.perf_counter() - started
        print(f"{variant}: {images} images, {len(image)} edges, {len(kept.images)} kept, {taken:.1f} s (aim 30)")


def loading() -> None:
    """Seconds from CSV to an open store."""
    rng = np.random.default_rng(1)
    concepts = NODES - IMAGES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / medmkg.FILE
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(medmkg.COLUMNS)
            for n in range(TRIPLES):
                tail = f"C{int(rng.integers(0, concepts)):07d}"
                if n < 20_705:
                    head = f"I{50_000_000 + n % IMAGES}"
                    relation = list(medmkg.POLARITIES)[int(rng.choice(3, p=[0.6, 0.1, 0.3]))]
                else:
                    head = f"C{n % concepts:07d}"
                    relation = f"relation_{n % (RELATIONS - 3)}"
                writer.writerow([head, relation, tail, head, f"concept {tail}"])
        started = time.perf_counter()
        stats, _ = medmkg.build(path, Path(folder) / "graph")
        built = time.perf_counter() - started
        started = time.perf_counter()
        CsrStore(Path(folder) / "graph").close()
        opened = time.perf_counter() - started
    size = f"{stats['nodes']} nodes, {stats['edges']} edges"
    print(f"MedMKG-sized, {size}: build {built:.1f} s (aim 5), open {opened:.3f} s")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    args = parser.parse_args()
    filtering(args.images)
    loading()


if __name__ == "__main__":
    main()
