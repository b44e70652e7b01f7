"""Go on with a run that was cut off, cancelled or waits for a yes. Without a run: list those that are open."""

import argparse
from typing import Any

from secondread.schema.errors import UsageError
from secondread.serve.cli import options as shared
from secondread.serve.cli.console import print_json


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="run id, `trace` of the answer")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="its images, when they are elsewhere by now")
    parser.add_argument("--prior", metavar="IMAGE", help="its earlier image, when it is elsewhere by now")
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--yes", action="store_true", help="allow the tool that it waits for")
    answer.add_argument("--no", action="store_true", help="forbid the tool that it waits for")
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    shared.add_agent_options(parser)
    shared.add_log_option(parser)


def run(args: argparse.Namespace) -> int:
    """Resume and print the answer.

    Returns:
        0 answered, 3 abstained; 4, by `ApprovalNeeded`, when it waits for a yes.
    """
    from secondread.agent.logs import logging_to
    from secondread.serve.cli.ask import as_text

    agent = shared.open_agent(shared.settings_of(args))
    try:
        if args.run is None:
            if args.yes or args.no:
                raise UsageError("Name the run.", hint="`secondread resume` lists those that are open.")
            found = agent.unfinished()
            print_json({"runs": found}) if args.json else print("\n".join(found) or "no open runs")
            return 0
        decide = (lambda asked: bool(args.yes)) if args.yes or args.no else None
        image: Any = None if not args.images else args.images[0] if len(args.images) == 1 else args.images
        with logging_to(args.log_json):
            answer = agent.resume(args.run, image, prior=args.prior, decide=decide)
    finally:
        agent.close()
    print(answer.model_dump_json(indent=2) if args.json else as_text(answer))
    return 3 if answer.abstained else 0
