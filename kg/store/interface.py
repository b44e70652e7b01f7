"""What every graph store answers, whatever holds it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from secondread.kg.store.records import Direction, Edges, Name, Node, Paths

if TYPE_CHECKING:
    import networkx

MAX_HOPS = 6
HUB = 2000
"""A node with more edges than this is expanded by a sample; results say so."""


@runtime_checkable
class GraphStore(Protocol):
    """A graph that is only read. Results never hold more than their limits and say in `truncated` what is missing."""

    def lookup(self, text: str, *, limit: int = 20) -> list[Node]:
        """Nodes that exactly this text names; case, accents, punctuation and plural `s` do not count.

        Same spelling first, then preferred names, then nodes with more edges.
        """

    def node(self, node: str) -> Node:
        """The node with this id.

        Raises:
            InputError: There is none.
        """

    def has(self, node: str) -> bool:
        """Whether there is a node with this id."""

    def neighbors(
        self, node: str, relation: str | None = None, direction: Direction = "out", *, limit: int = 200
    ) -> Edges:
        """Edges of a node, optionally of one relation.

        Raises:
            InputError: No such node, direction or limit.
        """

    def paths(
        self,
        start: str,
        end: str,
        *,
        max_hops: int = 4,
        limit: int = 5,
        relations: Iterable[str] | None = None,
        timeout_s: float = 2.0,
    ) -> Paths:
        """Shortest simple chains of edges between two nodes, in any direction of the edges, shortest first.

        Raises:
            InputError: No such node, or a limit out of range.
        """

    def subgraph(
        self, ids: Iterable[str], *, hops: int = 1, max_edges: int = 2000, timeout_s: float = 2.0
    ) -> "networkx.MultiDiGraph":
        """Surroundings of some nodes; nodes carry `node`, edges `edge`, keyed by edge id.

        `graph["truncated"]` of the result says what is missing, or is None.

        Raises:
            InputError: No such node, or a limit out of range.
        """

    def describe(self, node: str) -> str:
        """Name, kind, definition and names in a few lines."""

    def stats(self) -> dict[str, Any]:
        """Counts by kind, relation and source, and where the store comes from."""

    def close(self) -> None:
        """Let go of files; the store cannot be used afterwards."""


class GraphSink(Protocol):
    """Where small builders put nodes and edges one at a time: `StoreWriter`, `SqliteStore`, `MemoryStore`."""

    def source(self, name: str, *, srl: int = 0, licence: str = "") -> int:
        """Declare a source of names and edges."""

    def put(
        self,
        node: str,
        *,
        kind: str,
        name: str,
        synonyms: Sequence[str | Name] = (),
        definition: str = "",
        types: Sequence[str] = (),
        source: str,
        srl: int = 0,
        attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a node, or names to one."""

    def join(
        self,
        subject: str,
        relation: str,
        obj: str,
        *,
        source: str,
        polarity: str | None = None,
        confidence: float | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an edge; ends that were not added become bare nodes."""
