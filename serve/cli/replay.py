"""Re-execute a recorded run from its moves and tool results, and show what differs."""

import argparse
from pathlib import Path

from secondread.serve.cli.console import print_json


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("trace", metavar="TRACE", help="a trace file (`trace.jsonl` of --out)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Replay and print the differences.

    Returns:
        0 when the answer is the same, 1 when it differs.
    """
    from secondread.agent.trace import replay

    report = replay(Path(args.trace))
    if args.json:
        print_json(report.model_dump(mode="json"))
    else:
        print(report.text)
    return 0 if report.same else 1
