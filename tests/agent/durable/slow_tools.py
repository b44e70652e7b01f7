"""Tools that write down every call they complete, and the script of a run that can be killed at any of its steps."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.agent.planners.base import Move, PlannerView, Sentence
from secondread.schema.answer import Claim
from secondread.schema.evidence import Finding, Findings, Measurement, Measurements, Regions
from secondread.tools.base import Card, Context, Tool, ToolRequest, tool
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.runtime import Runtime

QUESTION = "Is the heart enlarged?"
ASKED = "enlarged_cardiac_silhouette"
STEPS = 5


class Numbered(ToolRequest):
    number: int = 0


class Measured(ToolRequest):
    slow_region: str
    number: int = 0


def done(name: str, number: int) -> None:
    """One line per call that got to its end."""
    time.sleep(0.02)
    with open(os.environ["CALLS"], "a", encoding="utf-8") as file:
        file.write(f"{name} {number}\n")


@tool(
    Card(name="slow_region", version="1", summary="A mask.", kind="region", establishes=("left_lung",), cache="none"),
    request=Numbered,
    result=Regions,
    summary=lambda r: "a mask",
)
def slow_region(request: Numbered, ctx: Context) -> Regions:
    """A mask."""
    assert request.image is not None
    done("slow_region", request.number)
    return Regions(masks={"left_lung": ctx.put_mask(request.image, "left_lung", ctx.pixels(request.image) > 0.5)})


@tool(
    Card(
        name="slow_measure",
        version="1",
        summary="Counts the pixels of the mask.",
        kind="measurement",
        establishes=("slow_measure", ASKED),
        needs=("slow_region",),
        cache="none",
    ),
    request=Measured,
    result=Measurements,
    summary=lambda r: f"{r.items[0].value} pixels",
)
def slow_measure(request: Measured, ctx: Context) -> Measurements:
    """Counts."""
    found = ctx.evidence(request.slow_region).result
    assert isinstance(found, Regions)
    pixels = float(np.count_nonzero(ctx.mask(found.masks["left_lung"])))
    done("slow_measure", request.number)
    return Measurements(items=(Measurement(name="slow_measure", value=pixels, unit="px"),))


@tool(
    Card(
        name="slow_note", version="1", summary="A note.", kind="finding", establishes=("slow_note", ASKED), cache="none"
    ),
    request=Numbered,
    result=Findings,
    summary=lambda r: "a note",
)
def slow_note(request: Numbered, ctx: Context) -> Findings:
    """A note."""
    done("slow_note", request.number)
    return Findings(items=(Finding(concept="slow_note", note=str(request.number)),))


class Script:
    """Each step measures and notes something new, side by side; a reply costs 10 tokens and is written down."""

    name = "script"

    def __init__(self) -> None:
        self.usage = 0

    async def propose(self, view: PlannerView) -> list[Move]:
        self.usage += 10
        done("propose", view.step + 1)
        if view.step >= STEPS:
            return [Move(action="answer")]
        image, n = view.images[0].ref.id, view.step
        names = ("slow_measure", "slow_note")
        return [
            Move(action="call", tool=t, args={"image": image, "number": n}, why="the script says so") for t in names
        ]

    async def word(self, claims: Any, view: PlannerView) -> list[Sentence]:
        self.usage += 10
        kept: list[Claim] = list(claims)
        return [Sentence(text=c.text, claims=(c.id,)) for c in kept]


def agent(folder: Path, **settings: Any) -> Agent:
    tools: dict[str, Tool] = {t.card.name: t for t in (slow_region(), slow_measure(), slow_note())}
    runtime = Runtime(tools=Catalogue(tools))
    given = Settings(trace_dir=folder, cache_dir=None, **settings)
    made = Agent(Script(), settings=given, runtime=runtime)
    made.fallback = Quiet()
    return made


class Quiet(Script):
    """A fallback that asks for what the script notes anyway, and never adds anything."""

    name = "quiet"

    async def propose(self, view: PlannerView) -> list[Move]:
        if view.step >= STEPS:
            return []
        args: dict[str, Any] = {"image": view.images[0].ref.id, "number": view.step}
        return [Move(action="call", tool="slow_note", args=args)]


if __name__ == "__main__":
    what, traces, film = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    working = agent(traces)
    answer = working.ask(film, QUESTION) if what == "ask" else working.resume(what)
    print(answer.model_dump_json())
    sys.stdout.flush()
    os._exit(0)
