"""What the loop costs beside its tools: time per step, memory, pictures sent, tokens per prompt.

python benchmarks/planner_loop.py [--runs 30] [--steps 10] [--json FILE]

Time: the loop with trace file and SQLite checkpoints, against a bare langgraph loop with the same number of node
visits, in turn; planner and tools reply at once. Memory and prompts: three questions of ten steps each on an image of
3 MB, with a planner on a real server on this machine that may see pixels.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
QUESTIONS = ("Is the heart enlarged?", "What is the cardiothoracic ratio?", "Is the film rotated?")
SIDE = 1860
"""Pixels of a square 8-bit image whose PNG has 3 MB."""


class Counting(TypedDict):
    """State of the bare loop."""

    n: int


def bare_loop(visits: int) -> Any:
    """Three nodes in a circle, each of which counts, until so many were visited."""
    from langgraph.graph import END, START, StateGraph

    async def one(state: Counting) -> dict[str, int]:
        return {"n": state["n"] + 1}

    graph = StateGraph(Counting)
    for name in "abc":
        graph.add_node(name, one)
    graph.add_edge(START, "a")
    graph.add_edge("a", "b")
    graph.add_edge("b", "c")

    async def onward(state: Counting) -> str:  # a plain function would go to a thread each time
        return "a" if state["n"] < visits else END

    graph.add_conditional_edges("c", onward, ["a", END])
    return graph.compile()


class Instant:
    """Runs no tool: every call has its result at once."""

    def __init__(self, catalogue: Any) -> None:
        self.catalogue = catalogue

    async def execute(self, call: Any, ledger: Mapping[str, Any], *, timeout: float | None = None) -> tuple[Any, float]:
        """A crop of the asked size."""
        from secondread.schema.evidence import DerivedImage, Evidence
        from secondread.schema.region import Box

        box = Box(**{k: call.args[k] for k in ("x0", "y0", "x1", "y1")}, grid="g")
        result = DerivedImage(image=f"img-{call.key[:16]}", box=box)
        made = Evidence(
            id=call.id, call_key=call.key, tool=call.tool, tool_version="1", image=call.args["image"], kind="image",
            result=result, summary=f"{call.tool} of {call.args['image']}",
        )  # fmt: skip
        return made, 0.0


def overhead(runs: int, steps: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and processor seconds of whole runs: the loop, the loop with nothing kept, the bare loop."""
    from secondread.agent.durable.checkpoints import Checkpoints
    from secondread.agent.durable.driving import execute
    from secondread.agent.limits import Meter
    from secondread.agent.planners.base import Move
    from secondread.agent.planners.scripted import ScriptedPlanner
    from secondread.agent.run import Run
    from secondread.agent.trace import TraceWriter
    from secondread.kg.graph import core_graph
    from secondread.kg.questions import parse
    from secondread.schema.image import ImageInfo, ImageRef
    from secondread.tools.catalogue import catalogue

    graph, tools, image = core_graph(), catalogue(), "img-" + "a" * 16
    question = parse("What is the mean intensity?", graph, None).model_dump(mode="json")
    info = ImageInfo(ref=ImageRef(id=image, rows=SIDE, columns=SIDE, grid="g"), modality="OT")
    moves = [
        [
            Move(
                action="call",
                tool="crop",
                args={"image": image, **crop(n)},
            )
        ]
        for n in range(steps)
    ]
    seconds: dict[str, list[tuple[float, float]]] = {"loop": [], "loop, nothing kept": [], "bare": []}
    visits = 3 * steps + 6  # intake, the last think and rethink, answer, verify; rounded up to whole circles
    bare = bare_loop(visits)

    async def timed(name: str, work: Coroutine[Any, Any, Any]) -> None:
        wall, busy = time.perf_counter(), time.process_time()
        await work
        seconds[name].append((time.perf_counter() - wall, time.process_time() - busy))

    async def run(number: int, folder: Path | None, checkpoints: Any) -> None:
        name = f"{number:016x}"
        trace = TraceWriter(name, folder / f"{name}.jsonl" if folder else None)
        given = Run(
            executor=Instant(tools), planner=ScriptedPlanner(moves), fallback=ScriptedPlanner(moves), graph=graph,
            meter=Meter(max_steps=99, max_calls=999, max_tokens=1, max_seconds=999.0), trace=trace, infos={image: info},
        )  # fmt: skip
        await timed("loop" if folder else "loop, nothing kept", execute(given, question, checkpoints))
        trace.close()
        acted = sum(e["type"] == "result" and e["call"]["tool"] == "crop" for e in trace.events)
        if acted < steps:
            raise SystemExit(f"only {acted} of {steps} steps acted")

    async def all_of_them() -> None:
        with tempfile.TemporaryDirectory() as folder:
            checkpoints = Checkpoints(Path(folder))
            for number in range(runs + 2):
                await run(number, Path(folder), checkpoints)
                await run(number, None, None)
                await timed("bare", bare.ainvoke({"n": 0}, {"recursion_limit": visits + 9}))
            checkpoints.close()

    gc.collect()
    asyncio.run(all_of_them())
    return {name: values[2:] for name, values in seconds.items()}  # the first two warm up


def crop(step: int) -> dict[str, float]:
    """Where the crop of a step lies, in pixels."""
    return {"x0": 20.0 * step, "y0": 0.0, "x1": 20.0 * step + 200, "y1": 200.0}


