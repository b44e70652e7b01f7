"""How many images of each data set the plausibility check of an expert believes: `python -m secondread.evals.refusals`.

An expert should believe its own kind (each development image read by the network that has not seen it) and refuse the
others. The check is one of size, shape, brightness and colour; in `ask` the modality router comes before it.
"""

import argparse
import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.metrics import clopper_pearson
from secondread.schema.errors import NotApplicable, SecondReadError
from secondread.tools.weights_file import FOLDER

SETS = ("nuclei_dsb2018", "cells_bccd", "ultrasound_usgra", "retina_chase_db1", "cxr")
OWN = {"nuclei": "nuclei_dsb2018", "cells": "cells_bccd", "nerves": "ultrasound_usgra"}
MANY = 25
"""Images of each data set."""

LONG_SIDE = 1000
"""Larger images are thinned out to at most this, for speed."""


def pictures(folder: Path, many: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Up to `many` images of a data set, picked by the SHA-256 of their names: stem and pixels."""
    from PIL import Image

    with (folder / "index.csv").open(newline="") as handle:
        files = sorted(
            {r["file"] for r in csv.DictReader(handle)}, key=lambda f: hashlib.sha256(f.encode()).hexdigest()
        )
    for file in files[:many]:
        with Image.open(folder / file) as picture:
            pixels = np.asarray(picture.convert("L" if picture.mode in ("L", "1", "I", "I;16") else "RGB"))
        step = -(-max(pixels.shape) // LONG_SIDE)
        yield Path(file).stem, pixels[::step, ::step]


def believers(data: Path, expert: str, weights: Path) -> tuple[Callable[..., Any], dict[str, int]]:
    """A function of pixels and members that returns the expert's result, and the fold of each of its own images."""
    from secondread.tools.detect.cells import inference as cells
    from secondread.tools.segment.nerves import inference as nerves
    from secondread.tools.segment.nuclei import inference as nuclei
    from secondread.training.cells.data import load_fields as load_smears
    from secondread.training.nerves.data import load_scans
    from secondread.training.nuclei.data import load_fields as load_nuclei

    experts: dict[str, tuple[Callable[..., Any], Any, Callable[..., Any], str]] = {
        "nuclei": (load_nuclei, nuclei, nuclei.segment, "count_model"),
        "cells": (load_smears, cells, cells.detect, "score_model"),
        "nerves": (load_scans, nerves, nerves.segment, "area_model"),
    }
    read, module, run, model = experts[expert]
    networks = module.load_networks(weights)
    fitted = {model: module.WEIGHTS.manifest(weights)[1][0].parameters}
    folds = {row.name: row.fold for row in read(data / OWN[expert])}
    return lambda pixels, members: run(pixels, networks, members, **fitted), folds


def believed(data: Path, expert: str, many: int, weights: Path) -> Iterator[tuple[str, int, int]]:
    """For each data set that is there: its name, how many of its images the expert believes, and of how many."""
    run, folds = believers(data, expert, weights)
    for source in SETS:
        if not (data / source / "index.csv").is_file():
            continue
        verdicts = []
        for stem, pixels in pictures(data / source, many):
            try:
                verdicts.append(bool(run(pixels, [folds[stem]] if source == OWN[expert] else None).plausible))
            except NotApplicable:
                verdicts.append(False)
        yield source, sum(verdicts), len(verdicts)


def believed_lines(data: Path, expert: str, many: int = MANY, weights: Path = FOLDER) -> str:
    """One line per data set, with a 95 % interval of the share."""
    lines = []
    for source, yes, n in believed(data, expert, many, weights):
        low, high = clopper_pearson(yes, n)
        mine = ", its own kind" if source == OWN[expert] else ""
        lines.append(f"- {yes} of {n} of {source}{mine} ({low:.2f} to {high:.2f})")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the shares; returns the exit code."""
    from secondread.agent.config import Settings
    from secondread.schema.errors import InputError

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.refusals", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder that holds the data sets")
    parser.add_argument("--expert", choices=sorted(OWN), help="only this one")
    parser.add_argument("--many", type=int, default=MANY, help="images of each data set")
    args = parser.parse_args(argv)
    try:
        data = args.data or Settings.load().data_dir
        if data is None:
            raise InputError("No data folder was given.", hint="Use --data DIR or set SECONDREAD_DATA.")
        for expert in [args.expert] if args.expert else list(OWN):
            print(f"{expert} believes\n{believed_lines(data, expert, args.many)}")
    except SecondReadError as error:
        print(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
