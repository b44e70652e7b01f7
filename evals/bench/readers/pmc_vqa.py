"""PMC-VQA (Zhang et al. 2023), figures of papers, and ChestAgentBench (Fallahpour et al. 2025): multiple choice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondread.evals.bench.figures import mean_figure, share_figure
from secondread.evals.bench.item import Figure, Item, Read, Scored
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader, each
from secondread.evals.bench.readers.deeptumor import embedded

CHOICES = "ABCD"


def _pmc(row: dict[str, str], where: str) -> Item:
    options = {}
    for letter in CHOICES:
        text = row[f"Choice {letter}"].strip()
        options[letter] = text.removeprefix(f"{letter}:").strip() if text.startswith(f"{letter}:") else text
    right = (row.get("Answer_label") or row.get("Answer") or "").strip()
    figure = row["Figure_path"].strip()
    return Item(
        id=row.get("index") or where.rpartition(" ")[2],
        kind="choice",
        question=row["Question"].strip(),
        images=(figure,),
        options=options,
        answer=(right.upper() if len(right) == 1 else right,),
        group=figure,
    )


def _read_pmc(*names: str) -> Any:
    def read(root: Path, options: Options) -> Read:
        files = Files(root)
        path = files.find(*names)
        return files.made(each(path, files.table(path)), _pmc)

    return read


def _accuracy(rows: Sequence[Scored]) -> list[Figure]:
    return [share_figure("accuracy", sum(r.score == 1 for r in rows), len(rows))]


def _chest(record: Any, where: str) -> Item:
    if not isinstance(record, dict):
        raise BadRecord("not an object")
    stem, options = embedded(str(record["question"]))
    about = record.get("metadata") or {}
    case = str(about.get("case_id") or record.get("case_id") or "")
    if not case:
        raise BadRecord("no case_id in the metadata")
    figures = record.get("figures") or []
    return Item(
        id=where.removesuffix(".json"),
        kind="choice",
        question=stem,
        images=tuple(_path(f) for f in figures),
        options=options,
        answer=(str(record["answer"]).strip().upper()[:1],),
        group=case,
        strata={"type": str(about.get("type", "")), "difficulty": str(about.get("difficulty", ""))},
        meta={"categories": [str(c) for c in about.get("categories") or []]},
    )


def _path(figure: Any) -> str:
    """Path of a figure, given as text or as an object that holds it."""
    if isinstance(figure, str):
        return figure
    if isinstance(figure, dict):
        for key in ("path", "image_path", "file", "url"):
            if isinstance(figure.get(key), str):
                return str(figure[key])
    raise BadRecord("a figure without a path")


def _read_chest(root: Path, options: Options) -> Read:
    files = Files(root)
    paths = [p for p in files.all("**/*.json") if p.name != "eurorad_metadata.json"]
    base = root if root.is_dir() else root.parent
    return files.made(((p.relative_to(base).as_posix(), files.json(p)) for p in paths), _chest)


def _categories(rows: Sequence[Scored]) -> list[Figure]:
    """Accuracy, and that of each category; a question counts in each of its categories."""
    found = [mean_figure("accuracy", [r.score for r in rows], [r.item.group for r in rows])]
    for name in sorted({c for r in rows for c in r.item.meta["categories"]}):
        part = [r for r in rows if name in r.item.meta["categories"]]
        found.append(mean_figure(f"accuracy, {name}", [r.score for r in part], [r.item.group for r in part]))
    return found


PMC_VQA = Reader(
    name="pmc_vqa",
    title="PMC-VQA",
    status="complete",
    expects="test_2.csv, *test*.csv or any CSV with Figure_path, Question, Choice A-D, Answer_label; images/ as folder",
    licence="see its data card; figures under the licences of their papers",
    read=_read_pmc("test_2.csv", "*test*.csv", "*.csv"),
    train=_read_pmc("train_2.csv", "*train*.csv"),
    metric=_accuracy,
    notes=(
        "Choices carry their letter in front (`A:..`) in the files; it is taken off.",
        "Only the multiple-choice form is read; the blank form has no agreed score.",
    ),
)
CHESTAGENTBENCH = Reader(
    name="chestagentbench",
    title="ChestAgentBench",
    status="format",
    expects="a folder of JSON files, one question each, options A) to F) inside the question; figures below --images",
    licence="Apache-2.0 (code); cases of Eurorad under their own terms",
    read=_read_chest,
    metric=_categories,
    notes=(
        "The published questions could not be seen: field names are those of the published code and of its paper, and "
        "where the figures lie is not verified.",
        "Questions of one case stand or fall together in every bootstrap; published figures take them as independent.",
    ),
)
