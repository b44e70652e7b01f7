"""Ask the same questions about many studies: folders, zip archives, a manifest or a DICOMweb service."""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from secondread.serve.cli import options as shared
from secondread.serve.cli.console import Progress


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE",
        help="folders, zip archives or files; one manifest (.csv, .jsonl); or the URL of a DICOMweb service",
    )  # fmt: skip
    parser.add_argument("--questions", required=True, metavar="FILE", help="YAML list of questions (docs/batch.md)")
    parser.add_argument("--out", metavar="DIR", help="where everything is written; not needed with --dry-run")
    parser.add_argument("--resume", action="store_true", help="go on with a batch that was cut off")
    parser.add_argument("--retry-failed", action="store_true", help="resume, and ask again what failed")
    parser.add_argument("--dry-run", action="store_true", help="find and count the cases; ask and write nothing")
    parser.add_argument("--limit", type=shared.count, metavar="N", help="ask about N cases in this run")
    parser.add_argument(
        "--where", action="append", default=[], metavar="COND",
        help="ask about the cases that meet it, e.g. modality=CR,DX or images>=2; may be given more than once",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the tally as one JSON object")
    group = parser.add_argument_group("files")
    group.add_argument("--no-overlays", dest="overlays", action="store_false", help="write no pictures")
    group.add_argument("--dicom", action="store_true", help="write DICOM SEG, SR and secondary captures of each case")
    group.add_argument("--reports", action="store_true", help="write a page of every run with its steps")
    group = parser.add_argument_group("running")
    group.add_argument("--timeout", type=seconds, metavar="S", help="seconds for one question")
    group.add_argument("--retries", type=tries, default=1, metavar="N", help="further tries after what may pass (1)")
    group.add_argument("--in-flight", type=shared.count, metavar="N", help="cases at work at a time, per process")
    group.add_argument("--engine", choices=("local", "ray"), default="local", help="this process, or Ray workers")
    group.add_argument("--workers", type=shared.count, metavar="N", help="ray: workers; default all the cluster takes")
    group.add_argument("--worker-cpus", type=positive, default=1.0, metavar="N", help="ray: processors of a worker (1)")
    group.add_argument("--worker-gpus", type=share, default=0.0, metavar="N", help="ray: GPUs of a worker (0)")
    group.add_argument("--address", metavar="A", help="ray: the cluster; default one on this machine")
    shared.add_image_options(parser)
    shared.add_agent_options(parser)


def seconds(text: str) -> float:
    """A time limit, for argparse."""
    return shared.number(text, lambda s: 0 < s < 1e7, "a number of seconds")


def positive(text: str) -> float:
    """A number of processors, for argparse."""
    return shared.number(text, lambda n: 0 < n < 1e4, "a number above 0")


def share(text: str) -> float:
    """A number of GPUs, for argparse."""
    return shared.number(text, lambda n: 0 <= n < 1e3, "a number from 0")


def tries(text: str) -> int:
    """A number of further tries, for argparse."""
    return int(shared.number(text, lambda n: 0 <= n <= 100 and n == int(n), "a whole number from 0 to 100"))


def run(args: argparse.Namespace) -> int:
    """Run the batch and print how it ended.

    Returns:
        0 done; 1 a row failed inside; 2 a case could not be read; 3 every row abstained.

    Raises:
        UsageError: No `--out`.
    """
    from secondread.schema.errors import UsageError
    from secondread.serve.batch.questions import read_questions
    from secondread.serve.batch.run import Options, dry_run, run_batch
    from secondread.serve.batch.scan import Given
    from secondread.serve.batch.where import conditions
    from secondread.serve.batch.work import Job

    if args.out is None and not args.dry_run:
        raise UsageError("Nothing says where to write.", hint="Give --out DIR, or --dry-run.")
    out = shared.output_folder(args.out) if args.out is not None else None
    job = Job(
        questions=read_questions(args.questions),
        settings=shared.settings_of(args),
        open_agent=shared.open_agent,
        view=args.view,
        age=args.age,
        timeout=args.timeout,
        retries=args.retries,
        overlays=args.overlays,
        dicom=args.dicom,
        reports=args.reports,
    )
    if job.settings.offline:
        from urllib.parse import urlsplit

        from secondread.agent.destination import is_loopback

        if any("://" in s and not is_loopback(urlsplit(s).hostname or "") for s in args.sources):
            raise UsageError("Offline: the DICOMweb service is not on this machine.")
    given = Given(tuple(args.sources), leave_out=out)
    how = Options(
        resume=args.resume or args.retry_failed,
        retry_failed=args.retry_failed,
        where=conditions(args.where),
        limit=args.limit,
        in_flight=args.in_flight,
        engine=args.engine,
        ray=_ray(args) if args.engine == "ray" else {},
    )
    if args.dry_run or out is None:
        return _told(args, dry_run(given, job, how))
    progress = Progress()
    try:
        with _ended_in_order():
            tally = run_batch(given, job, out, how, progress=progress.show)
    except KeyboardInterrupt:
        progress.clear()
        print("secondread: rows that were recorded are whole; go on with --resume", file=sys.stderr)
        raise
    finally:
        progress.clear()
    if args.json:
        print(tally.model_dump_json(indent=2))
    else:
        left = f", {tally.missing} cases left" if tally.missing else ""
        print(
            f"{tally.rows} rows ({tally.new} new): {tally.answered} answered, {tally.abstained} abstained, "
            f"{tally.skipped} skipped, {tally.failed} failed{left}"
        )
    if tally.failed:
        print(f"secondread: failed cases are listed in {out / 'dead_letters.jsonl'}", file=sys.stderr)
    return tally.exit_code


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM, as schedulers send it, ends the run as Ctrl-C does, also in a background job, which ignores SIGINT."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ray(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "workers": args.workers,
        "cpus": args.worker_cpus,
        "gpus": args.worker_gpus,
        "address": args.address,
        **({"in_flight": args.in_flight} if args.in_flight else {}),
    }


def _told(args: argparse.Namespace, found: Any) -> int:
    """Print what a batch would do."""
    if args.json:
        print(found.model_dump_json(indent=2))
        return 0
    shown = ", ".join(f"{count} {name}" for name, count in sorted(found.modalities.items()))
    print(
        f"{found.cases} cases in {found.files} files ({found.skipped_files} other files), {found.unread} unreadable, "
        f"{found.paired} with a prior"
    )
    print(f"{found.selected} selected: {shown or 'none'}")
    print(f"{found.rows} rows to come; questions: {', '.join(found.questions)}")
    return 0
