"""A stand-in agent on the real runtime and image store: one cheap tool that can be checked by hand, no planner."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from secondread.agent.config import Settings
from secondread.agent.leases import Leases
from secondread.agent.sources import Handed
from secondread.schema.answer import Answer, Claim, Value
from secondread.schema.errors import NotMeasurable
from secondread.schema.evidence import Measurement, Measurements, Regions
from secondread.serve.cli import options
from secondread.tools.base import Card, Context, ToolRequest, tool
from secondread.tools.catalogue import Catalogue
from secondread.tools.runtime.calls import Call, plan
from secondread.tools.runtime.runtime import Runtime


class BrightRequest(ToolRequest):
    above: float = 0.5
    """Grey value from which a pixel counts as bright."""


class ShareRequest(ToolRequest):
    bright_part: str
    """Evidence id of the prerequisite."""
    digits: int = 3
    """Decimals of the result."""


@tool(
    Card(name="bright_part", version="1", summary="Marks bright pixels.", kind="region", establishes=("bright",)),
    request=BrightRequest,
    result=Regions,
    summary=lambda r: f"{r.masks['bright'].pixels} bright pixels",
)
def bright_part(request: BrightRequest, ctx: Context) -> Regions:
    assert request.image is not None
    return Regions(masks={"bright": ctx.put_mask(request.image, "bright", ctx.pixels(request.image) >= request.above)})


@tool(
    Card(
        name="bright_share",
        version="1",
        summary="Share of bright pixels.",
        kind="measurement",
        establishes=("bright_share",),
        needs=("bright_part",),
    ),
    request=ShareRequest,
    result=Measurements,
    summary=lambda r: f"bright share {r.items[0].value}",
)
def bright_share(request: ShareRequest, ctx: Context) -> Measurements:
    assert request.image is not None
    found = ctx.evidence(request.bright_part).result
    assert isinstance(found, Regions)
    size = ctx.pixels(request.image).size
    if not found.masks["bright"].pixels:
        raise NotMeasurable("Nothing on the image is bright.")
    share = round(found.masks["bright"].pixels / size, request.digits)
    return Measurements(items=(Measurement(name="bright_share", value=share),))


class StandIn:
    """Answers "is it bright" from `bright_share`; abstains when the question asks for a pneumothorax."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.runtime = Runtime(tools=Catalogue({"bright_part": bright_part(), "bright_share": bright_share()}))
        self.leases = Leases(self.runtime.store)
        self.asked: list[dict[str, Any]] = []
        self.closed = False
        self.before_answer: Callable[[Any, str], None] = lambda image, question: None

    def ask(self, image: Any, question: str, **given: Any) -> Answer:
        *_, last = self.stream(image, question, **given)
        return last["answer"]

    def stream(self, image: Any, question: str, **given: Any) -> Iterator[dict[str, Any]]:
        run = f"run{len(self.asked)}"
        self.asked.append({"image": image, "question": question, **given})
        self.before_answer(image, question)
        yield {"node": "act", "message": "measuring"}
        if image is None or "pneumothorax" in question:
            text = "No installed tool can judge this."
            yield {"answer": Answer(question=question, text=text, abstained=True, abstain_reason="no tool", trace=run)}
            return
        info = image.infos[0] if isinstance(image, Handed) else self.runtime.store.add(image)
        calls = plan(
            [Call(tool="bright_share", args={"image": info.ref.id})], {}, self.runtime.catalogue, next_id=1, defaults={}
        )
        ledger: dict[str, Any] = {}

        async def work() -> None:
            for call in calls:
                ledger[call.id], _ = await self.runtime.execute(call, ledger)

        self.runtime.submit(work()).result()
        for item in ledger.values():
            item._painter = lambda e: Image.fromarray((self.runtime.store.pixels(e.image) * 255).astype(np.uint8))
        last = ledger[calls[-1].id]
        share = last.result.items[0].value if last.kind == "measurement" else None
        if self.settings.trace_dir is not None:
            self.settings.trace_dir.mkdir(parents=True, exist_ok=True)
            (self.settings.trace_dir / f"{run}.jsonl").write_text('{"type": "run"}\n')
        yield {
            "answer": Answer(
                question=question,
                text=f"Bright share {share} [{last.id}].",
                verdict="yes" if share and share > 0.4 else "no",
                value=Value(name="bright_share", value=share or 0.0, unit="1"),
                confidence=0.9,
                confidence_method="by construction",
                claims=(Claim(id="C1", concept="bright_share", polarity="present", text="t", evidence=(last.id,)),),
                evidence=tuple(ledger.values()),
                trace=run,
            )
        }

    async def aask(self, image: Any, question: str, *, progress: Any = None, **given: Any) -> Answer:
        def events() -> Answer:
            for event in self.stream(image, question, **given):
                if "answer" in event:
                    answer: Answer = event["answer"]
                    return answer
                if progress is not None:
                    progress(event["node"], event["message"])
            raise AssertionError("the stream ended without an answer")

        return await asyncio.to_thread(events)

    def wants_film(self, question: str, choices: Any = None) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
        self.runtime.close()


class Factory:
    """Opens stand-ins and remembers the last one."""

    def __init__(self) -> None:
        self.last: StandIn | None = None
        self.prepare: Callable[[StandIn], None] = lambda agent: None

    def __call__(self, settings: Settings) -> Any:
        self.last = StandIn(settings)
        self.prepare(self.last)
        return self.last


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Factory:
    """Opens a stand-in wherever a command would open the agent; traces go to the test's own folder."""
    made = Factory()
    monkeypatch.setenv("SECONDREAD_TRACE_DIR", str(tmp_path / "traces"))
    monkeypatch.setattr(options, "open_agent", made)
    return made


def draw(path: Path, share: float, seed: int = 0) -> Path:
    """A grey image whose upper part of this share is bright, with some noise so that files differ."""
    noise = np.random.default_rng(seed).integers(0, 20, (100, 80))
    noise[: round(100 * share)] += 230
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise.astype(np.uint8)).save(path)
    return path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Half of it is bright."""
    return draw(tmp_path / "films" / "JaneDoe.png", 0.5)
