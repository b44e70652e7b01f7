"""A store as files for the bulk import of Neo4j and Memgraph, streamed."""

import csv
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from secondread.schema.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secondread.kg.store.csr import CsrStore

NODES, EDGES = "nodes.csv", "edges.csv"
NODE_HEAD = ("id:ID", "name", "kind:LABEL", "definition", "types:string[]", "srl:int")
EDGE_HEAD = (
    ":START_ID", ":END_ID", ":TYPE", "id", "source", "polarity", "confidence:double", "srl:int", "flags:string[]",
)  # fmt: skip
COMMAND = "neo4j-admin database import full --nodes=nodes.csv --relationships=edges.csv --multiline-fields=true"
_EVERY = 100_000


def export(
    store: "CsrStore", out: Path, *, max_srl: int | None = None, progress: Callable[[str, int], None] | None = None
) -> dict[str, int]:
    """Write `nodes.csv` and `edges.csv` with headers of neo4j-admin.

    Args:
        store: What is written.
        out: Folder, made when it does not exist.
        max_srl: Leave out names, definitions, nodes without an allowed name, and edges of a source above this
            restriction level.
        progress: Called with the file and its rows so far.

    Returns:
        Rows written and left out.

    Raises:
        InputError: The folder cannot be written; no file is half-written.
    """
    most = 255 if max_srl is None else max_srl
    counts = {"nodes": 0, "edges": 0, "nodes_left_out": 0, "edges_left_out": 0}
    kept = bytearray(store.count)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _whole(out / NODES) as file:
            writer = csv.writer(file)
            writer.writerow(NODE_HEAD)
            for row in range(store.count):
                node = store.record(row)
                names = [n for n in node.synonyms if n.srl <= most]
                if node.synonyms and not names:
                    counts["nodes_left_out"] += 1
                    continue
                kept[row] = 1
                name = next((n.text for n in names if n.preferred), names[0].text if names else node.id)
                definition = next((text for text, _, srl in store.definitions(row) if srl <= most), "")
                writer.writerow((node.id, name, node.kind, definition, ";".join(node.types), node.srl))
                counts["nodes"] += 1
                if progress is not None and counts["nodes"] % _EVERY == 0:
                    progress(NODES, counts["nodes"])
        with _whole(out / EDGES) as file:
            writer = csv.writer(file)
            writer.writerow(EDGE_HEAD)
            for row in range(store.count):
                for other, number in zip(*(column.tolist() for column in store.out_edges(row)), strict=True):
                    edge = store.edge(number)
                    if not (kept[row] and kept[other]) or edge.srl > most:
                        counts["edges_left_out"] += 1
                        continue
                    writer.writerow(
                        (edge.subject, edge.object, edge.relation, edge.id, edge.source, edge.polarity or "",
                         "" if edge.confidence is None else f"{edge.confidence:.4f}", edge.srl, ";".join(edge.flags))
                    )  # fmt: skip
                    counts["edges"] += 1
                    if progress is not None and counts["edges"] % _EVERY == 0:
                        progress(EDGES, counts["edges"])
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}.") from error
    return counts


@contextmanager
def _whole(path: Path) -> "Iterator[IO[str]]":
    """A text file that appears whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
