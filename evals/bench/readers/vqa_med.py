"""VQA-Med 2019 (Ben Abacha et al. 2019): modality, plane, organ and abnormality of radiology images."""

from collections.abc import Sequence
from pathlib import Path

from secondread.evals.bench.figures import mean_figure, plain
from secondread.evals.bench.item import Figure, Item, Read, Scored
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader, closed

CATEGORIES = ("modality", "plane", "organ", "abnormality")


def _item(line: str, where: str) -> Item:
    parts = [p.strip() for p in line.split("|")]
    if len(parts) != 4:
        raise BadRecord(f"{len(parts)} fields, not image|category|question|answer")
    image, category, question, answer = parts
    accepted = tuple(a.strip() for a in answer.split("#") if a.strip())
    yes_no = len(accepted) == 1 and closed(accepted[0])
    return Item(
        id=f"{image}/{category}/{where.rpartition(':')[2]}",
        kind="yes_no" if yes_no else "open",
        question=question,
        images=(f"{image}.jpg",),
        answer=(accepted[0].lower(),) if yes_no else accepted,
        group=image,
        strata={"task": category},
    )


def read(root: Path, options: Options) -> Read:
    """Lines of the test file with its reference answers."""
    files = Files(root)
    path = files.find("*Test*Ref*.txt", "*test*.txt", "*.txt")
    lines = ((f"{path.name}:{n}", text) for n, text in enumerate(files.text(path).splitlines(), 1) if text.strip())
    return files.made(lines, _item)


def figures(rows: Sequence[Scored]) -> list[Figure]:
    """Strict accuracy, overall and by category, and BLEU as the task reports it."""
    from secondread.evals.bench.text_metrics import bleu

    found = [mean_figure("strict accuracy", [r.score for r in rows], [r.item.group for r in rows])]
    for name in CATEGORIES:
        part = [r for r in rows if r.item.strata["task"] == name]
        found.append(mean_figure(f"strict accuracy, {name}", [r.score for r in part], [r.item.group for r in part]))
    pairs = [(r.prediction.answer or "" if r.prediction.answered else "", r.item.answer[0]) for r in rows]
    return [*found, plain("BLEU", bleu(pairs), len(pairs))] if pairs else found


VQA_MED = Reader(
    name="vqa_med_2019",
    title="VQA-Med 2019",
    status="complete",
    expects="a text file of image|category|question|answer; images <image>.jpg",
    licence="CC BY 4.0 (questions)",
    read=read,
    metric=figures,
    notes=(
        "Several accepted answers stand in one field, parted by #; each counts as right.",
        "The task's BLEU is over words without stop words; here it is sacreBLEU of the whole text, so it is not the "
        "published figure. Strict accuracy is.",
    ),
)
