"""Show a run as a page: question, answer, claims, pictures and every step. Markdown on the terminal, or a file."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.schema.errors import ReplayError
from secondread.serve.cli.console import printable

if TYPE_CHECKING:
    from secondread.agent.config import Settings


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", metavar="RUN", help="run id (`trace` of an answer), or a trace file")
    parser.add_argument("--out", metavar="FILE", help="FILE.html (one file) or FILE.md (with a folder of pictures)")
    parser.add_argument("--no-pictures", action="store_true", help="leave the pictures out and run no tool")


def run(args: argparse.Namespace) -> int:
    """Make the page and print or write it.

    Returns:
        0.

    Raises:
        ReplayError: There is no such run, or it was cut off before its answer.
        UsageError: The file cannot be written.
    """
    from secondread.agent.config import Settings
    from secondread.agent.trace import answer_of, read_trace
    from secondread.serve.report.markdown import markdown
    from secondread.serve.report.page import page
    from secondread.serve.report.pictures import again, figures
    from secondread.serve.report.write import report_path, write_page
    from secondread.tools.catalogue import catalogue

    out = report_path(args.out) if args.out is not None else None
    settings = Settings.load()
    trace = trace_of(args.run, settings)
    events = read_trace(trace)
    answer = answer_of(events)
    if answer is None:
        raise ReplayError(f"{trace} ends before its answer.", hint="`secondread resume` goes on with a run.")
    if out is None or args.no_pictures:
        blocks = page(answer, events, [], catalogue(settings.allowed_licences))
    else:
        from secondread.serve.cli.options import open_agent

        agent = open_agent(settings.model_copy(update={"planner": "protocol"}))
        try:
            blocks = page(answer, events, figures(agent, again(agent, answer, events)), agent.runtime.catalogue)
        finally:
            agent.close()
    if out is None:
        print(printable(markdown(blocks)), end="")
    else:
        write_page(blocks, out)
        print(f"written: {args.out}")
    return 0


def trace_of(run: str, settings: "Settings") -> Path:
    """The trace of a run id, or the file that is named.

    Raises:
        ReplayError: There is none.
    """
    named = Path(run)
    if not re.fullmatch(r"[0-9a-f]{8,64}", run) or named.is_file():
        return named
    if settings.trace_dir is None or not (settings.trace_dir / f"{run}.jsonl").is_file():
        raise ReplayError(f"There is no trace of run {run}.", hint="Name the trace file.")
    return settings.trace_dir / f"{run}.jsonl"
