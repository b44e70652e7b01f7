"""Look into the knowledge graph, build graphs from licensed and open sources, mine reports for concepts."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.schema.errors import UsageError
from secondread.serve.cli import kg_store
from secondread.serve.cli.console import one_line, print_json, table

if TYPE_CHECKING:
    from secondread.kg.graph import Graph
    from secondread.schema.evidence import GraphEdge

ACTIONS = ("query", "path", "stats", "lint", "mine", "build", "export", "check")


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "action",
        choices=ACTIONS,
        help="query TEXT, path FROM TO, stats, lint, mine REPORTS, build KIND SOURCE, export, or check",
    )
    parser.add_argument("terms", nargs="*", metavar="TERM", help="concept ids or words")
    parser.add_argument("--graph", type=Path, metavar="FOLDER", help="a built graph in place of the one that ships")
    parser.add_argument("--relation", metavar="R", help="query: only edges of this relation")
    parser.add_argument("--hops", type=int, default=4, choices=range(1, 7), metavar="1-6", help="path: longest chain")
    parser.add_argument(
        "--limit", type=int, default=5, choices=range(1, 101), metavar="1-100", help="path: most chains"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH",
        help="mine: JSON-lines file, continued when it exists; build: folder of the graph; export: folder of CSV files",
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="build: end at the first row that would be left out")
    parser.add_argument("--version", default="", help="build: release of the source, kept in the graph")
    parser.add_argument("--max-srl", type=int, metavar="N", help="export: highest source restriction level, e.g. 0")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run one action."""
    if args.action == "build":
        return kg_store.build(args)
    wanted = {"query": 1, "path": 2, "mine": 1}.get(args.action, 0)
    if len(args.terms) != wanted:
        raise UsageError(f"`secondread kg {args.action}` takes {wanted} terms, not {len(args.terms)}.")
    if args.graph is not None or args.action in ("export", "check"):
        if args.graph is None:
            raise UsageError(f"`secondread kg {args.action}` needs a built graph.", hint="Add --graph FOLDER.")
        if args.action in ("mine", "lint"):
            raise UsageError(f"`secondread kg {args.action}` reads the graph that ships only.")
        done: int = getattr(kg_store, args.action)(args)
        return done
    from secondread.kg.graph import core_graph

    graph = core_graph()
    if args.action == "mine":
        return _mine(graph, args)
    if args.action == "query":
        return _query(graph, args.terms[0], args.relation, args.json)
    if args.action == "path":
        return _path(graph, args)
    return _stats(graph, args.json) if args.action == "stats" else _lint(args.json)


def _mine(graph: "Graph", args: argparse.Namespace) -> int:
    """Mentions of the graph's concepts in reports."""
    from secondread.kg.text.link import Linker
    from secondread.kg.text.mine import mine

    if args.out is None:
        raise UsageError("`secondread kg mine` needs a file for its rows.", hint="Add --out mentions.jsonl.")
    live = sys.stderr.isatty()

    def progress(count: int, name: str) -> None:
        if live:
            print(f"\r{count} reports: {one_line(name, 60):<60}", end="", file=sys.stderr)

    found = mine(Path(args.terms[0]), args.out, Linker.from_graph(graph), progress=progress)
    if live:
        print(file=sys.stderr)
    if args.json:
        print_json({"reports": found.reports, "known": found.known, "mentions": found.mentions,
                    "problems": [list(p) for p in found.problems]})  # fmt: skip
        return 0
    print(f"{found.reports} report(s) read, {found.known} known, {found.mentions} mention(s) written to {args.out}")
    for file, what in found.problems[:20]:
        print(f"problem: {one_line(file, 80)}: {one_line(what, 120)}")
    return 0


def _edges(graph: "Graph", concept: str, relation: str | None) -> "list[GraphEdge]":
    return [edge for way in ("out", "in") for edge in graph.neighbors(concept, relation, direction=way)]


def _query(graph: "Graph", text: str, relation: str | None, as_json: bool) -> int:
    concept = kg_store.meant(graph, text)
    edges = _edges(graph, concept, relation)
    if as_json:
        print_json(
            {"concept": graph.concept(concept).model_dump(mode="json"), "edges": [e.model_dump() for e in edges]}
        )
        return 0
    print(graph.describe(concept))
    print(table([(e.subject, e.relation, e.object, e.source) for e in edges]))
    return 0


def _path(graph: "Graph", args: argparse.Namespace) -> int:
    start, end = (kg_store.meant(graph, term) for term in args.terms)
    paths = graph.paths(start, end, max_hops=args.hops, limit=args.limit)
    if args.json:
        print_json([[edge.model_dump() for edge in path] for path in paths])
        return 0
    if not paths:
        print(f"No path of at most {args.hops} edges from {start} to {end}.")
    for number, path in enumerate(paths, 1):
        print(f"{number}.")
        print(table([("  ", edge.subject, edge.relation, edge.object, edge.text) for edge in path]))
    return 0


def _stats(graph: "Graph", as_json: bool) -> int:
    counts = graph.stats()
    if as_json:
        print_json(counts)
    else:
        print(table([(str(name), str(value)) for name, value in counts.items()]))
    return 0


def _lint(as_json: bool) -> int:
    from secondread.kg.lint import lint

    problems = [str(problem) for problem in lint()]
    if as_json:
        print_json(problems)
    else:
        print("\n".join(problems) or "no problems")
    return 1 if problems else 0
