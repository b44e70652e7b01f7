"""The command line that the recipes of the small experts share: train the folds that are missing, then ship."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.errors import InputError, SecondReadError
from secondread.training.folds import FOLDS

if TYPE_CHECKING:
    import torch


def data_folder(given: Path | None, name: str) -> Path:
    """The folder of one data set: `given` itself, or the folder `name` in it; default `$SECONDREAD_DATA`.

    Raises:
        InputError: Nothing was given and the setting is empty, or there is no index.
    """
    from secondread.agent.config import Settings

    folder = given or Settings.load().data_dir
    if folder is None:
        raise InputError("No data folder was given.", hint="Use --data DIR or set SECONDREAD_DATA.")
    for candidate in (folder, folder / name):
        if (candidate / "index.csv").is_file():
            return candidate
    raise InputError(f"No index.csv in {folder} or its folder {name}.", hint="Give the data folder with --data.")


@dataclass(frozen=True)
class Recipe:
    """What the command needs to know of an expert.

    Attributes:
        name: Of the expert; checkpoints are `NAME_foldK.ckpt`.
        data: Folder name of its data set.
        load: Reads the data into memory.
        fit: `fit(fold, rows, out)` trains one network, or goes on with it.
        ship: `ship(data folder, rows, states, weights folder)` writes weights, manifest and card; returns lines to
            print.
    """

    name: str
    data: str
    load: Callable[[Path], Any]
    fit: Callable[[int, Any, Path], "dict[str, torch.Tensor]"]
    ship: "Callable[[Path, Any, list[dict[str, torch.Tensor]], Path], list[str]]"

    def state(self, fold: int, out: Path) -> "dict[str, torch.Tensor]":
        """The averaged weights in the checkpoint of a fold.

        Raises:
            InputError: It has not been trained into `out`.
        """
        import torch

        path = out / f"{self.name}_fold{fold}.ckpt"
        if not path.is_file():
            raise InputError(f"There is no {path.name} in {out}.", hint="Train that fold first.")
        found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average"]
        return found


def main(recipe: Recipe, argv: list[str] | None = None) -> int:
    """Run the command of a recipe; returns the exit code."""
    from secondread.tools.weights_file import FOLDER

    parser = argparse.ArgumentParser(
        prog=f"python -m secondread.training.{recipe.name}",
        description="Train one network per fold (a run that is cut off goes on from its checkpoint), then write "
        "weights, manifest and model card with the out-of-fold figures.",
    )
    parser.add_argument("action", nargs="?", choices=("train", "ship"), default="train")
    parser.add_argument("--data", type=Path, default=None, help=f"folder of {recipe.data}, or the one above it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--fold", default="all", help="0..4 or all")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="where ship writes (default: tools/weights)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    try:
        import torch

        torch.set_num_threads(args.threads)
        data = data_folder(args.data, recipe.data)
        rows = recipe.load(data)
        args.out.mkdir(parents=True, exist_ok=True)
        if args.action == "train":
            for fold in range(FOLDS) if args.fold == "all" else [int(args.fold)]:
                recipe.fit(fold, rows, args.out)
        else:
            states = [recipe.state(fold, args.out) for fold in range(FOLDS)]
            for line in recipe.ship(data, rows, states, args.weights):
                print(line)
    except SecondReadError as error:
        print(error)
        return error.exit_code
    return 0
