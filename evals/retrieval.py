"""Figures of the embedded image encoder: `python -m secondread.evals.retrieval --data DIR`.

For every labelled question of a topic: precision of the five nearest images of other groups, beside chance and beside
raw pixels.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.evals.out_of_fold import bootstrap_groups, figure
from secondread.tools.retrieve.encoders.pixels import PixelEncoder
from secondread.tools.retrieve.encoders.trunk import project
from secondread.training.encoder.data import Row, rows
from secondread.training.encoder.fit import features, projection
from secondread.training.folds import FOLDS, deal

NEAREST = 5
Vectors = NDArray[np.float32]


def precision(
    queries: Vectors,
    gallery: Vectors,
    wanted: Sequence[str],
    held: Sequence[str],
    mine: Sequence[str],
    theirs: Sequence[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the five nearest with the label of each query, and the share that chance gives it.

    Args:
        queries: Unit vectors (n, d).
        gallery: Unit vectors (m, d).
        wanted: Label of each query.
        held: Label of each gallery image.
        mine: Group of each query.
        theirs: Group of each gallery image; images of the query's group do not count.
    """
    near = queries @ gallery.T
    labels, groups = np.array(held), np.array(theirs)
    found, chance = np.zeros(len(queries)), np.zeros(len(queries))
    for number, (label, group) in enumerate(zip(wanted, mine, strict=True)):
        allowed = groups != group
        scores = np.where(allowed, near[number], -np.inf)
        best = np.argsort(-scores, kind="stable")[:NEAREST]
        found[number] = (labels[best] == label).mean()
        chance[number] = (labels[allowed] == label).mean()
    return found, chance


def measured(
    table: Sequence[Row], seen: Vectors, raw: Vectors
) -> "dict[str, dict[str, tuple[NDArray[np.float64], list[str]]]]":
    """Task -> method -> (precision of each query, its group)."""
    made: dict[str, dict[str, tuple[NDArray[np.float64], list[str]]]] = {}
    tasks = list(dict.fromkeys(t for row in table for t in row.labels))
    fitted = np.array([row.split != "val" for row in table])
    for task in tasks:
        members = [n for n, row in enumerate(table) if task in row.labels]
        parts = _parts(table, members)
        found: dict[str, list[Any]] = {"encoder": [], "raw pixels": [], "chance": []}
        groups: list[str] = []
        for queries, gallery in parts:
            others = np.flatnonzero(fitted & ~np.isin(np.arange(len(table)), queries))
            axes = projection(seen[others])
            vectors = project(seen[[*queries, *gallery]], axes["mean"], axes["scale"], axes["axes"])
            labels = [[table[n].labels[task] for n in part] for part in (queries, gallery)]
            names = [[table[n].group for n in part] for part in (queries, gallery)]
            cut = len(queries)
            score, chance = precision(vectors[:cut], vectors[cut:], *labels, *names)
            plain, _ = precision(raw[queries], raw[gallery], *labels, *names)
            for name, values in (("encoder", score), ("raw pixels", plain), ("chance", chance)):
                found[name].append(values)
            groups += names[0]
        made[task] = {name: (np.concatenate(values), groups) for name, values in found.items()}
    return made


def _parts(table: Sequence[Row], members: list[int]) -> list[tuple[list[int], list[int]]]:
    """(queries, gallery): validation rows among train rows where there are some, else five folds by group."""
    validation = [n for n in members if table[n].split == "val"]
    if validation:
        return [(validation, [n for n in members if table[n].split == "train"])]
    folds = deal([table[n].group for n in members], [next(iter(table[n].labels.values())) for n in members])
    return [
        (
            [n for n, f in zip(members, folds, strict=True) if f == fold],
            [n for n, f in zip(members, folds, strict=True) if f != fold],
        )
        for fold in range(FOLDS)
    ]


def figures(found: "dict[str, dict[str, tuple[NDArray[np.float64], list[str]]]]") -> dict[str, dict[str, float | int]]:
    """Every figure with its 95 % interval, and the gain over raw pixels, query by query."""
    made: dict[str, dict[str, float | int]] = {}
    for task, methods in found.items():
        for name, (values, groups) in methods.items():
            made[f"{task}: {name}"] = figure(bootstrap_groups(values, groups), len(values))
        gain = methods["encoder"][0] - methods["raw pixels"][0]
        made[f"{task}: encoder less raw pixels"] = figure(bootstrap_groups(gain, methods["encoder"][1]), len(gain))
    return made


def evaluate(data: Path, cache: Path | None = None) -> dict[str, dict[str, float | int]]:
    """Figures of the recipe on the data."""
    table = rows(data)
    raw = PixelEncoder().embed_images([row.picture() for row in table])
    return figures(measured(table, features(table, cache), raw))


def main(argv: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Print the figures."""
    from secondread.training.card import table as lines

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.retrieval", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the research data folder")
    parser.add_argument("--cache", type=Path, help="file that keeps the trunk features")
    args = parser.parse_args(argv)
    say(lines(evaluate(args.data, args.cache)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
