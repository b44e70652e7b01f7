"""What the tool runtime costs and saves, as ratios against bare references measured in the same run.

python benchmarks/runtime.py [--asks 32] [--rounds 3] [--device auto] [--json FILE]

Films are generated, networks are the shipped chest anatomy ones. References get the same weights, the same batch size,
the same threads and the same films as arrays in memory; runs and references alternate, so that a slow spell of the
machine hits both. On a machine with a GPU the throughput part also runs there and prints the share of time it was busy.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from secondread.schema.evidence import Evidence, Finding, Findings, Measurement, Measurements, Regions
from secondread.tools.base import Card, Context, Tool, ToolRequest, tool
from secondread.tools.catalogue import Catalogue, catalogue
from secondread.tools.runtime.calls import Call
from secondread.tools.runtime.runtime import Runtime

BATCH = 8
"""Films in one forward pass, for the runtime and for its reference."""
WAIT_SECONDS = 0.05
Row = tuple[str, float, str, float]
"""What, measured, `<=` or `>=`, target."""


def waiting(number: int) -> Tool:
    """A tool that waits 50 ms."""
    card = Card(name=f"wait{number}", version="1", summary="Waits.", kind="finding", establishes=(), image="none")

    @tool(card, request=ToolRequest, result=Findings, summary=lambda result: "waited")
    def run(request: ToolRequest, ctx: Context) -> Findings:
        """Waits."""
        time.sleep(WAIT_SECONDS)
        return Findings(items=(Finding(concept="waited"),))

    return run()


def four_that_wait(rounds: int) -> Row:
    """Milliseconds of one turn with four tools that wait 50 ms each."""
    tools = {f"wait{n}": waiting(n) for n in range(4)}
    runtime = Runtime(tools=Catalogue(tools), cache_entries=0)
    calls = [Call(tool=name, args={}) for name in tools]
    seconds = []
    for _ in range(10 * rounds + 1):
        started = time.perf_counter()
        runtime.submit(runtime.run(calls)).result()
        seconds.append(time.perf_counter() - started)
    runtime.close()
    return "four tools that wait 50 ms in one turn, ms (median)", 1e3 * statistics.median(seconds[1:]), "<=", 65.0


class LungArea(Tool):
    """Share of a film that the chest anatomy networks call lung: one forward pass per network for a whole batch."""

    card = Card(
        name="lung_area",
        version="1",
        summary="Share of a film that is lung.",
        kind="measurement",
        establishes=("lung_area",),
        max_batch=BATCH,
        devices=("cpu", "cuda", "mps"),
    )
    Request, Result = ToolRequest, Measurements

    def load(self) -> Any:
        """The five networks."""
        return list(catalogue().get("chest_anatomy").load().values())

    def run_batch(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
        """One share per film."""
        nets, device = ctx.model(self.card.name), ctx.device(self.card.name)
        shares = areas(nets, [to_grid(ctx.pixels(request.image)) for request in requests], device)
        return [Measurements(items=(Measurement(name="lung_area", value=share),)) for share in shares]


def to_grid(film: Any) -> Any:
    """A film as the networks take it, shape (256, 256), on the processor."""
    from secondread.tools.segment.grid import to_grid as resample

    return resample(film)


def areas(nets: Sequence[Any], grids: Sequence[Any], device: str) -> list[float]:
    """Share of lung of each film: the bare batched forward pass of all networks."""
    import numpy as np
    import torch

    from secondread.tools.segment.inference import _bf16

    batch = torch.from_numpy(np.stack(grids))[:, None].to(device).contiguous(memory_format=torch.channels_last)
    half = _bf16() if device == "cpu" else True
    with torch.inference_mode(), torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=half):
        mean = sum(net(batch).float().softmax(1) for net in nets) / len(nets)
    kind = mean.argmax(1)
    return [float(share) for share in ((kind == 1) | (kind == 2)).float().mean((1, 2)).cpu()]


def concurrently(runtime: Runtime, name: str, images: Sequence[str]) -> list[Evidence]:
    """One asker per image, all at the same time."""

    async def all_of_them() -> list[Evidence]:
        async def one(image: str) -> Evidence:
            done = await runtime.run([Call(tool=name, args={"image": image})])
            return list(done.values())[-1]

        return list(await asyncio.gather(*map(one, images)))

    return runtime.submit(all_of_them()).result()


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def throughput(films: Sequence[Any], rounds: int, device: str) -> list[Row]:
    """Throughput of concurrent asks on one model over that of the bare forward passes."""
    runtime = Runtime(tools=Catalogue({"lung_area": LungArea()}), cache_entries=0, device=device)
    images = [runtime.store.add(film).ref.id for film in films]
    where = runtime.devices.of(LungArea.card)
    nets = runtime.pool.get(runtime.catalogue.get("lung_area"))
    grids = [to_grid(film) for film in films]

    def bare() -> list[float]:
        return [s for i in range(0, len(grids), BATCH) for s in areas(nets, grids[i : i + BATCH], where)]

    def asked() -> list[float]:
        done = concurrently(runtime, "lung_area", images)
        return [item.value or 0.0 for e in done for item in e.result.items]  # type: ignore[union-attr]  # measurements

    same = max(abs(a - b) for a, b in zip(asked(), bare(), strict=True))
    if same > 1e-3:
        raise SystemExit(f"the runtime's results differ from the reference by {same}")
    pairs = []
    runtime.batches = 0
    busy: list[float] = []
    for _ in range(rounds):
        first = seconds_of(bare)
        with BusyShare(where, busy):
            pairs.append((first, seconds_of(asked)))
    print(f"  {where}: {len(films)} asks in {runtime.batches / rounds:.1f} batches of at most {BATCH}", file=sys.stderr)
    runtime.close()
    ratio = statistics.median(a / b for a, b in pairs)
    rows: list[Row] = [
        (f"throughput of {len(films)} concurrent asks / bare batched forward ({where})", ratio, ">=", 0.85)
    ]
    if busy:
        rows.append((f"share of time {where} was busy", statistics.median(busy), ">=", 0.0))
    return rows


class BusyShare:
    """Share of a block's time in which kernels ran on the GPU, from events on its stream; nothing elsewhere."""

    def __init__(self, device: str, into: list[float]) -> None:
        self._cuda, self._into = device.startswith("cuda"), into

    def __enter__(self) -> None:
        if self._cuda:
            from torch.profiler import ProfilerActivity, profile

            self._profile = profile(activities=[ProfilerActivity.CUDA])
            self._profile.__enter__()
            self._started = time.perf_counter()

    def __exit__(self, *exc: Any) -> None:
        if self._cuda:
            import torch

            torch.cuda.synchronize()
            wall = time.perf_counter() - self._started
            self._profile.__exit__(*exc)
            kernels = sum(e.self_device_time_total for e in self._profile.key_averages()) / 1e6
            self._into.append(kernels / wall)


