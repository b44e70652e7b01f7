"""Linking of diseases: `python -m secondread.evals.linking --data DIR`.

NCBI Disease corpus (Dogan, Leaman and Lu, J Biomed Inform 2014;47:1) with names of the Disease Ontology and MONDO.
Rules were written on its train and development parts; the test part was read once after them, and is reported.
"""

import argparse
import gzip
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from secondread.evals.out_of_fold import bootstrap_groups, figure
from secondread.kg.text.abbreviations import defined
from secondread.kg.text.candidates import Finder, Overlap
from secondread.kg.text.dictionary import Dictionary
from secondread.kg.text.link import Linker
from secondread.schema.errors import InputError

CLIMB = 3
"""Steps up the hierarchy in which a MeSH id is looked for when a concept has none of its own."""


class Gold(NamedTuple):
    """One mention of the corpus."""

    start: int
    end: int
    text: str
    ids: frozenset[str]


class Document(NamedTuple):
    """One abstract."""

    id: str
    text: str
    mentions: tuple[Gold, ...]


def documents(path: Path) -> list[Document]:
    """Abstracts of a PubTator file; composite ids (`|` or `+`) are taken apart.

    Raises:
        InputError: The file is not there.
    """
    if not path.is_file():
        raise InputError(f"There is no {path}.", hint="Give the knowledge data folder with --data.")
    texts: dict[str, str] = defaultdict(str)
    marks: dict[str, list[Gold]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            told = re.match(r"^(\d+)\|[ta]\|(.*)$", line.rstrip("\n"))
            parts = line.rstrip("\n").split("\t")
            if told:
                texts[told[1]] += told[2] + " "
            elif len(parts) >= 6:
                ids = frozenset(i.strip() for i in re.split(r"[|+]", parts[5]))
                marks[parts[0]].append(Gold(int(parts[1]), int(parts[2]), parts[3], ids))
    return [Document(name, text, tuple(marks[name])) for name, text in texts.items()]


class Lexicon:
    """Names of both ontologies, and the MeSH and OMIM ids of a concept by its own cross-references or its parents'."""

    def __init__(self, data: Path) -> None:
        self.names: list[tuple[str, str]] = []
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._parents: dict[str, list[str]] = defaultdict(list)
        for row in _table(data / "doid" / "nodes.tsv.gz"):
            self._xrefs(row["id"], row["xrefs"])
            self.names.append((row["id"], row["label"]))
            synonyms = [s for s in row["synonyms"].split("|") if s]
            self.names += [(row["id"], s[2:]) for s in sorted(synonyms, key=lambda s: s[:2] != "E:")]
        for row in _table(data / "mondo" / "nodes.tsv.gz"):
            self._xrefs(row["id"], row["exact_matches"])
            for other in row["exact_matches"].split("|"):
                if other.startswith("DOID:"):
                    self._ids[row["id"]] |= self._ids[other]
                    self._ids[other] |= self._ids[row["id"]]
            self.names.append((row["id"], row["label"]))
        for path in (data / "doid" / "edges.tsv.gz", data / "mondo" / "edges_rare.tsv.gz"):
            for row in _table(path):
                values = list(row.values())
                self._parents[values[0]].append(values[-1])

    def _xrefs(self, concept: str, text: str) -> None:
        for one in text.split("|"):
            space, _, key = one.partition(":")
            if space in ("MESH", "mesh"):
                self._ids[concept].add(key)
            elif space in ("OMIM", "MIM"):
                self._ids[concept].add(f"OMIM:{key}")

    def ids(self, concept: str) -> set[str]:
        """Ids by which the corpus may call a concept."""
        front = [concept]
        for _ in range(CLIMB + 1):
            found = set[str]().union(*(self._ids[c] for c in front))
            if any(not i.startswith("OMIM") for i in found):
                return found | self._ids[concept]
            front = [p for c in front for p in self._parents.get(c, ())]
        return self._ids[concept]


def _table(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        head = file.readline().rstrip("\n").split("\t")
        for line in file:
            yield dict(zip(head, line.rstrip("\n").split("\t"), strict=False))


def given_spans(found: Sequence[Document], finder: Finder, lexicon: Lexicon) -> tuple[list[float], list[str]]:
    """For each mention whether the first concept is right, and the document it is from."""
    right: list[float] = []
    groups: list[str] = []
    for document in found:
        short = defined(document.text)
        for mention in document.mentions:
            ids = finder.find(mention.text, short).ids
            right.append(float(bool(ids) and bool(lexicon.ids(ids[0]) & mention.ids)))
            groups.append(document.id)
    return right, groups


def by_document(
    found: Sequence[Document], linker: Linker, lexicon: Lexicon
) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """For each document: concepts found that are right, found, and ids of the corpus, found and all."""
    rows = []
    for document in found:
        gold = set[str]().union(*(m.ids for m in document.mentions))
        seen: set[frozenset[str]] = set()
        right, covered = 0, set[str]()
        for concept in dict.fromkeys(m.concept for m in linker.link(document.text)):
            ids = lexicon.ids(concept)
            key = frozenset(ids & gold) or frozenset(sorted(ids)[:1] or [concept])
            if key in seen:
                continue
            seen.add(key)
            right += bool(ids & gold)
            covered |= ids & gold
        rows.append((right, len(seen), len(covered), len(gold)))
    return np.array(rows, np.float64)


def _f1(rows: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> float:
    precision, recall = (
        rows[:, 0].sum() / max(rows[:, 1].sum(), 1),
        rows[:, 0].sum() / max(rows[:, 0].sum() + (rows[:, 3] - rows[:, 2]).sum(), 1),
    )
    return float(2 * precision * recall / max(precision + recall, 1e-12))


def evaluate(data: Path, part: str) -> dict[str, dict[str, float | int]]:
    """Figures on one part of the corpus: `train`, `devel` or `test`."""
    lexicon = Lexicon(data)
    finder = Finder(Dictionary.of(lexicon.names), Overlap(lexicon.names))
    found = documents(data / "linking" / f"ncbi_disease_{part}.pubtator.txt.gz")
    right, groups = given_spans(found, finder, lexicon)
    rows = by_document(found, Linker(finder, variants=True), lexicon)
    names = [d.id for d in found]
    return {
        f"{part}: right concept, spans given": figure(bootstrap_groups(np.array(right), groups), len(right)),
        f"{part}: precision by document": figure(
            bootstrap_groups(rows, names, lambda r: float(r[:, 0].sum() / max(r[:, 1].sum(), 1))), int(rows[:, 1].sum())
        ),
        f"{part}: F1 by document": figure(bootstrap_groups(rows, names, _f1), len(names)),
    }


def main(argv: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Print the figures."""
    from secondread.training.card import table

    parser = argparse.ArgumentParser(prog="python -m secondread.evals.linking", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the knowledge data folder, or the one above it")
    parser.add_argument("--part", choices=("train", "devel", "test"), default="test")
    args = parser.parse_args(argv)
    data = args.data / "kg" if (args.data / "kg").is_dir() else args.data
    try:
        say(table(evaluate(data, args.part)))
    except InputError as error:
        say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
