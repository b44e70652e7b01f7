"""Several rankings into one, and where to cut it."""

from collections.abc import Mapping, Sequence

RRF_K = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): a rank counts 1 / (60 + rank)."""
GAP = 1.5
"""The list is cut where the best score is more than this many times that of an item, as MMed-RAG's released code does
(Xia et al., ICLR 2025)."""


def fused(rankings: Mapping[str, Sequence[int]], weights: Mapping[str, float] | None = None) -> list[tuple[int, float]]:
    """Rows by the sum of reciprocal ranks over channels, best first; equal sums in order of row.

    Args:
        rankings: Channel -> rows, best first.
        weights: Channel -> weight; 1 where none is given.
    """
    total: dict[int, float] = {}
    for channel, rows in rankings.items():
        weight = 1.0 if weights is None else weights.get(channel, 1.0)
        for rank, row in enumerate(rows, 1):
            total[row] = total.get(row, 0.0) + weight / (RRF_K + rank)
    return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))


def ranks_of(rankings: Mapping[str, Sequence[int]], row: int) -> dict[str, int]:
    """Channel -> rank from 1, of the channels that ranked the row."""
    return {channel: list(rows).index(row) + 1 for channel, rows in rankings.items() if row in rows}


def adaptive(scores: Sequence[float], least: int = 1, gap: float = GAP) -> int:
    """How many of the scores, which fall, are kept: those within a factor of the first, but at least `least`."""
    if not scores:
        return 0
    kept = sum(1 for s in scores if s > 0 and scores[0] / s <= gap)
    return max(min(least, len(scores)), kept)
