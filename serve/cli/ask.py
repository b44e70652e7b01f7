"""Ask a question about an image, or a question of knowledge without one. The question comes last."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import SecondReadError, UsageError
from secondread.serve.cli import options as shared
from secondread.serve.cli.console import Progress, one_line, printable

if TYPE_CHECKING:
    from secondread.agent.agent import Agent
    from secondread.agent.run import Approval
    from secondread.schema.answer import Answer


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = '%(prog)s [IMAGE ...] "question" [options]'
    parser.add_argument(
        "words",
        nargs="+",
        metavar="IMAGE ... question",
        help="image files, a study folder, a zip or a volume; then the question",
    )
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    parser.add_argument("--out", metavar="DIR", help="write overlay pictures, answer.json and the trace to DIR")
    parser.add_argument(
        "--dicom", action="store_true", help="with --out: also masks, measurements and overlays as DICOM SEG, SR and SC"
    )
    parser.add_argument("--report", metavar="FILE", help="write the run as a page, FILE.html or FILE.md")
    parser.add_argument("--prior", metavar="IMAGE", help="an earlier image of the same patient")
    parser.add_argument(
        "--twin", metavar="IMAGE", help="a look-alike with other findings: an answer that stays is less sure"
    )
    parser.add_argument(
        "--region", type=shared.region, metavar="x0,y0,x1,y1", help="box in pixels that the question is about"
    )
    parser.add_argument("--series", type=shared.count, metavar="N", help="series of a study, from 1")
    parser.add_argument("--slice", type=shared.count, metavar="N", help="slice of a volume or frame of a clip, from 1")
    parser.add_argument(
        "--plane", choices=shared.PLANES, default="axial", help="plane of --slice (default: %(default)s)"
    )
    parser.add_argument(
        "--mask",
        type=shared.mask,
        action="append",
        metavar="NAME=FILE[:LABEL]",
        help="outline of a structure, to be measured; may be given several times",
    )
    parser.add_argument("--choices", type=shared.choices, metavar="A,B,..", help="answer with one of these")
    parser.add_argument("--session", metavar="NAME", help="conversation: later questions may refer to earlier ones")
    parser.add_argument(
        "--approve", action="append", default=[], metavar="TOOL",
        help="ask before this tool is run; without a terminal the run pauses (exit code 4)",
    )  # fmt: skip
    shared.add_image_options(parser)
    shared.add_agent_options(parser)
    shared.add_log_option(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, print the answer, write the output folder.

    Returns:
        0 answered, 3 abstained.
    """
    from secondread.agent.logs import logging_to

    images, question = split(args.words)
    if not images and (args.region or args.prior or args.series or args.slice):
        raise UsageError("--region, --prior, --series and --slice need an image.")
    if args.dicom and args.out is None:
        raise UsageError("--dicom needs --out, the folder to write to.")
    out = shared.output_folder(args.out) if args.out is not None else None
    page = None
    if args.report is not None:
        from secondread.serve.report.write import report_path, write_report

        page = report_path(args.report)
    agent = shared.open_agent(shared.settings_of(args))
    try:
        with logging_to(args.log_json):
            answer = _ask(agent, images, question, args)
            if args.twin is not None:
                from secondread.agent.twin import limited

                answer = limited(answer, _ask(agent, [args.twin], question, args))
        if out is not None:
            from secondread.serve.export import write_answer

            write_answer(agent, answer, out)
            if args.dicom:
                from secondread.serve.dicom_out import write_dicom

                for note in write_dicom(agent, answer, out).notes:
                    print(f"secondread: {one_line(note)}", file=sys.stderr)
        if page is not None:
            write_report(agent, answer, page)
    finally:
        agent.close()
    print(answer.model_dump_json(indent=2) if args.json else as_text(answer))
    return 3 if answer.abstained else 0


def split(words: list[str]) -> tuple[list[str], str]:
    """Images and question.

    Raises:
        UsageError: There is no question, or it does not come last.
    """
    *images, question = words
    if _is_path(question):
        if images and not _is_path(images[0]):
            raise UsageError("The question comes last, after the images.", hint='secondread ask film.png "question"')
        raise UsageError("There is no question.", hint='secondread ask film.png "Is the heart enlarged?"')
    if not question.strip():
        raise UsageError("The question is empty.")
    return images, question


def _is_path(word: str) -> bool:
    try:
        return Path(word).is_file() or ("/" in word and Path(word).is_dir())
    except (OSError, ValueError):  # a question can be longer than a file name may be, or hold a zero character
        return False


def _ask(agent: "Agent", images: list[str], question: str, args: argparse.Namespace) -> "Answer":
    source: Any = None if not images else images[0] if len(images) == 1 else images
    given = {
        "prior": args.prior,
        "region": args.region,
        "series": args.series,
        "slice": args.slice,
        "plane": args.plane,
        "masks": dict(args.mask) if args.mask else None,
        "choices": args.choices,
        "view": args.view,
        "age": args.age,
        "session": args.session,
        "approve": args.approve,
    }
    progress = Progress()
    if args.approve and progress.active and sys.stdin.isatty():
        given["decide"] = lambda asked: _allowed(asked, progress)
    if not progress.active:
        return agent.ask(source, question, **given)
    progress.show("starting")
    try:
        for event in agent.stream(source, question, **given):
            if "answer" in event:
                answer: Answer = event["answer"]
                return answer
            progress.show(f"{event.get('node', '')}: {event.get('message', '')}")
    finally:
        progress.clear()
    raise SecondReadError("The run ended without an answer.")


def _allowed(asked: "Approval", progress: Progress) -> bool:
    """A person's answer at the terminal."""
    progress.clear()
    why = f" ({one_line(asked.why, 120)})" if asked.why else ""
    print(f"Run {', '.join(asked.tools)}{why}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def as_text(answer: "Answer") -> str:
    """The answer for a reader: its text, the numbered evidence, warnings, and what it may be used for."""
    lines = [printable(answer.text)]
    if answer.choice is not None:
        lines.append(f"Choice: {one_line(answer.choice)}")
    if answer.confidence is not None:
        lines.append(f"Confidence {answer.confidence:.2f} ({one_line(answer.confidence_method)})")
    elif answer.confidence_method:
        lines.append(f"Confidence not stated: {one_line(answer.confidence_method)}")
    if answer.evidence:
        lines.append("Evidence:")
        cited = {e for claim in answer.claims for e in claim.evidence}
        for number, item in enumerate(answer.evidence, 1):
            mark = "*" if item.id in cited else " "
            where = f" ({one_line(item.place)})" if item.place else ""
            lines.append(f" {number:2d}.{mark}{item.id} {item.tool}{where}: {one_line(item.summary, 240)}")
        if cited:
            lines.append("     (* cited)")
    if answer.warnings:
        lines.append("Warnings:")
        lines += [f"  - {one_line(warning)}" for warning in answer.warnings]
    lines.append(answer.notice)
    return "\n".join(lines)
