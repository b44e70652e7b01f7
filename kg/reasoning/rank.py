"""Which concepts lie near those of a question: personalised PageRank on a bounded part of the graph."""

from collections.abc import Iterable

from secondread.kg.reasoning.source import Source

DAMPING = 0.85
"""The usual value of Page et al. 1999; the rest of the walk starts again at the question's concepts."""
NO_WALK = frozenset({"requires_capability", "established_by", "needs", "valid_on", "helps", "lists", "explains"})
"""Relations to tools and capabilities: hubs that say nothing on how near two findings are."""


def pagerank(
    source: Source, concepts: Iterable[str], *, hops: int = 2, max_edges: int = 600, limit: int = 50
) -> list[tuple[str, float]]:
    """Concepts around those of a question with their share of a random walk that keeps returning there.

    Edges are walked both ways and parallel ones add up. Uses `networkx.pagerank`.

    Returns:
        (concept id, share) by falling share, the question's own concepts left out; empty when none is known.
    """
    import networkx

    asked = [c for c in dict.fromkeys(concepts) if source.has(c)]
    if not asked:
        return []
    part = source.subgraph(asked, hops=hops, max_edges=max_edges)
    walk: networkx.Graph = networkx.Graph()
    walk.add_nodes_from(asked)
    for a, b, data in part.edges(data=True):
        if data["edge"].relation not in NO_WALK:
            weight = walk[a][b]["weight"] + 1.0 if walk.has_edge(a, b) else 1.0
            walk.add_edge(a, b, weight=weight)
    shares = networkx.pagerank(walk, alpha=DAMPING, personalization=dict.fromkeys(asked, 1.0))
    ranked = sorted(((n, float(s)) for n, s in shares.items() if n not in asked), key=lambda ns: (-ns[1], ns[0]))
    return ranked[:limit]
