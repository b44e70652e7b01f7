"""Check the installation: versions, device, weights, knowledge graph, tools, extras, folders."""

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Literal, NamedTuple

from secondread.serve.cli.console import one_line, print_json, table

CORE = (
    "numpy",
    "scipy",
    "pillow",
    "pydantic",
    "networkx",
    "pydicom",
    "torch",
    "safetensors",
    "langgraph",
    "langchain-core",
    "mcp",
)
EXTRAS = {
    "yolo": ("ultralytics",),
    "ray": ("ray",),
    "viewer": ("nicegui",),
    "llm": ("langchain", "langchain_openai", "transformers"),
    "train": ("monai", "torchvision", "sklearn"),
    "retrieve": ("faiss",),
    "dev": ("pytest", "hypothesis", "mypy", "ruff"),
}


class Check(NamedTuple):
    """One line of the report."""

    level: Literal["ok", "note", "bad"]
    what: str
    found: str


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run every check and print the report.

    Returns:
        0 when nothing is bad, else 1.
    """
    found = [
        check for part in (_python, _packages, _device, _settings, _graph, _tools, _extras) for check in _safe(part)
    ]
    healthy = all(check.level != "bad" for check in found)
    if args.json:
        print_json({"healthy": healthy, "checks": [check._asdict() for check in found]})
    else:
        print(table([(check.level.ljust(4), check.what, one_line(check.found, 200)) for check in found]))
        print("\nhealthy" if healthy else "\nnot healthy: see the lines marked bad")
    return 0 if healthy else 1


def _safe(part: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks of one part; a part that breaks is itself a finding."""
    try:
        yield from part()
    except Exception as error:  # a broken installation can break anywhere, and the report must still be printed
        yield Check("bad", part.__name__.lstrip("_"), f"{type(error).__name__}: {error}")


def _python() -> Iterator[Check]:
    yield Check("ok", "python", sys.version.split()[0])


def _packages() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, version

    for name in ("secondread", *CORE):
        try:
            yield Check("ok", name, version(name))
        except PackageNotFoundError:
            yield Check("bad", name, "not installed")


def _device() -> Iterator[Check]:
    import torch

    if torch.cuda.is_available():
        yield Check("ok", "device", f"cuda: {torch.cuda.get_device_name(0)}")
    yield Check("ok", "device", f"cpu, {torch.get_num_threads()} threads")


def _settings() -> Iterator[Check]:
    import os

    from secondread.agent.config import resolve

    settings, origin = resolve()
    yield Check("ok", "planner", f"{settings.planner} ({origin['planner']})")
    folder = settings.trace_dir
    if folder is None:
        yield Check("note", "traces", "kept in memory only")
        return
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        yield Check("ok", "traces", str(folder))
    else:
        yield Check("bad", "traces", f"{folder} cannot be written")


def _graph() -> Iterator[Check]:
    from secondread.kg.graph import core_graph

    counts = core_graph().stats()
    yield Check("ok", "graph", ", ".join(f"{name} {value}" for name, value in _flat(counts) if isinstance(value, int)))


def _flat(counts: object) -> list[tuple[str, object]]:
    as_dict = counts if isinstance(counts, dict) else counts.model_dump() if hasattr(counts, "model_dump") else {}
    return list(as_dict.items())


def _tools() -> Iterator[Check]:
    from secondread.schema.errors import ToolUnavailable
    from secondread.tools.catalogue import catalogue

    installed = catalogue()
    yield Check("ok" if installed.names() else "bad", "tools", f"{len(installed.names())} installed")
    for problem in installed.problems:
        yield Check("bad", "tool problem", f"{problem.where}: {problem.reason}")
    for name in installed.names():
        tool = installed.get(name)
        weights = tool.card.weights
        if weights is None:
            continue
        try:
            tool.load()  # reads every file and compares its checksum
        except ToolUnavailable as error:
            yield Check("bad", f"weights {name}", f"{error.message} {error.hint}")
        else:
            yield Check(
                "ok", f"weights {name}", f"{len(weights.files)} files, sha256 {weights.sha256[:12]}, {weights.licence}"
            )


def _extras() -> Iterator[Check]:
    for extra, modules in EXTRAS.items():
        missing = [m for m in modules if find_spec(m) is None]
        yield (
            Check("note", f"extra {extra}", f"lacks {', '.join(missing)}")
            if missing
            else Check("ok", f"extra {extra}", "installed")
        )
