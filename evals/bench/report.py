"""The result of a run as JSON, and as lines for a terminal."""

import datetime
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secondread.evals.bench.item import Figure, Scored
from secondread.evals.bench.readers.base import Reader
from secondread.evals.bench.run import Outcome
from secondread.evals.bench.summary import confusion, figures, risk_coverage, strata

FLOORS = ("majority", "question_only", "shuffled_image")
WORST = 12
"""Worst cases kept per subject."""
SCHEMA = 1


def document(outcome: Outcome, reader: Reader) -> dict[str, Any]:
    """Everything a reader of the result needs, JSON values only."""
    subjects = {name: _subject(rows, reader) for name, rows in outcome.rows.items() if rows}
    skipped = {n: _why_absent(n, outcome) for n in FLOORS if n not in subjects}
    return {
        "schema": SCHEMA,
        "benchmark": reader.name,
        "title": reader.title,
        "status": reader.status,
        "notes": list(reader.notes),
        "date": datetime.date.today().isoformat(),
        "config": outcome.config,
        "about": outcome.about,
        "n": len(outcome.items),
        "groups": len({i.group for i in outcome.items}),
        "left_out": {"missing_image": len(outcome.missing), "bad_records": len(outcome.problems)},
        "missing": [i.id for i in outcome.missing[:200]],
        "problems": [p.model_dump() for p in outcome.problems[:200]],
        "resume": {"taken_over": outcome.resumed, "damaged_lines": outcome.damaged, "other_config": outcome.stale},
        "floors_absent": skipped,
        "subjects": subjects,
    }


def _why_absent(name: str, outcome: Outcome) -> str:
    if name == "shuffled_image" and outcome.images is None:
        return "asked without images, so there is nothing to shuffle"
    if set(outcome.rows) <= {"majority", "question_only", "published"}:
        return "no subject that looks at images was asked"
    return "no other group has as many images"


def _subject(rows: Sequence[Scored], reader: Reader) -> dict[str, Any]:
    import numpy as np

    sure = [r for r in rows if r.prediction.answered and r.prediction.confidence is not None]
    pairs = np.array([[r.prediction.confidence, r.score >= 1.0] for r in sure], float)
    return {
        "n": len(rows),
        "figures": [f.model_dump(mode="json") for f in figures(rows)],
        "benchmark_figures": [f.model_dump(mode="json") for f in reader.metric(rows)],
        "strata": strata(rows),
        "confusion": confusion(rows),
        "reliability": _reliability(pairs) if len(pairs) else [],
        "risk_coverage": risk_coverage(pairs) if len(pairs) else [],
        "calibrators": sorted({r.prediction.calibrator for r in sure if r.prediction.calibrator}),
        "worst": [_case(r) for r in worst(rows)],
        "errors": _errors(rows),
    }


def _reliability(pairs: Any, bins: int = 10) -> list[dict[str, float]]:
    """Mean confidence and share right, per bin of equal width, with a 95 % Wilson interval."""
    import numpy as np

    from secondread.evals.bench.figures import wilson

    index = np.minimum((pairs[:, 0] * bins).astype(int), bins - 1)
    found = []
    for one in range(bins):
        part = pairs[index == one]
        if len(part):
            low, high = wilson(int(part[:, 1].sum()), len(part))
            found.append(
                {"confidence": float(part[:, 0].mean()), "right": float(part[:, 1].mean()), "low": low, "high": high,
                 "n": len(part)}
            )  # fmt: skip
    return found


def worst(rows: Sequence[Scored]) -> list[Scored]:
    """Wrong answers, the surest first; then answers without a confidence; then what could not be read or failed."""

    def rank(row: Scored) -> tuple[int, float, str]:
        made = row.prediction
        kind = 0 if made.answered and made.confidence is not None else 1 if made.answered else 2
        return kind, -(made.confidence or 0.0), row.item.id

    return sorted((r for r in rows if r.score < 1.0 and not r.prediction.abstained), key=rank)[:WORST]


def _case(row: Scored) -> dict[str, Any]:
    made = row.prediction
    said = made.answer if made.answered else made.error or "(not readable)"
    if made.answered and said is None:
        said = ", ".join(made.labels) or str(made.boxes or made.points)
    return {
        "item": row.item.id,
        "question": row.item.question[:500],
        "options": row.item.options if row.item.kind == "choice" else {},
        "images": list(row.item.images[:4]),
        "truth": ", ".join(row.item.answer) or str(row.item.boxes or row.item.points),
        "said": said,
        "confidence": made.confidence,
        "text": made.text[:500],
        "score": row.score,
    }


def _errors(rows: Sequence[Scored]) -> dict[str, int]:
    from collections import Counter

    found = Counter((r.prediction.error or "")[:120] for r in rows if r.prediction.error)
    return dict(found.most_common(10))


def line(figure: Figure | dict[str, Any], width: int = 58) -> str:
    """One figure as text."""
    f = figure if isinstance(figure, Figure) else Figure.model_validate(figure)
    if f.value is None:
        return f"  {f.name:<{width}} -  n = {f.n}"
    span = f"  [{f.low:.3f}, {f.high:.3f}]" if f.low is not None and f.high is not None else ""
    return f"  {f.name:<{width}} {f.value:.3f}{span}  n = {f.n}"


def lines(found: dict[str, Any]) -> list[str]:
    """The report for a terminal: what was left out, then every subject, floors last and always."""
    out = [f"{found['title']}: {found['n']} items in {found['groups']} groups, config {found['config']}"]
    left = found["left_out"]
    out.append(f"left out: {left['missing_image']} with missing images, {left['bad_records']} bad records")
    resumed = found["resume"]
    if any(resumed.values()):
        told = [f"{v} {k.replace('_', ' ')}" for k, v in resumed.items() if v]
        out.append(f"earlier result file: {', '.join(told)}")
    out += [f"  problem: {p['where']}: {p['what']}" for p in found["problems"][:10]]
    names = [n for n in found["subjects"] if n not in FLOORS] + [n for n in FLOORS if n in found["subjects"]]
    for name in names:
        out.append(f"\n{name}{' (floor)' if name in FLOORS else ''}")
        one = found["subjects"][name]
        shown = one["figures"] if name not in FLOORS else one["figures"][:4]
        out += [line(f) for f in [*shown, *one["benchmark_figures"]]]
        for stratum, table in one["strata"].items() if name not in FLOORS else ():
            out.append(f"  by {stratum}:")
            out += [
                line({k: v for k, v in row.items() if k != "answered"} | {"name": f"  {row['name']}"}) for row in table
            ]
    out += [f"\n{name} (floor): not run, {why}" for name, why in found["floors_absent"].items()]
    return out


def scored_lines(outcome: Outcome) -> str:
    """One JSON line per answer, floors left out: what `secondread calibrate fit` takes as scores with truth."""
    made = []
    for name, rows in outcome.rows.items():
        for row in rows if name not in FLOORS else ():
            said = row.prediction
            extra = said.meta.get("witnesses")
            made.append(
                {
                    "subject": name,
                    "item": row.item.id,
                    "group": row.item.group,
                    "kind": row.item.kind,
                    "answered": said.answered,
                    "label": row.score >= 1.0,
                    "score": said.confidence if said.answered else None,
                    **(extra if isinstance(extra, dict) else {}),
                }
            )
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in made)


def write(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def dump(found: dict[str, Any]) -> str:
    """The document as JSON text; numbers that are not finite are null."""
    return json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
