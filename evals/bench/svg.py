"""Small diagrams as SVG text: no plotting library is needed to read a report."""

from collections.abc import Sequence
from html import escape
from typing import Any

SIDE, EDGE = 220, 34
"""Plot side and margin, in user units."""


def _frame(title: str, x: str, y: str, inside: str) -> str:
    whole = SIDE + 2 * EDGE
    ticks = "".join(
        f'<text x="{_x(t) - 6:.0f}" y="{_y(0) + 14:.0f}">{t:g}</text>'
        f'<text x="{_x(0) - 24:.0f}" y="{_y(t) + 4:.0f}">{t:g}</text>'
        for t in (0.0, 0.5, 1.0)
    )
    return (
        f'<svg width="{whole}" height="{whole + 10}" viewBox="0 0 {whole} {whole + 10}" role="img">'
        f"<title>{escape(title)}</title>"
        f'<rect x="{EDGE}" y="{EDGE}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>{ticks}'
        f'<text x="{EDGE}" y="16">{escape(title)}</text>'
        f'<text x="{EDGE + SIDE / 2 - 30:.0f}" y="{whole + 4}">{escape(x)}</text>'
        f'<text x="10" y="{EDGE - 6}">{escape(y)}</text>{inside}</svg>'
    )


def _x(value: float) -> float:
    return EDGE + SIDE * value


def _y(value: float) -> float:
    return EDGE + SIDE * (1 - value)


def reliability(bins: Sequence[dict[str, float]]) -> str:
    """Share right against mean confidence, with Wilson bars; dots grow with their count."""
    most = max(b["n"] for b in bins)
    drawn = [f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#bbb" stroke-dasharray="4"/>']
    for b in bins:
        at = _x(b["confidence"])
        drawn.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_y(b["low"]):.1f}" y2="{_y(b["high"]):.1f}" stroke="#36c"/>'
        )
        radius = 2 + 4 * (b["n"] / most) ** 0.5
        drawn.append(
            f'<circle cx="{at:.1f}" cy="{_y(b["right"]):.1f}" r="{radius:.1f}" fill="#36c">'
            f"<title>n = {b['n']:g}</title></circle>"
        )
    return _frame("reliability", "stated confidence", "share right", "".join(drawn))


def risk_coverage(points: Sequence[Sequence[float]]) -> str:
    """Share wrong among the answered, as ever less sure answers are given."""
    steps, before = [], 0.0
    for coverage, risk in points:
        steps += [f"{_x(before):.1f},{_y(risk):.1f}", f"{_x(coverage):.1f},{_y(risk):.1f}"]
        before = coverage
    drawn = f'<polyline fill="none" stroke="#c33" stroke-width="1.5" points="{" ".join(steps)}"/>'
    return _frame("risk and coverage", "share answered", "share wrong", drawn)


def confusion(table: dict[str, Any], most: int = 12) -> str:
    """Truth by rows, answers by columns; the `most` first of each."""
    truth, said = table["truth"][:most], table["said"][:most]
    head = "".join(f"<th>{escape(s)}</th>" for s in said)
    rows = []
    for name, counts in zip(truth, table["counts"], strict=False):
        whole = sum(counts) or 1
        cells = "".join(
            f'<td class=n style="background:rgba(51,102,204,{0.6 * c / whole:.2f})">{c}</td>' for c in counts[:most]
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f"<table><tr><th>truth \\ said</th>{head}</tr>{''.join(rows)}</table>"
