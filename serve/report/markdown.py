"""Blocks as Markdown. What has a meaning in Markdown or HTML is escaped; pictures are files beside the page."""

import re
from collections.abc import Sequence
from html import escape as in_html

from secondread.serve.report.blocks import Block, Figure, Heading, Paragraph, Steps, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
_LEADS = {"warning": "- ", "answer": "> ", "abstained": "> "}


def plain(text: str) -> str:
    """A text in which nothing is markup, on one line."""
    line = _SPECIAL.sub(r"\\\1", in_html(" ".join(text.split()), quote=False))
    return f"\\{line}" if line.startswith(("-", "=")) else line


def markdown(blocks: Sequence[Block], pictures: str = "") -> str:
    """The page.

    Args:
        blocks: What it holds.
        pictures: Folder of the pictures as the page names it; empty names them only.
    """
    return "\n\n".join(_one(block, pictures) for block in blocks) + "\n"


def _one(block: Block, pictures: str) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {plain(block.text)}"
    if isinstance(block, Paragraph):
        text = plain(block.text)
        return f"**{text}**" if block.tone == "notice" else _LEADS.get(block.tone, "") + text
    if isinstance(block, Table):
        head = block.head if any(block.head) else tuple(" " for _ in block.head)
        rows = [head, tuple("---" for _ in head)]
        lines = ["| " + " | ".join(c if c == "---" else plain(c) for c in row) + " |" for row in (*rows, *block.rows)]
        return "\n".join(lines)
    if isinstance(block, Figure):
        caption = plain(block.caption)
        return f"![{caption}]({pictures}/{block.name}.png)\n\n{caption}" if pictures else f"Picture: {caption}"
    lines = []
    for number, step in enumerate(block.items, 1) if isinstance(block, Steps) else ():
        lines.append(f"{number}. **{plain(step.part)}** {plain(step.title)}")
        lines += [f"    - {plain(line)}" for line in step.lines]
    return "\n".join(lines)
