"""SMMILE and SMMILE++ (Rieff et al. 2025): multimodal in-context learning, one problem with its worked examples.

Reads the problems as JSON Lines or JSON (one row per example: `problem_id`, `order`, `image`, `question`, `answer`),
and the published prediction CSVs, whose answers are scored without asking a subject again.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from secondread.evals.bench.figures import share_figure
from secondread.evals.bench.item import Figure, Item, Prediction, Read, Scored
from secondread.evals.bench.parse import letter, normal
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader, each, letters
from secondread.evals.bench.subjects import read_reply

PUBLISHED = "published"


def _problems(files: Files, path: Path) -> Iterator[tuple[str, Any]]:
    rows = list(files.lines(path)) if path.suffix == ".jsonl" else list(each(path, files.json(path)))
    chunks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for where, row in rows:
        chunks[str(row.get("problem_id", where)) if isinstance(row, dict) else where].append(row)
    yield from ((f"{path.name} problem {key}", (key, chunk)) for key, chunk in chunks.items())


def _of_problem(packed: Any, multiple: bool) -> Item:
    key, chunk = packed
    if any(not isinstance(row, dict) for row in chunk):
        raise BadRecord("not an object")
    chunk = sorted(chunk, key=lambda r: int(r.get("order", 0)))
    *before, last = chunk
    answer = str(last["answer"])
    seen = list(dict.fromkeys(str(r["answer"]) for r in chunk))
    options = letters(sorted(seen, key=normal)) if multiple else {}
    right = next((k for k, v in options.items() if v == answer), "")
    return Item(
        id=key,
        kind="choice" if multiple else "open",
        question=str(last["question"]),
        images=(str(last["image"]),) if last.get("image") else (),
        options=options,
        answer=(right,) if multiple else (answer,),
        examples=tuple((str(r.get("image", "")), str(r["question"]), str(r["answer"])) for r in before),
        group=str(last.get("original_problem_id") or key),
        strata={"examples": str(len(before)), "specialty": str(last.get("specialty", ""))},
    )


def _of_row(row: dict[str, str], where: str) -> Item:
    """An item of a prediction file; its options are not in the file beyond the letters it names."""
    text, right = row["true_answer"], (row.get("correct_option") or "").strip().upper()
    options: dict[str, str] = {}
    if right:
        for key in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: max(4, ord(right[0]) - ord("A") + 1)]:
            options[key] = ""
        chosen = (row.get("selected_option") or "").strip().upper()
        if len(chosen) == 1 and chosen.isalpha():
            options.setdefault(chosen, "")
    given = {"text": row.get("full_response") or row.get("generated_answer") or "", "short": row["generated_answer"]}
    return Item(
        id=row["problem_id"],
        kind="choice" if right else "open",
        question=row["final_question"],
        options=options,
        answer=(right,) if right else (text,),
        group=row["problem_id"],
        meta={PUBLISHED: {**given, "selected": (row.get("selected_option") or "").strip().upper()}},
    )


def published(item: Item) -> Prediction | None:
    """The prediction that the file holds, read from the reply itself and not from the file's own verdict."""
    held = item.meta.get(PUBLISHED)
    if held is None:
        return None
    text = str(held["text"])
    if item.kind == "choice":
        found = letter(text, item.options)
        return Prediction(item=item.id, subject=PUBLISHED, text=text, answer=found, unparsed=found is None)
    if item.kind != "open":
        read = read_reply(item, text)
        return Prediction.model_validate({"item": item.id, "subject": PUBLISHED, "text": text, **read})
    return Prediction(item=item.id, subject=PUBLISHED, text=text, answer=str(held["short"]))


def read(root: Path, options: Options) -> Read:
    """Problems, or one published prediction file."""
    files = Files(root)
    path = files.find("*.jsonl", "smmile*.json", "*mcqa*.csv", "*.csv", "*.json")
    if path.suffix == ".csv":
        return files.made(each(path, files.table(path)), _of_row)
    multiple = options.get("format", "open") == "mcqa"
    return files.made(_problems(files, path), lambda r, _: _of_problem(r, multiple))


def figures(rows: Sequence[Scored]) -> list[Figure]:
    """Exact match (normalised texts) or multiple-choice accuracy, and how often the file's own letter disagrees."""
    found = [share_figure("accuracy", sum(r.score == 1 for r in rows), len(rows))]
    held = [r for r in rows if r.prediction.subject == PUBLISHED and r.item.kind == "choice"]
    if held:
        off = sum(r.item.meta[PUBLISHED]["selected"] != (r.prediction.answer or "") for r in held)
        found.append(share_figure("letters read otherwise than in the file", off, len(held)))
    return found


SMMILE = Reader(
    name="smmile",
    title="SMMILE and SMMILE++",
    status="complete",
    expects="problems as .jsonl/.json (problem_id, order, image, question, answer), or a published prediction .csv",
    licence="CC BY 4.0 (data)",
    read=read,
    metric=figures,
    options={"format": "open (default) or mcqa"},
    notes=(
        "In the published code a reply is called an error when it holds the word ERROR; here only a failed call is.",
        "Options of the published multiple-choice runs were shuffled anew at each run and are not in the files; "
        "letters can be compared only within one file. Here options stand in alphabetical order.",
        "SMMILE++ permutes examples of the same problem: bootstrap is over the original problem.",
        "The judged figures need a language model as judge and are not computed.",
    ),
)