def whole_tool(films: Sequence[Any], rounds: int) -> list[Row]:
    """Concurrent calls of the shipped segmenter, over the same function called bare on arrays in memory."""
    from secondread.tools.segment.inference import segment

    runtime = Runtime(cache_entries=0)
    images = [runtime.store.add(film).ref.id for film in films]
    nets = runtime.pool.get(runtime.catalogue.get("chest_anatomy"))
    concurrently(runtime, "chest_anatomy", images[:1])
    pairs = [
        (
            seconds_of(lambda: [segment(film, nets) for film in films]),
            seconds_of(lambda: concurrently(runtime, "chest_anatomy", images)),
        )
        for _ in range(rounds)
    ]
    runtime.close()
    ratio = statistics.median(a / b for a, b in pairs)
    return [(f"throughput of {len(films)} concurrent chest_anatomy calls / the bare function", ratio, ">=", 0.85)]


def lone_call(film: Any, rounds: int) -> list[Row]:
    """What the runtime adds to one call when nothing else is in flight."""
    from secondread.tools.segment.inference import segment

    runtime = Runtime(cache_entries=0)
    image = runtime.store.add(film).ref.id
    nets = runtime.pool.get(runtime.catalogue.get("chest_anatomy"))
    concurrently(runtime, "chest_anatomy", [image])
    pairs = [
        (seconds_of(lambda: segment(film, nets)), seconds_of(lambda: concurrently(runtime, "chest_anatomy", [image])))
        for _ in range(4 * rounds)
    ]
    runtime.close()
    return [("one chest_anatomy call alone / the bare function", statistics.median(b / a for a, b in pairs), "<=", 1.1)]


AGAIN = """
import json, sys, time, numpy as np
from secondread.tools.runtime.calls import Call
from secondread.tools.runtime.runtime import Runtime
from pathlib import Path
runtime = Runtime(cache_dir=Path(sys.argv[1]))
image = runtime.store.add(np.load(sys.argv[2]), view="PA", age=60).ref.id
calls = [Call(tool=n, args={"image": image}) for n in ("film_quality", "cardiothoracic_ratio", "film_rotation")]
started = time.perf_counter()
done = runtime.submit(runtime.run(calls)).result()
first = time.perf_counter() - started
executed = runtime.executed
started = time.perf_counter()
runtime.submit(runtime.run(calls)).result()
second = time.perf_counter() - started
runtime.close()
failed = [e.summary for e in done.values() if e.kind == "tool_failure"]
print(json.dumps({"first": first, "second": second, "executed": executed, "again": runtime.executed - executed,
                  "torch": "torch" in sys.modules, "failed": failed}))
"""


