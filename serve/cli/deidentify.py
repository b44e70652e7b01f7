"""Write a cleaned copy of a DICOM file, folder or zip archive, after the basic profile of DICOM PS3.15 Annex E.

Names, ids, descriptions, private elements, overlays and curves go; unique identifiers are replaced alike in all files;
sex, age (above 89 given as 90), size and weight stay. The source is only read.
"""

import argparse
import sys
from pathlib import Path

from secondread.schema.errors import UsageError
from secondread.serve.cli.console import one_line, print_json

SHOWN = 20
"""Files named on the terminal; the rest is counted, and `--json` lists all."""


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="SRC", help="DICOM file, folder or zip archive")
    parser.add_argument("--out", metavar="DIR", required=True, help="new folder for the cleaned files")
    parser.add_argument(
        "--keep-dates-relative",
        action="store_true",
        help="move all dates of a patient by one random number of days in place of removing them",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--find-text",
        action="store_true",
        help="name the files whose pixels show text (extra `ocr`; half a second each)",
    )
    group.add_argument(
        "--mask-text", action="store_true", help="find text in the pixels and paint over it; side letters stay"
    )
    parser.add_argument(
        "--key",
        metavar="FILE",
        help="secret that makes stand-ins the same in every run; made (mode 0600) when missing. Keep it private",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Clean, and say what was not written.

    Returns:
        0 when every DICOM file of the source was written, 2 otherwise.
    """
    from secondread.imaging.identity.deidentify import deidentify

    if args.jobs < 1:
        raise UsageError("--jobs needs a number from 1 on.")
    report = deidentify(
        args.source,
        args.out,
        keep_dates_relative=args.keep_dates_relative,
        text_in_pixels="mask" if args.mask_text else "warn" if args.find_text else "ignore",
        jobs=args.jobs,
        key=_key(Path(args.key)) if args.key is not None else None,
    )
    if args.json:
        lists = {name: getattr(report, name) for name in ("failed", "skipped", "warnings")}
        print_json(
            {"written": [str(path) for path in report.written]}
            | {name: [{"file": p.name, "reason": p.reason} for p in problems] for name, problems in lists.items()}
        )
    else:
        done = "1 file" if len(report.written) == 1 else f"{len(report.written)} files"
        print(f"{done} cleaned, {len(report.failed)} failed, {len(report.skipped)} skipped.")
    for title, problems in (("not written", report.failed), ("skipped", report.skipped), ("look at", report.warnings)):
        for problem in problems[:SHOWN]:
            print(f"secondread: {title}: {one_line(f'{problem.name}: {problem.reason}')}", file=sys.stderr)
        if len(problems) > SHOWN:
            print(f"secondread: {title}: and {len(problems) - SHOWN} more", file=sys.stderr)
    return 2 if report.failed or not report.written else 0


def _key(path: Path) -> bytes:
    """The secret of a file of at least 16 bytes; a new one when the file does not exist."""
    import os
    import secrets

    try:
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_hex(32).encode())
        key = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"{path} cannot be used as a key: {error.strerror}.") from None
    if len(key) < 16:
        raise UsageError(f"{path} is too short for a key.", hint="Name a file that does not exist; it is then made.")
    return key
