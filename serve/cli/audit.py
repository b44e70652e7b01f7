"""What was sent to language models: one line per call, without its words. With a run id, the calls of that run."""

import argparse

from secondread.schema.errors import UsageError
from secondread.serve.cli.console import print_json, printable, table


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="run id, `trace` of the answer; without one, all runs")
    parser.add_argument("--json", action="store_true", help="print the records as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the records, oldest first.

    Returns:
        0, also when no model was called.
    """
    from secondread.agent.audit_file import read_audit
    from secondread.agent.config import Settings

    folder = Settings.load().trace_dir
    if folder is None:
        raise UsageError("No traces are kept, and so no record of calls: the setting trace_dir is off.")
    found = read_audit(folder, args.run)
    if args.json:
        print_json({"calls": [one.model_dump(mode="json") for one in found]})
        return 0
    if not found:
        print("no calls of a language model")
        return 0
    rows = [("time (UTC)", "run", "to", "model", "bytes", "images", "tokens", "outcome")]
    for one in found:
        host = one.host if one.port is None else f"{one.host}:{one.port}"
        to = {"machine": host if one.host else "this process", "remote": host, "unknown": "not known"}[one.where]
        used = f"{one.tokens.input}+{one.tokens.output}" if one.tokens is not None else "-"
        ended = one.outcome if one.error is None else f"{one.outcome}: {one.error}"
        size, shown = str(one.bytes + one.tool_bytes + one.image_bytes), str(one.images)
        rows.append((one.time[:19], one.run, to or "", one.model, size, shown, used, ended))
    print(printable(table(rows)))
    return 0
