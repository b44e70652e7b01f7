"""VQA-RAD (Lau et al. 2018) and SLAKE (Liu et al. 2021): questions on single radiology images, open and closed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondread.evals.bench.figures import mean_figure
from secondread.evals.bench.item import Figure, Item, Kind, Read, Scored
from secondread.evals.bench.readers.base import Files, Options, Reader, closed, each


def _kind(answer: str, answer_type: str) -> Kind:
    """Closed yes/no questions are told by their answer; closed ones with other answers are scored as texts."""
    return "yes_no" if answer_type == "CLOSED" and closed(answer) else "open"


def _rad(record: dict[str, Any], where: str) -> Item:
    answer, kind = str(record["answer"]).strip(), str(record["answer_type"]).strip().upper()
    return Item(
        id=str(record["qid"]),
        kind=_kind(answer, kind),
        question=str(record["question"]).strip(),
        images=(str(record["image_name"]),),
        answer=(answer.lower().rstrip(".") if closed(answer) else answer,),
        group=str(record["image_name"]),
        strata={
            "answer_type": kind,
            "organ": str(record.get("image_organ", "")),
            "question_type": str(record.get("question_type", "")).split(",")[0].strip(),
        },
    )


def _slake(record: dict[str, Any], language: str) -> Item | None:
    if str(record.get("q_lang", "en")) != language and language != "all":
        return None
    answer, kind = str(record["answer"]).strip(), str(record["answer_type"]).strip().upper()
    return Item(
        id=str(record["qid"]),
        kind=_kind(answer, kind),
        question=str(record["question"]).strip(),
        images=(str(record["img_name"]),),
        answer=(answer.lower() if closed(answer) else answer,),
        group=str(record["img_id"]),
        strata={
            "answer_type": kind,
            "modality": str(record.get("modality", "")),
            "organ": str(record.get("location", "")),
            "content": str(record.get("content_type", "")),
            "base": str(record.get("base_type", "")),
            "language": str(record.get("q_lang", "en")),
        },
    )


def _read_rad(*names: str) -> Any:
    def read(root: Path, options: Options) -> Read:
        files = Files(root)
        path = files.find(*names)
        return files.made(each(path, files.json(path)), _rad)

    return read


def _read_slake(*names: str) -> Any:
    def read(root: Path, options: Options) -> Read:
        files = Files(root)
        path = files.find(*names)
        language = options.get("language", "en")
        return files.made(each(path, files.json(path)), lambda r, _: _slake(r, language))

    return read


def split_figures(rows: Sequence[Scored]) -> list[Figure]:
    """Closed, open and overall accuracy, as both data sets report them: by their own `answer_type` field."""
    figures = []
    for name in ("CLOSED", "OPEN"):
        part = [r for r in rows if r.item.strata.get("answer_type") == name]
        figures.append(mean_figure(f"{name.lower()} accuracy", [r.score for r in part], [r.item.group for r in part]))
    return figures


VQA_RAD = Reader(
    name="vqa_rad",
    title="VQA-RAD",
    status="complete",
    expects="testset.json, *test*.json or any JSON list of its records; images below the image folder",
    licence="CC0 1.0",
    read=_read_rad("testset.json", "*test*.json", "*.json"),
    train=_read_rad("trainset.json", "*train*.json"),
    metric=split_figures,
    notes=(
        "All 203 test images occur in the training set as well: the official split measures new questions on known "
        "images. Nothing fitted to its training rows may be called unseen on the test rows.",
        "Answer types carry trailing blanks in the originals; they are stripped.",
    ),
)
SLAKE = Reader(
    name="slake",
    title="SLAKE",
    status="complete",
    expects="test.json, validate*.json or any JSON list of its records; imgs/ as image folder",
    licence="CC BY 4.0",
    read=_read_slake("test.json", "validate*.json", "*.json"),
    train=_read_slake("train.json"),
    metric=split_figures,
    options={"language": "en (default), zh or all"},
    notes=(
        "Most frequent training answers alone reach two thirds of the closed questions; read every score beside it.",
    ),
)
