"""One graph in three stores: time of questions on memory-mapped arrays, SQLite and networkx.

    python benchmarks/kg_store.py [--nodes 20000] [--edges 200000]

The same random graph with hubs is put into each; questions and their order are the same. That the stores answer alike
is tested in tests/kg/store/test_contract.py. Times of the stores are those of answers with their records, which plain
networkx does not make; the ratio is to the arrays.
"""

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import networkx
import numpy as np

from secondread.kg.store.csr import CsrStore
from secondread.kg.store.memory import MemoryStore
from secondread.kg.store.sqlite import SqliteStore
from secondread.kg.store.writer import StoreWriter


def rows(nodes: int, edges: int) -> list[tuple[str, str, str]]:
    """Edges; every thousandth node is a hub."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, nodes, edges), rng.integers(0, nodes, edges)
    hubs = rng.random(edges) < 0.1
    second[hubs] = second[hubs] // 1000 * 1000
    return [(f"N:{a}", f"r{(a + b) % 20}", f"N:{b}") for a, b in zip(first.tolist(), second.tolist(), strict=True)]


def timed(work: Any, questions: list[Any]) -> tuple[float, float]:
    """Median and 95th percentile in ms."""
    taken = []
    for given in questions:
        started = time.perf_counter()
        work(given)
        taken.append((time.perf_counter() - started) * 1000)
    return float(np.quantile(taken, 0.5)), float(np.quantile(taken, 0.95))


def plain_paths(graph: networkx.Graph, ends: tuple[str, str]) -> list[Any]:
    """What a user of networkx writes for the same question: five shortest paths."""
    return list(islice(networkx.shortest_simple_paths(graph, *ends), 5))


def plain_surroundings(graph: networkx.Graph, node: str) -> list[Any]:
    """What a user of networkx writes for two hops and 500 edges."""
    return list(islice(networkx.bfs_edges(graph, node, depth_limit=2), 500))


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--edges", type=int, default=200_000)
    args = parser.parse_args()
    edges = rows(args.nodes, args.edges)
    with tempfile.TemporaryDirectory() as folder:
        writer = StoreWriter.open(Path(folder) / "g", source="b", version="", licence="", restricted=False)
        base, memory = SqliteStore.create(Path(folder) / "g.sqlite"), MemoryStore()
        for name, sink in (("arrays", writer), ("SQLite", base), ("networkx", memory)):
            started = time.perf_counter()
            for subject, relation, obj in edges:
                sink.join(subject, relation, obj, source="s")
            if name == "arrays":
                writer.finish()
            elif name == "SQLite":
                base.commit()
            else:
                whole = memory.view
            print(f"{name}: {len(edges)} edges in {time.perf_counter() - started:.1f} s")
        started = time.perf_counter()
        arrays = CsrStore(Path(folder) / "g")
        print(f"arrays: opened in {(time.perf_counter() - started) * 1000:.1f} ms (aim 300)")
        rng = np.random.default_rng(1)
        one = [f"N:{n}" for n in rng.integers(0, args.nodes, 200)]
        pairs = list(zip(one[:60], one[60:120], strict=True))
        flat = networkx.Graph(whole)
        asked: dict[str, tuple[list[Any], dict[str, Any]]] = {
            "neighbours": (
                one,
                {
                    "arrays": lambda n: arrays.neighbors(n, direction="both"),
                    "SQLite": lambda n: base.neighbors(n, direction="both"),
                    "networkx": lambda n: [*whole.out_edges(n, data="edge"), *whole.in_edges(n, data="edge")],
                },
            ),
            "2 hops, 500 edges": (
                one[:60],
                {
                    "arrays": lambda n: arrays.subgraph([n], hops=2, max_edges=500),
                    "SQLite": lambda n: base.subgraph([n], hops=2, max_edges=500),
                    "networkx": lambda n: plain_surroundings(flat, n),
                },
            ),
            "5 paths of at most 3": (
                pairs,
                {
                    "arrays": lambda ends: arrays.paths(*ends, max_hops=3),
                    "SQLite": lambda ends: base.paths(*ends, max_hops=3),
                    "networkx": lambda ends: plain_paths(flat, ends),
                },
            ),
        }
        for question, (given, stores) in asked.items():
            times = {name: timed(work, given) for name, work in stores.items()}
            told = ", ".join(
                f"{name} p50 {p50:.3f} ms p95 {p95:.3f} ms ({p50 / times['arrays'][0]:.1f}x)"
                for name, (p50, p95) in times.items()
            )
            print(f"{question}: {told}")
        arrays.close()
        base.close()


if __name__ == "__main__":
    main()
