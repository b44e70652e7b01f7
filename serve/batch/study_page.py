"""The page of one case: every answer with its numbers, its pictures and what could not be answered."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from secondread.serve.batch.page import page, table
from secondread.serve.batch.rows import Row, kind_of

if TYPE_CHECKING:
    from secondread.serve.batch.case import Case


def study_page(case: "Case", rows: Sequence[Row], files: Sequence[str]) -> str:
    """The page as HTML; it names the case by its key alone.

    Args:
        case: The case.
        rows: Its rows.
        files: Files beside the page, `QUESTION/NAME`.
    """
    shown = ", ".join(case.modalities) or case.format or case.kind
    parts = [f'<p class="muted">{escape(shown)}, {case.images} {"image" if case.images == 1 else "images"}</p>\n']
    for row in rows:
        mine = [name for name in files if name.startswith(row["question_id"] + "/")]
        parts += _answer(row, mine)
    return page(case.key, parts)


def _answer(row: Row, files: Sequence[str]) -> list[str]:
    parts = [f"<h2>{escape(row['question'])}</h2>\n"]
    kind = kind_of(row)
    if kind == "failed":
        return [*parts, f'<p class="warn">Failed: {escape(row["error"]["message"])}</p>\n']
    if kind == "skipped":
        return [*parts, f'<p class="muted">Not asked: {escape(row["skipped"])}.</p>\n']
    parts.append(f"<p>{escape(row['text'])}</p>\n")
    if row["confidence"] is not None:
        method = f" ({row['confidence_method']})" if row["confidence_method"] else ""
        parts.append(f'<p class="muted">Confidence {row["confidence"]:.2f}{escape(method)}</p>\n')
    parts += [f'<p class="warn">{escape(one)}</p>\n' for one in row["warnings"]]
    numbers = [one for one in row["measurements"] if one["value"] is not None]
    if numbers:
        cells = ([m["evidence"], m["name"], m["structure"], f"{m['value']:.4g}", _range(m), m["unit"]] for m in numbers)
        head = ("evidence", "measurement", "of", "value", "interval", "unit")
        parts.append(table(head, cells, frozenset({3})))
    for name in files:
        link = quote(name)
        if name.endswith(".png"):
            parts.append(f'<figure><img src="{link}" alt="{escape(name)}" loading="lazy"></figure>\n')
        else:
            parts.append(f'<p><a href="{link}">{escape(name)}</a></p>\n')
    return parts


def _range(one: Row) -> str:
    if one["low"] is None:
        return ""
    return f"{one['low']:.4g} to {one['high']:.4g} at {one['level']:.0%}"
