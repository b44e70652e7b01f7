"""Re-execute a recorded run from its moves and tool results, and show what differs."""

import argparse
from pathlib import Path

from secondread.serve.cli.console import one_line, print_json, printable


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("trace", metavar="TRACE", help="a trace file (`trace.jsonl` of --out)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Replay and print the differences.

    Returns:
        0 when the answer is the same, 1 when it differs.
    """
    from secondread.agent.replay import replay

    report = replay(Path(args.trace))
    if args.json:
        print_json({**report.model_dump(mode="json"), "same": report.same})
        return 0 if report.same else 1
    print(printable(report.answer.text))
    for change in report.changes:
        print()
        print("\n".join(f"{line[:7]}{one_line(line[7:], 600)}" for line in map(printable, change.lines)))
    fields = ", ".join(d.field for d in report.differences)
    print("same answer" if report.same else f"\n{len(report.differences)} fields differ: {fields}")
    return 0 if report.same else 1
