"""Rad-ReStruct (Pellegrini et al. 2023): a structured report as a walk through questions, each under its parents.

A record is `[question, [answers], history, {"answer_type", "options", "path"}]`. A report is scored as one vector with
an entry per (path, option); an answer below a predicted "no" is taken as not given, whatever the subject said of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from secondread.evals.bench.figures import exact_figure, mean_figure, plain, statistic_figure
from secondread.evals.bench.item import Figure, Item, Read, Scored
from secondread.evals.bench.parse import normal
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader

EMPTY = ("no selection", "unspecified")


def _records(files: Files, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for path in files.all("*qa_pairs/*.json", "*.json"):
        if "mapping" in path.name:
            continue
        report, seen = path.stem, defaultdict[str, int](int)
        parents: dict[tuple[tuple[str, str], ...], str] = {}
        for number, record in enumerate(files.json(path), 1):
            yield f"{path.name} record {number}", (report, record, seen, parents, names.get(report, ()))


def _item(packed: Any, where: str) -> Item:
    report, record, seen, parents, pictures = packed
    question, answers, history, about = record
    if not isinstance(answers, list) or not answers:
        raise BadRecord("no answer")
    options, path = [str(o) for o in about["options"]], str(about["path"])
    strange = [a for a in answers if a not in options]
    if strange:
        raise BadRecord(f"the answer {strange[0]!r} is not among its options")
    seen[path] += 1
    key = f"{report}/{path}#{seen[path]}"
    chain = tuple((str(q), "|".join(a)) for q, a in history)
    parent = parents.get(chain, "")
    parents[(*chain, (str(question), "|".join(answers)))] = key
    told = "".join(f"{q} {', '.join(a)}. " for q, a in history)
    binary = set(options) == {"yes", "no"}
    return Item(
        id=key,
        kind="yes_no" if binary else "labels",
        question=f"{told}{question}",
        images=tuple(f"{name}.png" for name in pictures),
        options={} if binary else {o: o for o in options},
        answer=tuple(answers),
        group=report,
        strata={"level": str(min(len(history) + 1, 3)), "answer_type": str(about["answer_type"])},
        meta={"path": path, "parent": parent, "options": options, "instance": seen[path]},
    )


def read(root: Path, options: Options) -> Read:
    """Reports of a folder."""
    files = Files(root)
    mapping = sorted(root.glob("*mapping*.json")) if root.is_dir() else []
    names = files.json(mapping[0]) if mapping else {}
    return files.made(_records(files, names), _item)


def _said(row: Scored, rows: Mapping[str, Scored]) -> tuple[str, ...]:
    """The answers that count: none given below a "no" of the subject's own walk."""
    nothing = ("no",) if row.item.kind == "yes_no" else tuple(o for o in row.item.meta["options"] if o in EMPTY)
    above = rows.get(row.item.meta["parent"])
    while above is not None:
        if above.item.kind == "yes_no" and (not above.prediction.answered or above.prediction.answer != "yes"):
            return nothing
        above = rows.get(above.item.meta["parent"])
    if not row.prediction.answered:
        return ()
    if row.item.kind == "yes_no":
        return (row.prediction.answer or "",)
    return row.prediction.labels


def figures(rows: Sequence[Scored]) -> list[Figure]:
    """Report accuracy (all answers of a report right), question accuracy and macro F1 over (path, option), by level."""
    known = {r.item.id: r for r in rows}
    right: dict[str, bool] = defaultdict(lambda: True)
    by_level: dict[str, list[tuple[float, str]]] = defaultdict(list)
    cells: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
    for row in rows:
        said = {normal(s) for s in _said(row, known)}
        truth = {normal(a) for a in row.item.answer}
        hit = said == truth
        right[row.item.group] &= hit
        by_level[row.item.strata["level"]].append((float(hit), row.item.group))
        for option in row.item.meta["options"]:
            name = f"{row.item.meta['path']}#{row.item.meta['instance']}={option}"
            cells[name].append((row.item.group, normal(option) in truth, normal(option) in said))
    found = [exact_figure("report accuracy (every answer right)", sum(right.values()), len(right))]
    for level in sorted(by_level):
        part = by_level[level]
        found.append(mean_figure(f"level {level} accuracy", [s for s, _ in part], [g for _, g in part]))
    every = [one for part in by_level.values() for one in part]
    found.append(mean_figure("question accuracy", [s for s, _ in every], [g for _, g in every]))
    found.append(_macro_f1(cells))
    flat = [(g, t, s) for part in cells.values() for g, t, s in part]
    found.append(
        statistic_figure(
            "micro F1 over answers",
            np.array([[t, s] for _, t, s in flat], float),
            [g for g, _, _ in flat],
            lambda d: _f1(d[:, 0] > 0, d[:, 1] > 0),
            draws=200,
        )
    )
    return found


def _f1(truth: Any, said: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, said, zero_division=0.0))


def _macro_f1(cells: Mapping[str, Sequence[tuple[str, bool, bool]]]) -> Figure:
    """Mean F1 over the labels that occur in the truth, as published (classes without support are left out)."""
    scores = []
    for part in cells.values():
        truth, said = np.array([t for _, t, _ in part]), np.array([s for _, _, s in part])
        if truth.any():
            scores.append(_f1(truth, said))
    return plain("macro F1 over (path, option) with support", float(np.mean(scores)) if scores else np.nan, len(scores))


RAD_RESTRUCT = Reader(
    name="rad_restruct",
    title="Rad-ReStruct",
    status="complete",
    expects="*_qa_pairs/<report>.json and id_to_img_mapping*.json; images <name>.png (Indiana University chest films)",
    licence="MIT (questions); images under their own terms",
    read=read,
    metric=figures,
    notes=(
        "History in the files is the true one, so a follow-up question tells its parent's answer. A subject is asked "
        "with it, but the score walks the subject's own answers: below its own no, nothing counts as given.",
        "The published vector has 2,470 entries from a template; here it has the entries of the reports read, so macro "
        "F1 is over those with support and is not the published figure on a subset.",
        "The published code scores labels without support as right (zero_division=1) and then drops them; here they "
        "are dropped at once.",
    ),
)
