"""Which index serves how many vectors, and what it costs in memory."""

from typing import Literal

from secondread.schema.record import Record

IndexKind = Literal["flat", "hnsw", "ivf_sq8", "ivf_pq"]
FLAT_TO = 50_000
"""Up to here an exact scan takes a few milliseconds."""
HNSW_TO = 5_000_000
LINKS = 32
"""Links per vector and level of the graph (M of Malkov and Yashunin, IEEE TPAMI 2020;42:824); twice as many at the
bottom level."""
PER_LIST = 64
"""Training vectors that a list of an inverted file needs at least."""
CODES = 64
"""Bytes of a product-quantised vector."""


class Plan(Record):
    """An index and its predicted memory."""

    kind: IndexKind
    bytes: int
    """Predicted size in memory, without the vectors on disk that re-ranking reads."""
    why: str


def plan(count: int, dimension: int, *, memory: int, kind: IndexKind | None = None) -> Plan:
    """Choose an index.

    Args:
        count: Vectors.
        dimension: Of each.
        memory: Bytes that it may take.
        kind: Take this one.
    """
    needs = {k: predicted(k, count, dimension) for k in ("flat", "hnsw", "ivf_sq8", "ivf_pq")}
    if kind is not None:
        return Plan(kind=kind, bytes=needs[kind], why="as asked")
    if count <= FLAT_TO:
        return Plan(kind="flat", bytes=needs["flat"], why=f"at most {FLAT_TO} vectors")
    if count <= HNSW_TO and needs["hnsw"] <= memory:
        return Plan(kind="hnsw", bytes=needs["hnsw"], why=f"at most {HNSW_TO} vectors and it fits the memory")
    if needs["ivf_sq8"] <= memory and count <= HNSW_TO:
        return Plan(kind="ivf_sq8", bytes=needs["ivf_sq8"], why="the graph index does not fit the memory")
    return Plan(kind="ivf_pq", bytes=needs["ivf_pq"], why="too many vectors for their memory")


def predicted(kind: str, count: int, dimension: int) -> int:
    """Bytes in memory: vectors 4 d, graph of links 8 M, byte codes d, product codes m + 8, each plus its lists.

    The graph index holds byte codes, not the vectors themselves: those stay on disk and re-rank.
    """
    lists = 4 * dimension * lists_for(count)
    return {
        "flat": 4 * dimension * count,
        "hnsw": (dimension + 8 * LINKS + 16) * count,
        "ivf_sq8": (dimension + 8) * count + lists,
        "ivf_pq": (CODES + 8) * count + lists,
    }[kind]


def lists_for(count: int) -> int:
    """Lists of an inverted file: about four times the square root, each with enough vectors to be trained on."""
    return max(1, min(int(4 * count**0.5), count // PER_LIST))
