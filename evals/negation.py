"""Negation: `python -m secondread.evals.negation --data DIR`.

The 2,376 de-identified sentences of NegEx and ConText (Chapman 2001, Harkema 2009). A seeded half was read
while the phrases were written; the other half was scored once after them, and is reported, with the whole beside it.
"""

import argparse
import gzip
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from secondread.evals.out_of_fold import bootstrap_groups, figure
from secondread.kg.text.assertion import judge
from secondread.schema.errors import InputError

SEED = 7
FILE = Path("negation", "negex_context_2376.tsv.gz")


class Case(NamedTuple):
    """One sentence: where the condition stands, and whether it is negated."""

    sentence: str
    start: int
    end: int
    negated: bool
    developed: bool
    """It belongs to the half on which the phrases were written."""


def cases(data: Path) -> list[Case]:
    """The sentences; where the condition does not occur literally, the mention is empty and counts as not negated.

    Raises:
        InputError: The file is not there.
    """
    path = data / FILE
    if not path.is_file():
        raise InputError(f"There is no {path}.", hint="Give the knowledge data folder with --data.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    order = list(range(len(rows)))
    random.Random(SEED).shuffle(order)
    developed = set(order[: len(order) // 2])
    made = []
    for number, row in enumerate(rows):
        condition, sentence = row[1], row[2]
        start = sentence.find(condition.upper())
        if start < 0:
            start = sentence.lower().find(condition.lower())
        end = start + len(condition) if start >= 0 else 0
        made.append(Case(sentence, max(start, 0), end, row[3] == "Negated", number in developed))
    return made


def figures(found: Sequence[Case], name: str) -> dict[str, dict[str, float | int]]:
    """Precision, recall and F1 of `negated`, with 95 % intervals over sentences."""
    said = [c.end > 0 and judge(c.sentence, c.start, c.end).assertion == "absent" for c in found]
    rows = np.array([[s and c.negated, s, c.negated] for s, c in zip(said, found, strict=True)], np.float64)
    names = [str(n) for n in range(len(rows))]

    def share(part: int) -> Callable[..., float]:
        return lambda r: float(r[:, 0].sum() / max(r[:, part].sum(), 1))

    def f1(r: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> float:
        return float(2 * r[:, 0].sum() / max(r[:, 1].sum() + r[:, 2].sum(), 1))

    return {
        f"{name}: precision": figure(bootstrap_groups(rows, names, share(1)), int(rows[:, 1].sum())),
        f"{name}: recall": figure(bootstrap_groups(rows, names, share(2)), int(rows[:, 2].sum())),
        f"{name}: F1": figure(bootstrap_groups(rows, names, f1), len(rows)),
    }


def main(argv: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Print the figures."""
    from secondread.training.card import table

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.negation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the knowledge data folder, or the one above it")
    args = parser.parse_args(argv)
    data = args.data / "kg" if (args.data / "kg").is_dir() else args.data
    try:
        found = cases(data)
    except InputError as error:
        say(str(error))
        return error.exit_code
    halves = figures([c for c in found if not c.developed], "half left out")
    say(table({**halves, **figures(found, "all sentences")}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
