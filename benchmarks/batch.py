"""Throughput, memory and resume time of a batch, as ratios against bare references measured in the same run.

python benchmarks/batch.py [--films 24] [--rounds 3] [--parts throughput,memory,resume] [--json FILE]

- throughput: films per second of a batch over generated chest films, against (a) the same forward calls of the same
  networks in one go, inputs in memory, as many films to a call as the batch had; (b) a process per question; (c) a loop
  of `ask` in one process. Results of tools are cached by none of them.
- memory: resident memory at 1,000 and at 20,000 small studies that two cheap tools answer.
- resume: seconds to open an output of 100,000 rows, check each and find that none is missing.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
QUESTION = "Is the heart enlarged?"
STATED: dict[str, Any] = {"view": "PA", "age": 60.0}
SMALL = ("film_quality", "intensity_statistics")


def films(folder: Path, count: int, first: int) -> list[Path]:
    """Generated chest films as PNG files; no two calls share a film, so that no result is known from before."""
    from PIL import Image

    from secondread.evals.phantom import generate

    paths = []
    folder.mkdir(parents=True)
    for seed in range(first, first + count):
        path = folder / f"film{seed:04d}.png"
        Image.fromarray((generate(seed).grey * 255).round().astype("uint8")).save(path)
        paths.append(path)
    return paths


def settings() -> Any:
    """Nothing is kept between films."""
    from secondread.agent.config import Settings

    return Settings(trace_dir=None, cache_dir=None)


@contextmanager
def recorded(calls: "list[tuple[Any, tuple[Any, ...]]]") -> Iterator[None]:
    """Note the outermost forward calls of networks and what they are given."""
    import threading

    from torch.nn.modules import module

    depth = threading.local()

    def before(one: Any, given: tuple[Any, ...]) -> None:
        depth.n = getattr(depth, "n", 0) + 1
        if depth.n == 1:
            calls.append((one, tuple(x.detach().clone() if hasattr(x, "detach") else x for x in given)))

    def after(one: Any, given: tuple[Any, ...], result: Any) -> None:
        depth.n -= 1

    hooks = [
        module.register_module_forward_pre_hook(before),
        module.register_module_forward_hook(after, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def ask_all(agent: Any, folder: Path, out: Path, questions: "tuple[Any, ...]", **options: Any) -> float:
    """Seconds of a whole batch by an agent that is open already: scan, answers, rows, tables and summary."""
    from secondread.serve.batch.run import run_batch
    from secondread.serve.batch.scan import Given
    from secondread.serve.batch.work import Job

    class Kept:
        """The agent; closing it is left to the benchmark."""

        def __getattr__(self, name: str) -> Any:
            return getattr(agent, name)

        def close(self) -> None: ...

    job = Job(questions, agent.settings, lambda settings: Kept(), **options)  # type: ignore[arg-type,return-value]
    started = time.perf_counter()
    tally = run_batch(Given((str(folder),)), job, out)
    if tally.failed or not tally.rows:
        raise SystemExit(f"the batch failed: {tally}")
    return time.perf_counter() - started


def throughput(count: int, rounds: int, work: Path) -> dict[str, Any]:
    """Seconds per film of the batch and of its references, interleaved; ratios of their medians."""
    import torch

    from secondread.agent.agent import Agent
    from secondread.serve.batch.questions import BatchQuestion

    asked = (BatchQuestion(id="q1", question=QUESTION),)
    seconds: dict[str, list[float]] = {}
    processor: dict[str, list[float]] = {}
    fresh = iter(range(0, 10**6, count))

    began = [0.0]

    def some(name: str) -> list[Path]:
        made = films(work / name, count, next(fresh))
        began[0] = time.process_time()
        return made

    def note(name: str, spent: float, of: int = count) -> None:
        seconds.setdefault(name, []).append(spent / of)
        processor.setdefault(name, []).append((time.process_time() - began[0]) / of)
        print(f"  {name}: {seconds[name][-1]:.3f} s a film", flush=True)

    with Agent(settings=settings()) as agent:
        calls: list[tuple[Any, tuple[Any, ...]]] = []
        some("warm")
        with recorded(calls):
            ask_all(agent, work / "warm", work / "out-warm", asked, **STATED)
        agent.ask(some("warm-loop")[0], QUESTION, **STATED)
        for n in range(rounds):
            some(f"b{n}")
            note("batch", ask_all(agent, work / f"b{n}", work / f"out-b{n}", asked, **STATED))
            started, began[0] = time.perf_counter(), time.process_time()
            with torch.inference_mode():
                for network, given in calls:
                    network(*given)
            note("forward", time.perf_counter() - started)
            paths = some(f"l{n}")
            started = time.perf_counter()
            for path in paths:
                agent.ask(path, QUESTION, **STATED)
            note("loop", time.perf_counter() - started)
            some(f"o{n}")
            note(
                "batch with overlays",
                ask_all(agent, work / f"o{n}", work / f"out-o{n}", asked, overlays=True, **STATED),
            )
            command = [
                sys.executable,
                "-m",
                "secondread.serve.cli.main",
                "ask",
                str(paths[0]),
                QUESTION,
                "--view",
                "PA",
            ]
            started = time.perf_counter()
            done = subprocess.run([*command, "--age", "60", "--no-cache"], capture_output=True, cwd=ROOT)
            if done.returncode not in (0, 3):
                raise SystemExit(done.stderr.decode()[-400:])
            note("process", time.perf_counter() - started, 1)
    middle = {name: statistics.median(found) for name, found in seconds.items()}
    used = {name: statistics.median(found) for name, found in processor.items()}
    return {
        "films": count,
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "forward calls": len(calls),
        "seconds per film": seconds,
        "processor seconds per film": processor,
        "share of the batch's processor time that the bare forward calls take": used["forward"] / used["batch"],
        "batch / forward throughput (>= 0.85)": middle["forward"] / middle["batch"],
        "with overlays / forward throughput": middle["forward"] / middle["batch with overlays"],
        "batch / process per ask (>= 3)": middle["process"] / middle["batch"],
        "batch / loop of ask (>= 1.1)": middle["loop"] / middle["batch"],
    }


def memory(most: int, work: Path) -> dict[str, Any]:
    """Resident memory of a batch over small studies, each with two questions, by studies done."""
    import batches  # of tests/support

    from secondread.agent.agent import Agent

    folder = batches.studies(work / "small", most)
    measured: dict[int, float] = {}
    marks = {1000, most // 4, most // 2, most}
    with Agent(settings=settings(), tools=list(SMALL)) as agent:
        from secondread.serve.batch import progress

        plain = progress.Pace.one

        def one(pace: Any, failed: bool) -> None:
            plain(pace, failed)
            if pace.done in marks:
                measured[pace.done] = (
                    int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
                )
                print(f"  {pace.done} studies: {measured[pace.done]:.0f} MB", flush=True)

        progress.Pace.one = one  # type: ignore[method-assign]
        spent = ask_all(agent, folder, work / "out-small", batches.QUESTIONS)
    return {
        "MB by studies": measured,
        "growth from 1,000 (flat: about 1)": measured[most] / measured[1000],
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "studies per second": most / spent,
    }


def resume(rows: int, work: Path) -> dict[str, Any]:
    """Seconds to open an output whose rows are all there, and to see that."""
    from secondread.serve.batch.case import Case
    from secondread.serve.batch.recorder import Recorder

    out = work / "done"
    out.mkdir()
    row = {"question_id": "q1", "question": QUESTION, "text": "t" * 200, "verdict": "no", "abstained": False,
           "claims": ["c" * 300], "evidence": ["e" * 600], "measurements": ["m" * 900]}  # fmt: skip
    with Recorder(out, ("q1",)) as recorder:
        cases = ((f"p{n}", Case(kind="plain"), 1) for n in range(rows))
        recorder.state.enter(cases, 1)
        plain, os.fsync = os.fsync, lambda file: None  # the rows are made here, not measured
        for n in range(1, rows + 1):
            recorder.record(n, ({"key": f"case-{n:06d}", **row},), {}, f"case-{n:06d}")
        os.fsync = plain
    started = time.perf_counter()
    with Recorder(out, ("q1",)) as recorder:
        missing = recorder.state.missing(1)
    spent = time.perf_counter() - started
    if missing:
        raise SystemExit(f"{missing} cases seem to be missing")
    return {"rows": rows, "megabytes": (out / "results.jsonl").stat().st_size / 2**20, "seconds (< 5)": spent}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", default="throughput,memory,resume")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        "throughput": lambda work: throughput(args.films, args.rounds, work),
        "memory": lambda work: memory(args.studies, work),
        "resume": lambda work: resume(args.rows, work),
    }
    found = {}
    for name in args.parts.split(","):
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found[name] = parts[name](Path(folder))
        print(json.dumps(found[name], indent=2), flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