class Wanting:
    """In the place of the built-in planner: wants one more crop in every step, so that all runs are of one length."""

    name = "wanting"
    usage = 0

    def __init__(self, steps: int) -> None:
        self._steps = steps

    async def propose(self, view: Any) -> list[Any]:
        """The crop of this step, or the answer."""
        from secondread.agent.planners.base import Move

        if view.step >= self._steps:
            return [Move(action="answer")]
        return [Move(action="call", tool="crop", args={"image": view.images[0].ref.id, **crop(view.step)})]

    async def word(self, claims: Any, view: Any) -> list[Any]:
        """Nothing: the templates word the answer."""
        return []


def three_questions(steps: int) -> dict[str, Any]:
    """Memory, pictures and prompts of three questions on one large image with a planner on a server."""
    import numpy as np
    import psutil
    from openai_server import Body, Say, serving
    from PIL import Image
    from sensible_model import sensible

    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings
    from secondread.evals.phantom import generate

    def reply(body: Body) -> Say:
        text = "\n".join(_text(m["content"]) for m in body["messages"])
        at = re.search(r"^Step (\d+)\.", text, re.MULTILINE)
        if at is None:
            return Say(json.dumps(sensible(text)))
        step, image = int(at[1]), text[text.index('"id": "img-') + 7 :][:20]
        if step >= steps:
            return Say(calls=(("answer", {}),))
        return Say("A film.", calls=(("crop", {"image": image, **crop(step)}),))

    process = psutil.Process()

    def resident() -> float:
        gc.collect()
        with suppress(OSError, AttributeError):  # what the allocator of glibc keeps of freed memory is not in use
            ctypes.CDLL(None).malloc_trim(0)
        return float(process.memory_info().rss) / 2**20

    with tempfile.TemporaryDirectory() as name, serving(reply) as server:
        folder = Path(name)
        for number in (1, 2):
            film = Image.fromarray((generate(number, ctr=0.45).grey * 255).astype("uint8")).resize((SIDE, SIDE))
            noise = np.random.default_rng(number).integers(-40, 41, (SIDE, SIDE))
            Image.fromarray(np.clip(np.asarray(film, np.int16) + noise, 0, 255).astype("uint8")).save(
                folder / f"{number}.png"
            )
        settings = Settings(
            trace_dir=folder / "traces",
            cache_dir=None,
            send_pixels=True,
            max_steps=steps + 4,
            max_calls=99,
            offline=True,
        )
        with Agent(f"{server.url}#m", settings=settings) as agent:
            agent.fallback = Wanting(steps)
            agent.ask(
                folder / "2.png", QUESTIONS[0], view="PA", age=60
            )  # models, code and buffers are there from now on
            sent_before, asked_before = len(server.pictures()), len(server.asked)
            memory = [resident()]
            answers = []
            for question in QUESTIONS:
                answers.append(agent.ask(folder / "1.png", question, view="PA", age=60))
                memory.append(resident())
        pictures = server.pictures()[sent_before:]
        prompts = [
            (
                int(at[1]),
                len(body["messages"][0]["content"]),
                len(text) - len(body["messages"][0]["content"]),
                len(json.dumps(body.get("tools", []))),
            )
            for body in server.asked[asked_before:]
            for text in ["\n".join(_text(m["content"]) for m in body["messages"])]
            for at in [re.search(r"^Step (\d+)\.", text, re.MULTILINE)]
            if at is not None
        ]
        return {
            "file_mb": (folder / "1.png").stat().st_size / 1e6,
            "steps": [a.budget.steps for a in answers],
            "evidence": [len(a.evidence) for a in answers],
            "memory_mb": memory,
            "pictures": pictures,
            "prompts": prompts,
        }


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(p.get("text", "") for p in content)


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    told = sorted(values)
    return f"median {statistics.median(told):.2f}  quartiles {told[len(told) // 4]:.2f} {told[3 * len(told) // 4]:.2f}"


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    seconds = overhead(args.runs, args.steps)
    print(f"n = {args.runs} runs of {args.steps} steps each, interleaved; ms per step (think, act, rethink)")
    for at, clock in enumerate(("wall", "processor")):
        for name, pairs in seconds.items():
            print(f"  {clock:<10} {name:<20} {spread([1000 * pair[at] / args.steps for pair in pairs])}")
        for name in ("loop", "loop, nothing kept"):
            both = zip(seconds[name], seconds["bare"], strict=True)
            beyond = [1000 * (a[at] - b[at]) / args.steps for a, b in both]
            print(
                f"  {clock:<10} {name} beyond bare: {spread(beyond)}; per node visit {spread([b / 3 for b in beyond])}"
            )
    print("  target for the loop beyond bare: 2 ms per step of langgraph, which is a node visit")
    print("  on a busy machine only the processor time says something")
    found = three_questions(args.steps)
    grown = found["memory_mb"][-1] - found["memory_mb"][0]
    print(
        f"three questions on an image of {found['file_mb']:.1f} MB: {found['steps']} steps, {found['evidence']} results"
    )
    print(f"  memory grew by {grown:.1f} MB (target: 20): {[round(m, 1) for m in found['memory_mb']]}")
    print(f"  pictures sent: {len(found['pictures'])} (target: 1)")
    print(f"  base64 characters of each: {found['pictures']} (target: 200,000)")
    print("  characters of prompts by step, as (system, view, tools); a token is about four characters")
    for step, *sizes in found["prompts"]:
        print(f"    step {step:2}: {sizes}  about {sum(sizes) // 4} tokens")
    if args.json:
        args.json.write_text(json.dumps({"seconds": seconds, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
