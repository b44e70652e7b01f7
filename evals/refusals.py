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

SETS = ("nuclei_dsb2018", "cells_bccd", "ultrasound_usgra", "retina_chase_db1", "cxr")
OWN = {"nuclei": "nuclei_dsb2018", "cells": "cells_bccd", "nerves": "ultrasound_usgra"}
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


def believers(data: Path) -> dict[str, tuple[Callable[..., Any], dict[str, int]]]:
    """For each expert: a function of pixels and members that returns its result, and the fold of each own image."""
    from secondread.tools.detect.cells import inference as cells
    from secondread.tools.segment.nerves import inference as nerves
    from secondread.tools.segment.nuclei import inference as nuclei
    from secondread.training.cells.data import load_fields as load_smears
    from secondread.training.nerves.data import load_scans
    from secondread.training.nuclei.data import load_fields as load_nuclei

    made: dict[str, tuple[Callable[..., Any], dict[str, int]]] = {}
    for name, read, module, run in (
        ("nuclei", load_nuclei, nuclei, nuclei.segment),
        ("cells", load_smears, cells, cells.detect),
        ("nerves", load_scans, nerves, nerves.segment),
    ):
        networks = module.load_networks()
        rows: Any = read(data / OWN[name])
        made[name] = (
            lambda pixels, members, run=run, networks=networks: run(pixels, networks, members),
            {row.name: row.fold for row in rows},
        )
    return made


def main(argv: list[str] | None = None) -> int:
    """Print the shares; returns the exit code."""
    from secondread.agent.config import Settings
    from secondread.schema.errors import InputError

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.refusals", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder that holds the data sets")
    parser.add_argument("--many", type=int, default=25, help="images of each data set")
    args = parser.parse_args(argv)
    try:
        data = args.data or Settings.load().data_dir
        if data is None:
            raise InputError("No data folder was given.", hint="Use --data DIR or set SECONDREAD_DATA.")
        experts = believers(data)
        for name, (run, folds) in experts.items():
            for source in SETS:
                if not (data / source / "index.csv").is_file():
                    continue
                believed = []
                for stem, pixels in pictures(data / source, args.many):
                    members = [folds[stem]] if source == OWN[name] else None
                    try:
                        believed.append(bool(run(pixels, members).plausible))
                    except NotApplicable:
                        believed.append(False)
                low, high = clopper_pearson(sum(believed), len(believed))
                mine = ", its own kind," if source == OWN[name] else ""
                share = f"{sum(believed):>3} of {len(believed)}"
                print(f"{name:<7} believes {share} of {source}{mine} [{low:.2f}, {high:.2f}]")
    except SecondReadError as error:
        print(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
