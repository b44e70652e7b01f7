"""The ultralytics twin of the blood-cell detector: `python -m secondread.training.cells.yolo`.

Five networks, one per fold, for the figures, and one on all fields, which is used.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from secondread.schema.errors import InputError, SecondReadError
from secondread.tools.detect.cells import yolo
from secondread.tools.weights_file import FOLDER
from secondread.training.cells.data import Field, load_fields, read_index
from secondread.training.experts import data_folder
from secondread.training.folds import FOLDS

if TYPE_CHECKING:
    import torch

SEED = 40250
EPOCHS = 40


def lay_out(data: Path, fields: list[Field], out: Path) -> dict[str, Path]:
    """Images and labels in the layout that ultralytics reads; returns image paths by field name."""
    from PIL import Image

    paths: dict[str, Path] = {}
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for row, field in zip(read_index(data), fields, strict=True):
        source, target = data / row["file"], out / "images" / f"{field.name}.jpg"
        if not target.exists():
            target.symlink_to(source.resolve())
        with Image.open(source) as picture:
            columns, rows = picture.size
        lines = []
        for (left, top, right, bottom), kind in zip(field.boxes.tolist(), field.classes.tolist(), strict=True):
            right, bottom = min(right, columns), min(bottom, rows)
            x, y = (left + right) / 2 / columns, (top + bottom) / 2 / rows
            lines.append(f"{kind} {x:.6f} {y:.6f} {(right - left) / columns:.6f} {(bottom - top) / rows:.6f}")
        (out / "labels" / f"{field.name}.txt").write_text("\n".join(lines))
        paths[field.name] = target
    return paths


def fit(member: int, fields: list[Field], paths: dict[str, Path], out: Path) -> "dict[str, torch.Tensor]":
    """Weights of one network: without fold `member`, or of all fields for `member` 5; kept in `out`."""
    import torch

    kept = out / f"yolo_{member}.pt"
    if kept.is_file():
        found: dict[str, torch.Tensor] = torch.load(kept, weights_only=True)
        return found
    listed = out / f"train_{member}.txt"
    listed.write_text("\n".join(str(paths[f.name]) for f in fields if f.fold != member))
    state = yolo.train(out, listed, out / f"run_{member}", epochs=EPOCHS, seed=SEED + member)
    torch.save(state, kept)
    return state


def main(argv: list[str] | None = None) -> int:
    """Train what is missing; with `ship` write weights, manifest and card."""
    parser = argparse.ArgumentParser(prog="python -m secondread.training.cells.yolo", description=__doc__)
    parser.add_argument("action", nargs="?", choices=("train", "ship"), default="train")
    parser.add_argument("--data", type=Path, help="folder of cells_bccd, or the one above it")
    parser.add_argument("--out", type=Path, required=True, help="folder of what is made on the way")
    parser.add_argument("--member", default="all", help="0..4 without that fold, 5 of all fields, or all")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="where ship writes (default: tools/weights)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    try:
        import torch

        torch.set_num_threads(args.threads)
        data = data_folder(args.data, "cells_bccd")
        fields = load_fields(data)
        paths = lay_out(data, fields, args.out.resolve())
        members = range(FOLDS + 1) if args.member == "all" else [int(args.member)]
        if args.action == "train":
            for member in members:
                fit(member, fields, paths, args.out.resolve())
                print(f"member {member} done", flush=True)
            return 0
        if not all((args.out / f"yolo_{m}.pt").is_file() for m in range(FOLDS + 1)):
            raise InputError("Not every member has been trained.", hint="Run `train` first.")
        from secondread.training.cells.ship_yolo import ship

        states = [fit(m, fields, paths, args.out.resolve()) for m in range(FOLDS + 1)]
        for line in ship(data, fields, states, args.weights):
            print(line)
    except SecondReadError as error:
        print(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
