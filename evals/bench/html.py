"""The result as one HTML file that needs nothing else: tables, diagrams as SVG, worst cases with their pictures."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from secondread.evals.bench import svg
from secondread.evals.bench.report import FLOORS
from secondread.schema.errors import SecondReadError

THUMBNAIL = 224
"""Pixels of the longer side of a picture in the page."""
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
table{border-collapse:collapse;margin:.5rem 0 1.2rem}td,th{padding:.2rem .6rem;border-bottom:1px solid #ddd;
text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}
h2{border-top:2px solid #444;padding-top:.6rem}.case{display:inline-block;vertical-align:top;width:15rem;margin:.5rem;
font-size:13px}.case img{max-width:100%}.flex{display:flex;flex-wrap:wrap;gap:1.5rem}svg text{font:11px system-ui}
details{margin:.4rem 0}.muted{color:#666}
"""


def page(found: dict[str, Any], images: Path | None) -> str:
    """The page of a result document.

    Args:
        found: As `report.document` makes it.
        images: Image folder, for the pictures of worst cases; None: none are shown.
    """
    names = [n for n in found["subjects"] if n not in FLOORS] + [n for n in FLOORS if n in found["subjects"]]
    left = found["left_out"]
    head = (
        f"<h1>{escape(found['title'])}</h1><p>{found['n']} items in {found['groups']} groups; {found['date']}; "
        f"configuration <code>{found['config']}</code>. Left out: {left['missing_image']} items with missing images, "
        f"{left['bad_records']} bad records. Reader status: {found['status']}.</p>"
    )
    body = [head, _overview(found, names)]
    for name, why in found["floors_absent"].items():
        body.append(f"<p class=muted>{escape(name)}: not run, {escape(why)}.</p>")
    body += [_subject(name, found["subjects"][name], images) for name in names]
    notes = "".join(f"<li>{escape(n)}</li>" for n in found["notes"])
    problems = "".join(f"<li>{escape(p['where'])}: {escape(p['what'])}</li>" for p in found["problems"])
    body.append(f"<h2>About this benchmark</h2><ul>{notes}</ul>")
    if problems:
        body.append(f"<details><summary>Problems of the files</summary><ul>{problems}</ul></details>")
    body.append("<p class=muted>Research use only; not a medical device.</p>")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(found['title'])}</title>"
        f"<style>{STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def _value(f: dict[str, Any]) -> str:
    if f["value"] is None:
        return "-"
    span = f" [{f['low']:.3f}, {f['high']:.3f}]" if f["low"] is not None and f["high"] is not None else ""
    return f"{f['value']:.3f}{span}"


def _overview(found: dict[str, Any], names: Sequence[str]) -> str:
    rows = []
    for name in names:
        by = {f["name"]: f for f in found["subjects"][name]["figures"]}
        wanted = ("accuracy over all items (no answer counts as wrong)", "answered share", "accuracy of answered")
        cells = "".join(f"<td class=n>{_value(by[w])}</td>" for w in wanted)
        mark = " (floor)" if name in FLOORS else ""
        rows.append(f"<tr><td>{escape(name)}{mark}</td>{cells}<td class=n>{found['subjects'][name]['n']}</td></tr>")
    return (
        "<table><tr><th>subject</th><th>accuracy, no answer = wrong</th><th>answered share</th>"
        f"<th>accuracy of answered</th><th>n</th></tr>{''.join(rows)}</table>"
    )


def _subject(name: str, one: dict[str, Any], images: Path | None) -> str:
    rows = "".join(
        f"<tr><td>{escape(f['name'])}</td><td class=n>{_value(f)}</td><td class=n>{f['n']}</td>"
        f"<td class=muted>{escape(f['method'])}</td></tr>"
        for f in [*one["benchmark_figures"], *one["figures"]]
    )
    parts = [f"<h2>{escape(name)}</h2>"]
    drawn = []
    if one["reliability"]:
        drawn += [svg.reliability(one["reliability"]), svg.risk_coverage(one["risk_coverage"])]
    if one["confusion"]:
        drawn.append(svg.confusion(one["confusion"]))
    parts.append(f"<div class=flex>{''.join(drawn)}</div>")
    parts.append(f"<table><tr><th>figure</th><th>value</th><th>n</th><th>interval</th></tr>{rows}</table>")
    for stratum, table in one["strata"].items():
        lines = "".join(
            f"<tr><td>{escape(r['name'])}</td><td class=n>{_value(r)}</td><td class=n>{r['answered']:.2f}</td>"
            f"<td class=n>{r['n']}</td></tr>"
            for r in table
        )
        parts.append(
            f"<details><summary>by {escape(stratum)}</summary><table><tr><th></th><th>accuracy</th><th>answered</th>"
            f"<th>n</th></tr>{lines}</table></details>"
        )
    if one["errors"]:
        listed = "".join(f"<li>{n} times: {escape(e)}</li>" for e, n in one["errors"].items())
        parts.append(f"<details><summary>failures</summary><ul>{listed}</ul></details>")
    if one["worst"] and name not in FLOORS:
        cases = "".join(_case(c, images) for c in one["worst"])
        parts.append(f"<details open><summary>worst cases</summary>{cases}</details>")
    return "".join(parts)


def _case(case: dict[str, Any], images: Path | None) -> str:
    pictures = "".join(filter(None, (_picture(images / n) for n in case["images"]) if images is not None else ()))
    sure = "" if case["confidence"] is None else f", confidence {case['confidence']:.2f}"
    options = "".join(f"<br>{escape(k)}. {escape(v)}" for k, v in case["options"].items())
    return (
        f"<div class=case>{pictures}<b>{escape(case['item'])}</b><br>{escape(case['question'])}{options}<br>"
        f"truth: {escape(case['truth'])}<br>said: {escape(str(case['said']))}{sure}</div>"
    )


def _picture(path: Path) -> str | None:
    """An image file as an inline picture; None when it cannot be read."""
    from secondread.imaging.draw.render import thumbnail
    from secondread.imaging.load import load

    try:
        shown = thumbnail(load(path).grey, THUMBNAIL).convert("L")
    except (SecondReadError, OSError):
        return None
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode("ascii")}">'