def second_ask(film: Any) -> list[Row]:
    """Tool runs and time of an identical ask: in the same process, and in a new one."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.npy")
        np.save(path, film)
        told = []
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", AGAIN, str(Path(folder, "kept")), str(path)], capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(done.stderr)
            told.append(json.loads(done.stdout))
    fresh, later = told
    print(f"  first process {fresh}\n  second process {later}", file=sys.stderr)
    return [
        ("tools run by a second identical ask", fresh["again"], "<=", 0),
        ("time of a second identical ask / the first", fresh["second"] / fresh["first"], "<=", 0.1),
        ("tools run by an identical ask in a new process", later["executed"], "<=", 0),
        ("its time / the first", later["first"] / fresh["first"], "<=", 0.1),
    ]


class Copy(Tool):
    """The chest anatomy networks under another name."""

    Request, Result = ToolRequest, Regions

    def __init__(self, number: int) -> None:
        shipped = catalogue().get("chest_anatomy")
        type(self).card = shipped.card.model_copy(update={"name": f"copy{number}"})

    def load(self) -> Any:
        """The five networks."""
        return catalogue().get("chest_anatomy").load()

    def run_batch(self, requests: Sequence[Any], ctx: Context) -> list[Any]:
        """Holds the model for a moment."""
        ctx.model(self.card.name)
        time.sleep(0.005)
        return [Regions(masks={}) for _ in requests]


def three_under_two(film: Any) -> list[Row]:
    """Most bytes of live parameters while three models are used at the same time under a budget that fits two."""
    import gc

    import torch

    from secondread.tools.runtime.pool import model_bytes
    from secondread.tools.segment.network import ChestAnatomyNet

    tools = {f"copy{n}": type(f"Copy{n}", (Copy,), {})(n) for n in range(3)}
    size = model_bytes(tools["copy0"].load())
    gc.collect()
    budget = int(2.5 * size)
    runtime = Runtime(tools=Catalogue(tools), cache_entries=0)
    runtime.pool.budget = budget
    images = [runtime.store.add(film * (1 - k / 100)).ref.id for k in range(10)]
    before = live_bytes(torch, ChestAnatomyNet)
    most, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.002):
            most[0] = max(most[0], live_bytes(torch, ChestAnatomyNet) - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()

    async def all_of_them() -> None:
        await asyncio.gather(
            *(runtime.run([Call(tool=name, args={"image": image})]) for image in images for name in tools)
        )

    runtime.submit(all_of_them()).result()
    stop.set()
    watcher.join()
    loads, peak = runtime.pool.loads, runtime.pool.peak
    runtime.close()
    print(f"  {loads} loads of {size / 1e6:.1f} MB under {budget / 1e6:.1f} MB", file=sys.stderr)
    return [
        ("three models under a budget that fits two: bytes held at most / budget", peak / budget, "<=", 1.0),
        ("the same, live parameters as seen from outside / budget", most[0] / budget, "<=", 1.0),
    ]


def live_bytes(torch: Any, kind: type) -> int:
    """Bytes of the parameters of every network of a kind that is alive, wherever it is held."""
    import gc

    nets = [o for o in gc.get_objects() if type(o) is kind]
    return sum(p.numel() * p.element_size() for net in nets for p in [*net.parameters(), *net.buffers()])


def main() -> int:
    """Print every figure beside its target; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asks", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    from secondread.evals.phantom import generate

    films = [generate(seed).grey for seed in range(args.asks)]
    rows = [four_that_wait(args.rounds)]
    rows += throughput(films, args.rounds, "cpu")
    if args.device != "cpu":
        import torch

        if torch.cuda.is_available() or torch.backends.mps.is_available():
            rows += throughput(films, args.rounds, args.device)
        else:
            print("no GPU here: that part is skipped", file=sys.stderr)
    rows += whole_tool(films, args.rounds)
    rows += lone_call(films[0], args.rounds)
    rows += second_ask(films[0])
    rows += three_under_two(films[0])
    missed = 0
    for name, value, sign, target in rows:
        met = value <= target if sign == "<=" else value >= target
        missed += not met
        print(f"{name:<78} {value:8.3f}   {sign} {target:g}   {'met' if met else 'MISSED'}")
    if args.json:
        args.json.write_text(json.dumps([dict(zip(("what", "value", "sign", "target"), r, strict=True)) for r in rows]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
