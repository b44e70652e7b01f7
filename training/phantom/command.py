"""`fit`, `check` and `examples` of the chest phantom, as a command."""

import argparse
import json
import sys
from pathlib import Path

from secondread.agent.config import Settings
from secondread.evals.phantom import MODEL, load_model
from secondread.schema.errors import InputError, SecondReadError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m secondread.training.phantom",
        description="Fit the generator of chest films of nobody, check that it gives nobody away, make the examples.",
    )
    parser.add_argument("action", choices=("fit", "check", "examples"))
    parser.add_argument(
        "--data", type=Path, default=None, help="folder with index.csv, images/, masks/ (default: $SECONDREAD_DATA)"
    )
    parser.add_argument("--out", type=Path, default=None, help="fit: the model file; examples: their folder")
    parser.add_argument("--films", type=int, default=500, help="check: how many films to draw")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def _folder(given: Path | None) -> Path:
    folder = given or Settings.load().data_dir
    if folder is None:
        raise InputError("No data folder was given.", hint="Use --data DIR or set SECONDREAD_DATA.")
    return folder / "cxr" if (folder / "cxr" / "index.csv").is_file() else folder


def _fit(args: argparse.Namespace) -> None:
    from secondread.training.phantom.align import align
    from secondread.training.phantom.data import load_films
    from secondread.training.phantom.fit import fit, save

    films = load_films(_folder(args.data))
    tensors, figures = fit(films, align(films, args.threads))
    target = args.out or MODEL
    save(tensors, target)
    print(json.dumps({**figures, "file": target.name, "bytes": target.stat().st_size}))


def _check(args: argparse.Namespace) -> None:
    from secondread.training.phantom.data import load_films
    from secondread.training.phantom.privacy import distances

    model = load_model(args.out or MODEL)
    print(json.dumps(distances(load_films(_folder(args.data)), model, args.films).as_dict(), indent=1))


def _examples(args: argparse.Namespace) -> None:
    from secondread.training.phantom.examples import write_examples

    for line in write_examples(args.out or EXAMPLES):
        print(line)


def main(arguments: list[str] | None = None) -> int:
    """Run one action; returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        {"fit": _fit, "check": _check, "examples": _examples}[args.action](args)
    except SecondReadError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0
