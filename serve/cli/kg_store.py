"""Built graph stores on the command line: build, look into, export, check."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import SecondReadError, UsageError
from secondread.serve.cli.console import one_line, print_json, table

if TYPE_CHECKING:
    from secondread.kg.graph import Graph
    from secondread.kg.store.csr import CsrStore
    from secondread.kg.store.records import StoredEdge

Told = Callable[[str, float], None]


def build(args: argparse.Namespace) -> int:
    """`kg build KIND SOURCE --out GRAPH`."""
    from secondread.kg.builders.registry import BUILDERS, builder

    if len(args.terms) != 2:
        kinds = "; ".join(f"{one.name}: {one.reads}" for one in BUILDERS.values())
        raise UsageError("`secondread kg build` takes a kind and a source.", hint=f"Kinds: {kinds}.")
    if args.out is None:
        raise UsageError("`secondread kg build` needs a folder for the graph.", hint="Add --out FOLDER.")
    chosen = builder(args.terms[0])
    more: dict[str, Any] = {}
    if chosen.name == "mimic":
        more["image_id"] = _image_id
    if chosen.name == "radgraph":
        more["concept"] = _core_concept()
    told, done = _progress()
    try:
        stats, report = chosen.build(
            Path(args.terms[1]), args.out, strict=args.strict, version=args.version, progress=told, **more
        )
    finally:
        done()
    if args.json:
        print_json({"stats": stats, "report": report.as_json()})
        return 0
    print(f"{args.out}: {stats['nodes']} nodes, {stats['edges']} edges, {stats['names']} names")
    print(table([tuple(one_line(cell, 80) for cell in row) for row in report.summary()]))
    return 0


def _image_id(path: Path) -> str | None:
    """The id under which the image store and corpora know a picture."""
    from secondread.imaging.store import ImageStore

    try:
        return str(ImageStore().add(path).ref.id)
    except SecondReadError:
        return None


def _core_concept() -> Callable[[str], str | None]:
    from secondread.kg.graph import core_graph

    graph = core_graph()

    def known(text: str) -> str | None:
        found = graph.lookup(text)
        return found[0].id if len(found) == 1 else None

    return known


def _progress() -> tuple[Told, Callable[[], None]]:
    """A progress line on a terminal, and what ends it."""
    live, started = sys.stderr.isatty(), time.monotonic()

    def told(step: str, share: float) -> None:
        if live:
            bar = "#" * round(20 * share)
            taken = time.monotonic() - started
            print(f"\r{one_line(step, 30):<30} [{bar:<20}] {share:4.0%} {taken:6.0f} s", end="", file=sys.stderr)

    return told, lambda: print(file=sys.stderr) if live else None


def opened(folder: Path) -> "CsrStore":
    """The store in a folder.

    Raises:
        StoreError: There is none that can be used.
    """
    from secondread.kg.store.csr import CsrStore

    return CsrStore(folder)


def query(args: argparse.Namespace) -> int:
    """`kg query TERM --graph GRAPH`."""
    with opened(args.graph) as store:
        node = meant(store, args.terms[0])
        edges = store.neighbors(node, args.relation, "both", limit=max(args.limit, 50))
        if args.json:
            held = store.node(node).model_dump(mode="json")
            print_json({"node": held, "edges": _plain(edges), "truncated": edges.truncated})
            return 0
        print(store.describe(node))
        print(table([(e.subject, e.relation, e.object, e.polarity or "", e.source) for e in edges]))
        if edges.truncated:
            print(edges.truncated)
    return 0


def path(args: argparse.Namespace) -> int:
    """`kg path FROM TO --graph GRAPH`."""
    with opened(args.graph) as store:
        start, end = (meant(store, term) for term in args.terms)
        paths = store.paths(start, end, max_hops=args.hops, limit=args.limit, timeout_s=20)
        if args.json:
            print_json([_plain(one) for one in paths])
            return 0
        if not paths:
            print(f"No path of at most {args.hops} edges from {start} to {end}.")
        for number, one in enumerate(paths, 1):
            print(f"{number}.")
            print(table([("  ", edge.subject, edge.relation, edge.object, edge.text) for edge in one]))
        if paths.truncated:
            print(paths.truncated)
    return 0


def stats(args: argparse.Namespace) -> int:
    """`kg stats --graph GRAPH`."""
    with opened(args.graph) as store:
        counts = store.stats()
    if args.json:
        print_json(counts)
        return 0
    for name, value in counts.items():
        if isinstance(value, dict):
            most = sorted(value.items(), key=lambda one: -one[1])[:12]
            print(f"{name} ({len(value)}):")
            print(table([("  ", str(key), str(count)) for key, count in most]))
        else:
            print(f"{name}: {value}")
    return 0


def export(args: argparse.Namespace) -> int:
    """`kg export --graph GRAPH --out FOLDER`."""
    from secondread.kg.store.export import COMMAND
    from secondread.kg.store.export import export as write

    if args.out is None:
        raise UsageError("`secondread kg export` needs a folder for its files.", hint="Add --out FOLDER.")
    told, done = _progress()
    with opened(args.graph) as store:
        total = store.stats()["nodes"] + store.stats()["edges"]
        try:
            counts = write(
                store, args.out, max_srl=args.max_srl, progress=lambda file, n: told(file, min(1.0, n / total))
            )
        finally:
            done()
    if args.json:
        print_json(counts)
        return 0
    print(table([(name.replace("_", " "), str(count)) for name, count in counts.items()]))
    print(f"Neo4j: {COMMAND}")
    return 0


def check(args: argparse.Namespace) -> int:
    """`kg check --graph GRAPH`: read every file of a store whole."""
    from secondread.kg.store.manifest import check as read

    damaged = read(args.graph, shown=str(args.graph))
    if args.json:
        print_json({"damaged": damaged})
    else:
        print("\n".join(f"damaged: {name}" for name in damaged) or "every file is as it was built")
    return 1 if damaged else 0


def meant(graph: "Graph | CsrStore", text: str) -> str:
    """The id that a term means, in the graph that ships or in a built one.

    Raises:
        UsageError: None, or more than one.
    """
    if graph.has(text):
        return text
    found = graph.lookup(text)
    if not found:
        raise UsageError(f"The graph has nothing called {one_line(text, 80)!r}.")
    if len(found) > 1:
        names = ", ".join(f"{one.id} ({one_line(one.name, 40)})" for one in found[:8])
        raise UsageError(f"{one_line(text, 80)!r} can mean more than one thing: {names}.")
    return str(found[0].id)


def _plain(edges: "tuple[StoredEdge, ...]") -> list[dict[str, Any]]:
    return [edge.model_dump(mode="json") for edge in edges]
