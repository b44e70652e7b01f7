"""Ask the same questions about every image of a folder; one row per image and question, resumable."""

import argparse
import sys
from pathlib import Path

from secondread.serve.cli import options as shared
from secondread.serve.cli.console import Progress


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="FOLDER", help="images, searched with its sub-folders")
    parser.add_argument("--questions", required=True, metavar="FILE", help="YAML list of questions (docs/batch.md)")
    parser.add_argument("--out", required=True, metavar="DIR", help="where rows, manifest and crosswalk go")
    parser.add_argument("--resume", action="store_true", help="go on with a batch that was cut off")
    parser.add_argument("--json", action="store_true", help="print the tally as one JSON object")
    shared.add_image_options(parser)
    shared.add_agent_options(parser)


def run(args: argparse.Namespace) -> int:
    """Run the batch and print how it ended.

    Returns:
        0 done; 1 a row failed inside; 2 a case could not be read; 3 every row abstained.
    """
    from secondread.serve.batch.questions import read_questions
    from secondread.serve.batch.run import run_batch

    progress = Progress()
    try:
        tally = run_batch(
            Path(args.folder),
            read_questions(Path(args.questions)),
            shared.output_folder(args.out),
            settings=shared.settings_of(args),
            open_agent=shared.open_agent,
            view=args.view,
            age=args.age,
            resume=args.resume,
            progress=progress.show,
        )
    finally:
        progress.clear()
    if args.json:
        print(tally.model_dump_json(indent=2))
    else:
        print(
            f"{tally.rows} rows ({tally.new} new): {tally.answered} answered, {tally.abstained} abstained, "
            f"{tally.skipped} skipped, {tally.failed} failed"
        )
    if tally.failed:
        print(f"secondread: failed cases are listed in {Path(args.out) / 'dead_letters.jsonl'}", file=sys.stderr)
    return tally.exit_code
