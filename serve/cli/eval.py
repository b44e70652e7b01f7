"""Examine the agent, or another subject, on a benchmark; `eval list` names every benchmark that can be read."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.schema.errors import UsageError
from secondread.serve.cli import options as shared
from secondread.serve.cli.console import Progress, one_line, print_json, printable, table

if TYPE_CHECKING:
    from secondread.evals.bench.subjects import Subject

EXTRA = 'pip install "secondread[eval]"'


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("benchmark", metavar="NAME", help="`list`, `cards`, or a benchmark of `eval list`")
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder or file with the questions")
    parser.add_argument("--images", type=Path, metavar="DIR", help="image folder; default: the folder of the questions")
    parser.add_argument("--blind", action="store_true", help="ask without images")
    parser.add_argument("--train", type=Path, metavar="PATH", help="training questions, for the floors")
    parser.add_argument(
        "--subject", action="append", metavar="S",
        help="agent (default), no_tools, tools_only, chat:SPEC, blind_chat:SPEC, deeptumor:MODE:SPEC, none; repeatable",
    )  # fmt: skip
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="option of the benchmark")
    parser.add_argument("--where", action="append", default=[], metavar="STRATUM=VALUE", help="only items like this")
    parser.add_argument("--limit", type=shared.count, metavar="N", help="most items, whole groups drawn with the seed")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of the shuffled images")
    parser.add_argument("--jobs", type=shared.count, default=1, metavar="N", help="items asked at the same time")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="result folder (default: eval-NAME); a rerun resumes it"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    shared.add_agent_options(parser)


def run(args: argparse.Namespace) -> int:
    """List the benchmarks, or run one.

    Returns:
        0; a benchmark that could be run is no failure, whatever it shows.
    """
    if args.benchmark == "list":
        return _listed(args.json)
    if args.data is None:
        raise UsageError(f"`secondread eval {one_line(args.benchmark, 40)}` needs --data.", hint="See `eval list`.")
    if args.benchmark == "cards":
        return _cards(args)
    try:
        import rouge_score  # noqa: F401 - told before an hour of work, not after
        import sacrebleu  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError:
        raise UsageError("The evaluator needs the extra `eval`.", hint=f"Run {EXTRA}.") from None
    return _run(args)


def _listed(as_json: bool) -> int:
    from secondread.evals.bench.catalogue import READERS, UNREAD

    if as_json:
        fields = ("name", "title", "status", "expects", "licence", "notes", "options")
        listed = [{f: getattr(r, f) for f in fields} | {"options": dict(r.options)} for r in READERS.values()]
        print_json([*listed, *({"name": name, "title": title, "status": "none"} for name, title in UNREAD.items())])
        return 0
    rows = [("name", "status", "title", "reads"), *((r.name, r.status, r.title, r.expects) for r in READERS.values())]
    print(table([*rows, *((name, "none", *title.split(": ", 1)) for name, title in UNREAD.items())]))
    print("\ncomplete: items, the benchmark's own metric, and a generated set that gets its hand-computed score.")
    print("format: items are read and scored by the common metrics; what is left out stands in the notes (--json).")
    print("none: known, but no reader takes it; the last column says what it holds.")
    return 0


def _cards(args: argparse.Namespace) -> int:
    from secondread.evals.bench.cards import write_cards

    for path in write_cards(args.data, args.out or Path("cards")):
        print(path)
    return 0


def _run(args: argparse.Namespace) -> int:
    from secondread.evals.bench.catalogue import reader
    from secondread.evals.bench.html import page
    from secondread.evals.bench.report import document, dump, lines, scored_lines, write
    from secondread.evals.bench.run import run as evaluate
    from secondread.evals.bench.subjects import subject_from

    one = reader(args.benchmark)
    given = shared.pairs(args.option, "--option")
    unknown = sorted(set(given) - {*one.options, "tool_cache", "crops", "samples"})
    if unknown:
        raise UsageError(f"{one.name} has no option {', '.join(unknown)}.", hint=f"Options: {dict(one.options)}.")
    if not args.data.exists():
        raise UsageError(f"{args.data} is not there.")
    read = one.read(args.data, given)
    train = one.train(args.train, given) if args.train is not None and one.train is not None else None
    beside = args.data if args.data.is_dir() else args.data.parent
    images = None if args.blind else args.images or (Path(given["unpack"]) if "unpack" in given else beside)
    out = shared.output_folder(str(args.out or f"eval-{one.name}"))
    out.mkdir(parents=True, exist_ok=True)
    settings = shared.settings_of(args).model_copy(update={"trace_dir": None})
    wanted = [s for s in (args.subject or ["agent"]) if s != "none"]
    samples = shared.count(given.get("samples", "1"))
    subjects: list[Subject] = []
    progress = Progress()
    try:
        subjects += (
            _deeptumor(s, given, settings) if s.startswith("deeptumor:") else subject_from(s, settings, samples)
            for s in wanted
        )
        from secondread.evals.bench.readers.smmile import published

        outcome = evaluate(
            read, subjects, images=images, journal=out / "predictions.jsonl", train=train,
            where=shared.pairs(args.where, "--where"), limit=args.limit, seed=args.seed, jobs=args.jobs,
            published=published, progress=lambda s, done, n: progress.show(f"{s}: {done} of {n}"),
        )  # fmt: skip
    finally:
        progress.clear()
        for subject in subjects:
            subject.close()
    found = document(outcome, one)
    write(out / "result.json", dump(found))
    write(out / "report.html", page(found, images))
    write(out / "scored.jsonl", scored_lines(outcome))
    if args.json:
        print_json(found)
    else:
        print(printable("\n".join(lines(found))))
        print(f"\n{out / 'result.json'}\n{out / 'report.html'}", file=sys.stderr)
    return 0


def _deeptumor(spec: str, given: dict[str, str], settings: object) -> "Subject":
    from secondread.agent.config import Settings
    from secondread.agent.planners.models import chat_model
    from secondread.evals.bench.deeptumor_tools import DeepTumorAgent, toolkit

    assert isinstance(settings, Settings)
    _, mode, model = (*spec.split(":", 2), "", "")[:3]
    cache = Path(given["tool_cache"]) if "tool_cache" in given else None
    tools = toolkit(mode, cache=cache, crops=Path(given["crops"]) if "crops" in given else None)
    about = {"spec": spec, "cache": str(cache)}
    return DeepTumorAgent(chat_model(model, settings), mode, tools, spec, about)
