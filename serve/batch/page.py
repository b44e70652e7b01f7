"""The frame of every page of a batch: plain HTML in one file, no script, nothing fetched."""

from collections.abc import Iterable, Sequence
from html import escape

from secondread.schema.answer import RESEARCH_USE

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1c1f23;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #d8dce1;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.muted{color:#646b74}.warn{color:#9a3412}
img{max-width:30rem;height:auto;border:1px solid #d8dce1}figure{margin:.5rem 0}figcaption{color:#646b74}
svg text{font:11px system-ui,sans-serif;fill:#646b74}
"""
_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page; `parts` are HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{escape(title)}</h1>\n{''.join(parts)}\n"
        f'<p class="muted">{escape(RESEARCH_USE)}</p></body></html>\n'
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: frozenset[int] = frozenset()) -> str:
    """A table of texts; columns in `numbers` are set right. None is an empty cell."""

    def cell(tag: str, place: int, value: object) -> str:
        kind = ' class="n"' if place in numbers else ""
        return f"<{tag}{kind}>{escape('' if value is None else str(value))}</{tag}>"

    top = "".join(cell("th", n, one) for n, one in enumerate(head))
    body = "".join(f"<tr>{''.join(cell('td', n, one) for n, one in enumerate(row))}</tr>\n" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table>\n"


def histogram(counts: Sequence[int], low: float, high: float, unit: str, mark: float | None = None) -> str:
    """Bars of equal width from `low` to `high`, as SVG; `mark` draws a threshold."""
    wide, tall, most = 480, 90, max([*counts, 1])
    step = wide / len(counts)
    bars = "".join(
        f'<rect x="{n * step:.1f}" y="{tall - tall * count / most:.1f}" width="{max(step - 1, 1):.1f}" '
        f'height="{tall * count / most:.1f}" fill="#3b6ea5"><title>{count}</title></rect>'
        for n, count in enumerate(counts)
    )
    line = ""
    if mark is not None and low < mark < high:
        x = wide * (mark - low) / (high - low)
        line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{tall}" stroke="#9a3412" stroke-dasharray="4 3"/>'
    label = "" if unit == "1" else f" {escape(unit)}"
    return (
        f'<svg role="img" width="{wide}" height="{tall + 18}" viewBox="0 0 {wide} {tall + 18}">{bars}{line}'
        f'<text x="0" y="{tall + 14}">{low:.4g}{label}</text>'
        f'<text x="{wide}" y="{tall + 14}" text-anchor="end">{high:.4g}{label}</text></svg>\n'
    )
