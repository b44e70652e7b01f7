"""Detectors with a word of their own on concepts of the graph, and agents that have these and nothing else."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from small_tools import make_tool

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.schema.evidence import CalibrationRecord, Finding, Findings
from secondread.schema.region import Box
from secondread.tools.base import Context, Tool, ToolRequest
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.runtime import Runtime

SHAPE = (48, 64)


def detector(name: str, scores: dict[str, float], calls: Counter[str], *, place: bool = False, **card: Any) -> Tool:
    """A calibrated detector: P(concept is there) for each concept; between 0.4 and 0.6 it cannot tell.

    `calls` counts its runs, `place` adds a box to what is there.
    """

    def run(requests: Sequence[Any], ctx: Context) -> list[Any]:
        calls[name] += len(requests)
        return [_findings(r, ctx, scores, place) for r in requests]

    records = tuple(
        CalibrationRecord(
            name=c, method="made up for a test", data="none", data_sha256=64 * "0", date="2020-01-01", n=9
        )
        for c in scores
    )
    fields: dict[str, Any] = {
        "image": "required",
        "establishes": tuple(scores),
        "calibration": records,
        "cache": "none",
    }
    return make_tool(name, run, request=ToolRequest, **{**fields, **card})


def _findings(request: Any, ctx: Context, scores: dict[str, float], place: bool) -> Findings:
    grid = ctx.info(request.image).ref.grid
    return Findings(
        items=tuple(
            Finding(
                concept=concept,
                score=p,
                score_kind="calibrated probability",
                polarity="present" if p > 0.6 else "absent" if p < 0.4 else "uncertain",
                verified=True,
                region=Box(grid=grid, x0=3.5, y0=4.5, x1=20.5, y1=30.5) if place and p > 0.6 else None,
                note="the score lies near a half" if 0.4 <= p <= 0.6 else "",
            )
            for concept, p in scores.items()
        )
    )


def agent_with(*tools: Tool, planner: Any = None, **settings: Any) -> Agent:
    """An agent that has these tools alone and keeps nothing on disk."""
    given: dict[str, Any] = {"trace_dir": None, "cache_dir": None, **settings}
    runtime = Runtime(tools=Catalogue({t.card.name: t for t in tools}))
    return Agent(planner, settings=Settings(**given), runtime=runtime)


def picture(seed: int = 1) -> Any:
    """A picture of nothing, shape `SHAPE`, 0 to 1."""
    return np.random.default_rng(seed).random(SHAPE).astype(np.float32)
