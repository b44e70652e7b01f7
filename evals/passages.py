"""Passages by topic: `python -m secondread.evals.passages --data DIR`.

The MedQuAD questions of the knowledge data (Ben Abacha and Demner-Fushman, BMC Bioinformatics 2019;20:511): a question
must find an answer of its own topic other than its own. Answers are indexed without question and topic. Topics are
dealt into two halves by hash: one half may choose channels and weights, the other is reported.
"""

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secondread.evals.out_of_fold import bootstrap_groups, figure
from secondread.schema.errors import InputError
from secondread.tools.retrieve.build import concepts_of
from secondread.tools.retrieve.corpus.corpus import Corpus
from secondread.tools.retrieve.records import Item
from secondread.tools.retrieve.retriever import CHANNELS, Retriever

FILE = Path("kg", "text", "medquad_imaging.jsonl.gz")
AT = 10
Row = dict[str, str]


def read(data: Path) -> list[Row]:
    """Rows with id, question, answer and focus; the topic is the focus in lower case.

    Raises:
        InputError: The file is not there.
    """
    path = data / FILE
    if not path.is_file():
        raise InputError(f"There is no {path}.", hint="Give the research data folder with --data.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [{**{k: str(r[k]) for k in ("id", "question", "answer")}, "topic": str(r["focus"]).lower()} for r in rows]


def retriever(rows: Sequence[Row]) -> Retriever:
    """The answers as a corpus in memory."""
    corpus = Corpus.in_memory("MedQuAD")
    items = [Item(id=r["id"], kind="passage", text=r["answer"], source="MedQuAD") for r in rows]
    corpus.add(items, concepts=[concepts_of(i) for i in items])
    return Retriever(corpus)


def reported(topic: str) -> bool:
    """Whether a topic belongs to the half whose figure is reported."""
    return hashlib.sha256(topic.encode()).digest()[0] % 2 == 1


def scores(
    found: Retriever, rows: Sequence[Row], channels: Sequence[str], asked: Sequence[Row]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each question whether the first ten hold its topic, and the reciprocal rank of the first that does."""
    topic_of = {r["id"]: r["topic"] for r in rows}
    hit, reciprocal = np.zeros(len(asked)), np.zeros(len(asked))
    for number, row in enumerate(asked):
        ids = [
            h.item.id for h in found.passages(row["question"], AT + 1, channels=channels, cut=False, floor=False).hits
        ]
        ranked = [topic_of[i] for i in ids if i != row["id"]][:AT]
        if row["topic"] in ranked:
            hit[number], reciprocal[number] = 1, 1 / (ranked.index(row["topic"]) + 1)
    return hit, reciprocal


def evaluate(data: Path, *, chosen_half: bool = False) -> dict[str, dict[str, float | int]]:
    """Hit rate at 10 and mean reciprocal rank by channel and of all together, over questions with a second answer."""
    rows = read(data)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["topic"]] = counts.get(row["topic"], 0) + 1
    asked = [r for r in rows if counts[r["topic"]] > 1 and reported(r["topic"]) != chosen_half]
    found = retriever(rows)
    topics = [r["topic"] for r in asked]
    made: dict[str, dict[str, float | int]] = {}
    single: dict[str, NDArray[np.float64]] = {}
    sets = {**{c: (c,) for c in CHANNELS if c != "dense"}, "hybrid": tuple(c for c in CHANNELS if c != "dense")}
    for name, channels in sets.items():
        hit, reciprocal = scores(found, rows, channels, asked)
        single[name] = reciprocal
        made[f"{name}: topic among the first {AT}"] = figure(bootstrap_groups(hit, topics), len(asked))
        made[f"{name}: mean reciprocal rank"] = figure(bootstrap_groups(reciprocal, topics), len(asked))
    best = max((n for n in single if n != "hybrid"), key=lambda n: float(single[n].mean()))
    gain = single["hybrid"] - single[best]
    made[f"hybrid less {best}: mean reciprocal rank"] = figure(bootstrap_groups(gain, topics), len(asked))
    return made


def main(argv: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Print the figures."""
    from secondread.training.card import table

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.passages", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the research data folder")
    parser.add_argument("--choose", action="store_true", help="the half that may choose weights, not the reported one")
    args = parser.parse_args(argv)
    say(table(evaluate(args.data, chosen_half=args.choose)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
