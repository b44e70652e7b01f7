"""Figures of the image router: `python -m secondread.evals.router --data DIR`.

The shipped weights are read against known kinds from sources never fitted on and kinds never fitted on. With `--refit`
the recipe runs again without each fold, source and kind of the unknown, and prints every figure of the model card.
"""

import argparse
import tempfile
from pathlib import Path

from secondread.schema.errors import InputError, SecondReadError


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m secondread.evals.router", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder of the image sets (default: SECONDREAD_DATA)")
    parser.add_argument("--cache", type=Path, default=None, help="folder of decoded pictures and features")
    parser.add_argument("--refit", action="store_true", help="also the figures that need models fitted again (minutes)")
    args = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            for told in report(_folder(args.data), args.cache or Path(scratch), refit=args.refit):
                print(told)
    except SecondReadError as error:
        print(error)
        return error.exit_code
    return 0


def _folder(given: Path | None) -> Path:
    from secondread.agent.config import Settings

    folder = given or Settings.load().data_dir
    if folder is None:
        raise InputError("No data folder was given.", hint="Use --data DIR or set SECONDREAD_DATA.")
    return folder


def report(data: Path, cache: Path, *, refit: bool = False) -> list[str]:
    """The lines that the command prints.

    Args:
        data: Folder above the image sets.
        cache: Where decoded pictures and features are kept.
        refit: Fit every model of the recipe again.

    Raises:
        InputError: An image set has no index.
        ToolUnavailable: The shipped weights are missing or damaged.
    """
    from secondread.tools.classify.router_model import KINDS
    from secondread.tools.classify.router_weights import WEIGHTS, load_model
    from secondread.training.router.data import read
    from secondread.training.router.figures import let_through, other_sources
    from secondread.training.router.fit import plain_views, views
    from secondread.training.router.ship import build, lines

    pictures = read(data, cache / "pictures.npz")
    if refit:
        return lines(build(pictures, views(pictures, cache / "views.npz"))[1])
    records, model = [WEIGHTS.record(kind) for kind in KINDS], load_model()
    seen = plain_views(pictures)
    told = [f"{len(pictures.items)} pictures; shipped weights, pixels alone"]
    for kind, source, f in other_sources(model, records, pictures, seen):
        told.append(f"  {kind} of {source}, accepted: {_said(f)}")
    told += [f"  {name}: {_said(f)}" for name, f in let_through(model, records, pictures, seen)]
    return told


def _said(f: dict[str, float | int]) -> str:
    return f"{f['value']:.3f} ({f['low']:.3f} to {f['high']:.3f}), n = {f['n']}"


if __name__ == "__main__":
    raise SystemExit(main())
