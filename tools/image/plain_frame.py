"""Find a plain frame around the content of an image, as screenshots and scans have it."""

import numpy as np
from numpy.typing import NDArray

from secondread.schema.evidence import Finding, Findings
from secondread.schema.region import Box
from secondread.tools.base import Card, Context, ToolRequest, tool

FLAT = 0.012
"""Largest standard deviation of a row or column of the frame, in display grey: 3 of 255 levels, so that lossy storage
does not hide a plain frame."""
SAME = 0.03
"""Largest difference between the mean of such a line and that of the outermost one."""

CARD = Card(
    name="plain_frame",
    version="1.0",
    summary="Where the content of an image lies inside a plain frame, so that it can be cropped and looked at again.",
    kind="finding",
    establishes=(),
    in_plan=False,
    cost_seconds=0.02,
)


def content(grey: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """The part of an image inside its plain frame.

    Args:
        grey: Display grey, shape (rows, columns).

    Returns:
        First row, last row + 1, first column, last column + 1. The whole image when all of it is plain.
    """
    rows, columns = grey.shape
    top, bottom = _plain_ends(grey)
    if top + bottom >= rows:
        return 0, rows, 0, columns
    left, right = _plain_ends(grey[top : rows - bottom].T)
    return top, rows - bottom, left, columns - right


def _plain_ends(lines: NDArray[np.float32]) -> tuple[int, int]:
    """How many plain lines there are at the start and at the end of the first axis."""
    deviation, mean = lines.std(axis=1), lines.mean(axis=1)

    def run(order: NDArray[np.int64]) -> int:
        plain = (deviation[order] <= FLAT) & (np.abs(mean[order] - mean[order[0]]) <= SAME)
        return len(order) if plain.all() else int(np.argmin(plain))

    index = np.arange(len(lines))
    return run(index), run(index[::-1])


@tool(CARD, request=ToolRequest, result=Findings, summary=lambda result: summarise(result))
def plain_frame(request: ToolRequest, ctx: Context) -> Findings:
    """Where the content of an image lies inside a plain frame."""
    assert request.image is not None
    grey = ctx.pixels(request.image)
    top, bottom, left, right = content(grey)
    share = 1.0 - (bottom - top) * (right - left) / grey.size
    box = Box(
        grid=ctx.info(request.image).ref.grid,
        x0=left - 0.5,
        y0=top - 0.5,
        x1=right - 0.5,
        y1=bottom - 0.5,
        name="content",
    )
    found = Finding(
        concept="plain_frame",
        score=share,
        score_kind="support",
        polarity="present" if share > 0 else "absent",
        region=box,
        note="share of the image that is a plain frame",
    )
    return Findings(items=(found,))


def summarise(result: Findings) -> str:
    """One line: how much of the image is frame."""
    [item] = result.items
    return f"{item.score or 0.0:.0%} of the image is a plain frame"
