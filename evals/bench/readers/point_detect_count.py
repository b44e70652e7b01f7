"""PointDetectCount (2025): boxes, points and counts on endoscopy and sperm microscopy, as JSON inside strings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from secondread.evals.bench import parse
from secondread.evals.bench.figures import mean_figure, share_figure
from secondread.evals.bench.item import Figure, Item, Kind, Read, Scored
from secondread.evals.bench.readers.base import BadRecord, Files, Options, Reader
from secondread.evals.bench.readers.smmile import PUBLISHED
from secondread.evals.bench.score import overlap


def _item(record: Any, where: str) -> Item:
    if not isinstance(record, dict):
        raise BadRecord("not an object")
    truth = str(record["labels"])
    asked = next((m for m in reversed(record["messages"]) if m.get("role") == "user"), None)
    if asked is None:
        raise BadRecord("no message of a user")
    kind, fields = _truth(truth)
    images = tuple(str(i["path"] if isinstance(i, dict) else i) for i in record["images"])
    held = (
        {"text": str(record["response"]), "short": "", "selected": ""} if record.get("response") is not None else None
    )
    return Item(
        id=where.rpartition(":")[2],
        kind=kind,
        question=str(asked["content"]).replace("<image>", "").strip(),
        images=images,
        group=images[0] if images else where,
        strata={"task": kind},
        meta={PUBLISHED: held} if held is not None else {},
        **fields,
    )


def _truth(text: str) -> tuple[Kind, dict[str, Any]]:
    """Kind and truth of a label string.

    Raises:
        BadRecord: It holds neither boxes, points nor a count.
    """
    value = parse.fenced(text)
    keys = {k for one in parse._objects(value) for k in one}
    if "bbox_2d" in keys:
        return "box", {"boxes": parse.boxes(text)}
    if "point_2d" in keys:
        return "point", {"points": parse.points(text)}
    if keys & {"count", "counts"}:
        return "count", {"answer": (f"{parse.counts(text):g}",)}
    raise BadRecord("the labels hold neither boxes, points nor a count")


def read(root: Path, options: Options) -> Read:
    """Lines of one file."""
    files = Files(root)
    path = files.find("*.jsonl")
    return files.made(files.lines(path), _item)


def nearest(truth: Sequence[tuple[float, float]], said: Sequence[tuple[float, float]]) -> list[float]:
    """Distance of each true point to the nearest one said, in the unit of the file; empty when none was said."""
    if not said:
        return []
    a, b = np.array(truth, float), np.array(said, float)
    return [float(v) for v in np.sqrt(((a[:, None] - b[None]) ** 2).sum(2)).min(1)]


def figures(rows: Sequence[Scored]) -> list[Figure]:
    """Counts: exact and mean absolute error; boxes: overlap; points: median distance. Each with what was read."""
    found: list[Figure] = []
    for kind in ("count", "box", "point"):
        part = [r for r in rows if r.item.kind == kind]
        if not part:
            continue
        held = [r for r in part if r.prediction.answered]
        groups = [r.item.group for r in held]
        found.append(share_figure(f"{kind}: replies that were read", len(held), len(part)))
        if kind == "count":
            off = [abs(float(r.prediction.answer or "nan") - float(r.item.answer[0])) for r in held]
            found.append(share_figure("count: exact, of those read", sum(o == 0 for o in off), len(off)))
            found.append(mean_figure("count: mean absolute error, of those read", off, groups))
        elif kind == "box":
            each = [overlap(r.item.boxes, r.prediction.boxes) for r in held]
            found.append(mean_figure("box: mean overlap, of those read", each, groups))
        else:
            pairs = [(d, r.item.group) for r in held for d in nearest(r.item.points, r.prediction.points)]
            found.append(
                mean_figure(
                    "point: mean distance to the nearest point said", [d for d, _ in pairs], [g for _, g in pairs]
                )
            )
    return found


POINT_DETECT_COUNT = Reader(
    name="point_detect_count",
    title="PointDetectCount",
    status="complete",
    expects="*.jsonl with messages, images, labels and, in published predictions, response; images below --images",
    licence="none stated",
    read=read,
    metric=figures,
    notes=(
        "Labels and replies are JSON inside strings, with or without fences, sometimes nested or cut off; of a reply "
        "that is cut off the whole objects count.",
        "Boxes are matched one to one by overlap, without a ranking by confidence: no mAP is computed.",
        "Errors are over the replies that could be read; their share stands in front of each.",
    ),
)
