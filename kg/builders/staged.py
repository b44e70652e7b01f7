"""What builders of smaller sources share: one stage, a report in the store, nothing half-built."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from secondread.kg.builders.report import BuildReport
from secondread.kg.store.writer import StoreWriter

Progress = Callable[[str, float], None]
"""Called with what is read and the share of it that is done, 0 to 1."""
REPORT = "report.json"


def store(
    out: Path, *, source: str, version: str, licence: str, restricted: bool, strict: bool,
    fill: Callable[[StoreWriter, BuildReport], None],
) -> tuple[dict[str, Any], BuildReport]:  # fmt: skip
    """Build a store in one go.

    Args:
        out: Where it will lie.
        source: What it is built from.
        version: Release of the source.
        licence: Terms of the content.
        restricted: Whether the content must not be handed on.
        strict: Whether the first rejected row ends the build.
        fill: Puts everything in and reports.

    Returns:
        Stats of the store, and the report, which also lies in the store as `report.json`.
    """
    report = BuildReport(strict=strict)
    writer = StoreWriter.open(out, source=source, version=version, licence=licence, restricted=restricted, inputs="")
    try:
        fill(writer, report)
        stats = writer.finish()
    finally:
        writer.release()
    report.save(out / REPORT)
    return stats, report


class Ends:
    """Edges that are kept until every node is known, so that ends that are missing can be told."""

    def __init__(self) -> None:
        self._edges: list[tuple[str, int, str, str, str, str]] = []

    def add(self, file: str, line: int, subject: str, relation: str, obj: str, source: str) -> None:
        """An edge of a line."""
        self._edges.append((file, line, subject, relation, obj, source))

    def write(self, writer: StoreWriter, report: BuildReport, *, own: Iterable[str] = ()) -> None:
        """Add the edges; an edge to a missing node is left out when it points into one of the `own` namespaces.

        A missing end in another namespace becomes a bare node and is noted.
        """
        spaces = tuple(f"{space}:" for space in own)
        parents: dict[str, list[str]] = {}
        for file, line, subject, relation, obj, source in self._edges:
            missing = [end for end in (subject, obj) if not writer.has(end)]
            if any(end.startswith(spaces) for end in missing) and spaces:
                report.reject(file, "dangling_end", [line])
                continue
            if missing:
                report.note(file, "end_of_another_vocabulary", [line])
            if relation in ("is_a", "subclass_of"):
                parents.setdefault(subject, []).append(obj)
            writer.join(subject, relation, obj, source=source)
        cycles = _cycles(parents)
        if cycles and self._edges:
            report.note(self._edges[0][0], "hierarchy_cycle", count=cycles)


def _cycles(parents: dict[str, list[str]]) -> int:
    """How many knots a hierarchy has: strongly connected parts of more than one node, and self loops."""
    import networkx

    graph = networkx.DiGraph((child, parent) for child, above in parents.items() for parent in above)
    knots = sum(len(part) > 1 for part in networkx.strongly_connected_components(graph))
    return int(knots + networkx.number_of_selfloops(graph))
