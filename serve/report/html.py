"""Blocks as one HTML file that needs no other file and no network. Every text is escaped."""

import base64
from collections.abc import Sequence
from html import escape

from secondread.serve.report.blocks import Block, Figure, Heading, Paragraph, Step, Steps, Table

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#2a7d4f;--stop:#a15c00;--bad:#b3261e}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid var(--line)}
p{margin:.5rem 0;overflow-wrap:anywhere}
.answer,.abstained{font-size:1.1rem;padding:.8rem 1rem;background:var(--soft);border-left:4px solid var(--good)}
.abstained{border-color:var(--stop)}.notice{font-weight:600;color:var(--bad)}
.warning{padding:.2rem .8rem;border-left:3px solid var(--stop)}
table{border-collapse:collapse;width:100%;font-size:.92rem}
div.table{overflow-x:auto}
td,th{border-bottom:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
td{overflow-wrap:break-word}
figure{display:inline-block;vertical-align:top;width:29rem;max-width:100%;margin:.5rem 1rem .5rem 0}
figure img{max-width:100%;border:1px solid var(--line)}figcaption{font-size:.88rem;overflow-wrap:anywhere}
ol.steps{list-style:none;padding:0}
ol.steps>li{padding:.3rem 0 .3rem .8rem;border-left:3px solid var(--line);margin:.2rem 0}
.part{display:inline-block;min-width:5rem;font-weight:600}
.steps ul{margin:.1rem 0;font-size:.92rem;overflow-wrap:anywhere}
@media print{body{max-width:none}figure{break-inside:avoid}}
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def html(blocks: Sequence[Block]) -> str:
    """The page. A content security policy forbids scripts and every request."""
    title = next((b.text for b in blocks if isinstance(b, Heading) and b.level == 1), "Run")
    body = "\n".join(_one(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _one(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f'<p class="{block.tone}">{escape(block.text)}</p>'
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Figure):
        data = base64.b64encode(block.png).decode("ascii")
        caption = escape(block.caption)
        return (
            f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return f'<ol class="steps">{"".join(map(_step, block.items))}</ol>' if isinstance(block, Steps) else ""


def _table(block: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in block.head) if any(block.head) else ""
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
    return f'<div class="table"><table>{f"<tr>{head}</tr>" if head else ""}{rows}</table></div>'


def _step(step: Step) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in step.lines)
    told = f"<ul>{lines}</ul>" if lines else ""
    return f'<li><span class="part">{escape(step.part)}</span> {escape(step.title)}{told}</li>'
