"""`train`, `predict` and `external` of the chest anatomy networks, as a command."""

import argparse
import json
from pathlib import Path

from secondread.agent.config import Settings
from secondread.schema.errors import InputError, SecondReadError
from secondread.training.anatomy.data import FOLDS, Films, fold_of, load_films, masked_rows, unlabelled_rows

SHIPPED = Path(__file__).resolve().parents[2] / "tools" / "weights"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m secondread.training.anatomy",
        description="Train the chest anatomy networks, one per fold (train), measure each on the films it has not seen "
        "(predict), and on films of other sources (external).",
    )
    parser.add_argument("action", nargs="?", choices=("train", "predict", "external"), default="train")
    parser.add_argument(
        "--data", type=Path, default=None, help="folder with index.csv, images/, masks/ (default: $SECONDREAD_DATA)"
    )
    parser.add_argument("--fold", default="all", help="0..4 or all")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="folder of the weights (default: tools/weights)")
    parser.add_argument("--csv", type=Path, default=Path("oof_anatomy.csv"), help="where predict writes its rows")
    parser.add_argument(
        "--split", choices=("train", "val"), default="train", help="films to measure: train is out-of-fold"
    )
    parser.add_argument("--steps", type=int, default=None, help="shorten the run, for a trial")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-compile", action="store_true", help="slower, but needs no C++ compiler")
    parser.add_argument("--again", action="store_true", help="train folds whose weights exist already")
    return parser


def _folder(given: Path | None) -> Path:
    folder = given or Settings.load().data_dir
    if folder is None:
        raise InputError("No data folder was given.", hint="Use --data DIR or set SECONDREAD_DATA.")
    return folder / "cxr" if (folder / "cxr" / "index.csv").is_file() else folder


def _train(args: argparse.Namespace, data: Path) -> None:
    import torch

    from secondread.tools.segment.weights import fold_file, save_fold
    from secondread.training.anatomy.fit import Recipe, fit

    torch.set_num_threads(args.threads)
    recipe = Recipe() if args.steps is None else Recipe(steps=args.steps)
    folds = range(FOLDS) if args.fold == "all" else [int(args.fold)]
    args.out.mkdir(parents=True, exist_ok=True)
    films = load_films(data, masked_rows(data, "train"))
    others = load_films(data, unlabelled_rows(data))
    for fold in folds:
        if (args.out / fold_file(fold)).exists() and not args.again:
            print(f"fold {fold}: {fold_file(fold)} exists, kept", flush=True)
            continue
        inside = [i for i, r in enumerate(films.rows) if fold_of(r.patient) != fold]
        outside = [i for i, r in enumerate(films.rows) if fold_of(r.patient) == fold]
        state, log = fit(fold, _some(films, inside), _some(films, outside), others, recipe, quick=args.no_compile)
        save_fold(args.out, fold, state)
        (args.out / f"chest_anatomy_fold{fold}.log.json").write_text(json.dumps(log, indent=1) + "\n")
        print(f"fold {fold}: written", flush=True)


def _some(films: Films, picked: list[int]) -> Films:
    labels = None if films.labels is None else films.labels[picked]
    return Films(tuple(films.rows[i] for i in picked), films.images[picked], labels)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        data = _folder(args.data)
        if args.action == "train":
            _train(args, data)
        elif args.action == "external":
            from secondread.training.anatomy.external import report

            for line in report(data, args.out, split=args.split, threads=args.threads):
                print(line)
        else:
            from secondread.training.anatomy.predict import write_predictions

            write_predictions(data, args.out, args.csv, split=args.split, threads=args.threads)
    except SecondReadError as error:
        print(error)
        return error.exit_code
    return 0
