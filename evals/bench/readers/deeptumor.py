"""DeepTumorVQA v2 (Chen et al. 2025): abdominal CT questions in 42 subtypes, as letters or free answers.

The benchmark's agents use tools by name: `segment_organ`, `measure`, `lookup_medical_knowledge` and `crop_organ`. Its
three fidelity modes say where their numbers come from: `oracle` (a cache made from reference masks), `predicted` (a
cache made by a segmenter) and `vision` (no measurements, pictures of organs only). `deeptumor_tools` offers them.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondread.evals.bench.figures import mean_figure, plain, share_figure
from secondread.evals.bench.item import Figure, Item, Kind, Read, Scored
from secondread.evals.bench.parse import normal, number
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader, closed, each
from secondread.evals.bench.score import relative_accuracy

_CHOICE = re.compile(r"(?:^|\s)\(?([A-H])[:.)]\s*")
NUMERIC = frozenset({
    "organ volume measurement", "organ HU measurement", "lesion volume measurement", "organ HU ratio",
    "tumor burden percentage", "largest lesion diameter", "largest lesion slice", "lesion counting",
    "lesion count by location", "organ aggregation", "tumor organ HU difference",
})  # fmt: skip
"""Subtypes whose free answer is a number; every other one is yes/no or a category, told by its answer."""
TYPES = ("recognition", "measurement", "visual reasoning", "medical reasoning")


def embedded(text: str) -> tuple[str, dict[str, str]]:
    """A stem with its choices behind it -> stem and choices; letters must run on from A."""
    places = [m for m in _CHOICE.finditer(text)]
    chain: list[re.Match[str]] = []
    for place in places:
        if place.group(1) == chr(ord("A") + len(chain)):
            chain.append(place)
    ends = [m.start() for m in chain[1:]] + [len(text)]
    options = {m.group(1): text[m.end() : end].strip().rstrip(",;") for m, end in zip(chain, ends, strict=True)}
    return (text[: chain[0].start()].strip() if chain else text.strip()), options


def _item(r: dict[str, Any], form: str, source: str) -> Item:
    subtype, answer = str(r["question_subtype"]), str(r["answer"]).strip()
    qid, image = str(r["qid"]), str(r["image_id"])
    pictures = {
        "ct": f"ct/{image}/ct.nii.gz", "image": f"images_2d/whole/{image}.png", "video": f"videos/whole/{image}.mp4",
    }  # fmt: skip
    if source not in pictures:
        raise BadRecord(f"the option source is {source!r}, not ct, image or video")
    question, options, kind = str(r["question"]), dict[str, str](), "open"
    if form == "mc":
        question, options = embedded(str(r["mc_question"]))
        kind, answer = "choice", str(r["correct_option"]).strip().upper()
    elif subtype in NUMERIC:
        kind = "number"
        if number(answer) is None:
            raise BadRecord(f"the subtype {subtype!r} needs a number and the answer is {answer[:40]!r}")
    elif closed(answer):
        kind, answer = "yes_no", answer.lower().rstrip(".")
    told: Kind = kind  # type: ignore[assignment]
    return Item(
        id=qid,
        kind=told,
        question=question,
        images=(pictures[source],),
        options=options,
        answer=(answer,),
        group=image,
        strata={
            "type": str(r["question_type"]).lower(),
            "subtype": subtype,
            "organ": str(r.get("organ") or ""),
            "sex": str(r.get("sex") or ""),
            "age": _band(r.get("age")),
        },
        meta={"tools": list(r.get("requires_tools") or ()), "spacing": vector(r.get("spacing")),
              "shape": vector(r.get("shape")), "image_id": image},
    )  # fmt: skip


def vector(text: object) -> list[float]:
    """`[0.83 0.83 5.0]` and `(512, 512, 116)`: both spellings occur in the records."""
    return [float(x) for x in re.findall(r"-?\d+\.?\d*", str(text))] if text else []


def _band(age: object) -> str:
    found = number(str(age)) if age not in (None, "") else None
    return "" if found is None else f"{int(found // 20) * 20}-{int(found // 20) * 20 + 19}"


def read(root: Path, options: Options) -> Read:
    """Questions of a nested file (`{"questions": [..]}`), a plain list or JSON Lines."""
    files = Files(root)
    path = files.find("benchmark/test_qa.json", "test_qa.json", "*.jsonl", "*record*.json", "*qa*.json", "*.json")
    form, source = options.get("format", "mc"), options.get("source", "ct")
    if path.suffix == ".jsonl":
        return files.made(files.lines(path), lambda r, _: _item(r, form, source))
    held = files.json(path)
    return files.made(
        each(path, held["questions"] if isinstance(held, dict) else held), lambda r, _: _item(r, form, source)
    )


def value_of(row: Scored) -> float:
    """Relative accuracy of numbers (0 when none is read), else 1 for right and 0 for wrong."""
    if row.item.kind != "number":
        return row.score
    said = number(row.prediction.answer or "") if row.prediction.answered else None
    return relative_accuracy(said, number(row.item.answer[0]))


def partly(row: Scored) -> bool:
    """Whether a category's text holds the truth or lies in it."""
    said, truth = normal(row.prediction.answer or ""), normal(row.item.answer[0])
    return row.prediction.answered and bool(said) and (said in truth or truth in said)


def figures(rows: Sequence[Scored]) -> list[Figure]:
    """Overall (question-weighted), each super-type (question-weighted and macro over subtypes), each subtype."""
    found = [mean_figure("overall, question-weighted", [value_of(r) for r in rows], [r.item.group for r in rows])]
    by_subtype: dict[tuple[str, str], list[Scored]] = defaultdict(list)
    for row in rows:
        by_subtype[row.item.strata["type"], row.item.strata["subtype"]].append(row)
    for name in TYPES:
        part = [r for r in rows if r.item.strata["type"] == name]
        if not part:
            continue
        found.append(
            mean_figure(f"{name}, question-weighted", [value_of(r) for r in part], [r.item.group for r in part])
        )
        means = [sum(map(value_of, p)) / len(p) for (t, _), p in by_subtype.items() if t == name]
        found.append(plain(f"{name}, macro over subtypes", sum(means) / len(means), len(part)))
    categories = [r for r in rows if r.item.kind == "open"]
    if categories:
        found.append(share_figure("categories, partial match", sum(map(partly, categories)), len(categories)))
    for (_, subtype), part in sorted(by_subtype.items()):
        found.append(mean_figure(f"subtype {subtype}", [value_of(r) for r in part], [r.item.group for r in part]))
    return found


DEEPTUMORVQA = Reader(
    name="deeptumorvqa",
    title="DeepTumorVQA v2",
    status="complete",
    expects="benchmark/test_qa.json, a list or JSON Lines of its records; ct/<id>/ct.nii.gz below the image folder",
    licence="CC BY 4.0 (questions); CT volumes under the terms of 17 sources",
    read=read,
    metric=figures,
    options={"format": "mc (default) or freeform", "source": "ct (default), image or video"},
    notes=(
        "The published comment says super-types are macro-averaged, the published code weights them by questions; "
        "both are printed and labelled.",
        "Published yes/no specificity counts a reply that cannot be read as no; here it is wrong.",
        "Published free-form numbers are the first in the reply; a reply like `In 2 steps: 31` is 2 there and here.",
        "The published letter search takes any reply that starts with A to D as that letter (`Aorta` is A); here a "
        "letter must stand alone.",
        "The published knowledge tool holds third-party texts; `lookup_medical_knowledge` here answers from this "
        "project's own graph.",
    ),
)
