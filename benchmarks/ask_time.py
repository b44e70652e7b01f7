"""Time of one `ask`, cold and warm, by part, as ratios against bare references measured in the same run.

python benchmarks/ask_time.py [--runs 5] [--json FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILM = ROOT / "examples" / "chest.png"
QUESTION = "Is the heart enlarged?"


def timed(work: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each of `runs` calls."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def process(*command: str) -> Callable[[], object]:
    """A whole process, its output thrown away; exit 3 (abstained) counts as done."""

    def run() -> None:
        done = subprocess.run(command, capture_output=True, cwd=ROOT)
        if done.returncode not in (0, 3):
            raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr.decode()[-400:]}")

    return run


def cold(runs: int) -> dict[str, list[float]]:
    """Whole processes, interleaved so that a slow spell of the machine hits all alike."""
    commands = {
        "import torch, langgraph.graph": process(sys.executable, "-c", "import torch, langgraph.graph"),
        "import langgraph.graph": process(sys.executable, "-c", "import langgraph.graph"),
        "secondread --help": process(sys.executable, "-m", "secondread.serve.cli.main", "--help"),
        "secondread ask": process(
            sys.executable,
            "-m",
            "secondread.serve.cli.main",
            "ask",
            str(FILM),
            QUESTION,
            "--view",
            "PA",
            "--age",
            "60",
            "--no-cache",
        ),
    }
    for command in commands.values():
        command()
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seconds[name] += timed(command, 1)
    return seconds


def warm(runs: int) -> dict[str, list[float]]:
    """Asks of films not seen before by a warm agent, and the bare forward passes that each needs."""
    import numpy as np
    import torch

    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings
    from secondread.imaging.load import load

    grey = load(FILM).grey
    films = [np.clip(grey + np.float32(0.001 * (k + 1)), 0, 1) for k in range(runs + 2)]
    seconds: dict[str, list[float]] = {"warm ask": [], "bare forward passes": []}
    with Agent(settings=Settings(trace_dir=None, cache_dir=None)) as agent:
        first = agent.ask(films[0], QUESTION, view="PA", age=60)
        passes = forward_passes(agent)
        agent.ask(films[1], QUESTION, view="PA", age=60)
        for film in films[2:]:
            with torch.inference_mode():
                seconds["bare forward passes"] += timed(passes, 1)
            seconds["warm ask"] += timed(lambda film=film: agent.ask(film, QUESTION, view="PA", age=60), 1)
        print(f"evidence of the first ask: {[e.tool for e in first.evidence]}", file=sys.stderr)
        seconds.update(by_part(agent, films[0]))
    return seconds


def forward_passes(agent: object) -> Callable[[], object]:
    """The network calls of one ask, recorded by their inputs: the same batches through the same nets."""
    import torch

    from secondread.imaging.load import load

    calls: list[tuple[torch.nn.Module, tuple[torch.Tensor, ...], bool]] = []

    def remember(net: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        calls.append((net, args, torch.is_autocast_enabled("cpu")))

    hooks = []
    for name in ("chest_anatomy", "chest_film_guard"):
        if name not in agent.runtime.catalogue:  # type: ignore[attr-defined]  # an Agent
            continue
        nets = networks(agent.runtime.pool.get(agent.runtime.catalogue.get(name)))  # type: ignore[attr-defined]  # an Agent
        hooks += [net.register_forward_pre_hook(remember) for net in nets]
    film = load(FILM).grey * 0.98
    agent.ask(film, QUESTION, view="PA", age=60)  # type: ignore[attr-defined]  # an Agent
    for hook in hooks:
        hook.remove()
    print(f"forward calls of one ask: {len(calls)}", file=sys.stderr)

    def passes() -> None:
        for net, args, half in calls:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                net(*args)

    return passes


def networks(model: object) -> list:  # type: ignore[type-arg]  # modules of any kind
    """Every module inside a loaded model, be it one, a dict or a sequence."""
    import torch

    if isinstance(model, torch.nn.Module):
        return [model]
    if isinstance(model, dict):
        return [m for v in model.values() for m in networks(v)]
    if isinstance(model, list | tuple):
        return [m for v in model for m in networks(v)]
    return [m for v in vars(model).values() for m in networks(v)] if hasattr(model, "__dict__") else []


def by_part(agent: object, film: object) -> dict[str, list[float]]:
    """Seconds of each tool call of one ask, from its trace."""
    import tempfile

    from secondread.agent.agent import Agent
    from secondread.agent.config import Settings
    from secondread.agent.trace import of_type, read_trace

    with (
        tempfile.TemporaryDirectory() as folder,
        Agent(settings=Settings(trace_dir=Path(folder), cache_dir=None)) as other,
    ):
        other.ask(film, QUESTION, view="PA", age=60)
        answer = other.ask(film * 0.99, QUESTION, view="PA", age=60)  # type: ignore[operator]  # an array
        events = read_trace(Path(folder) / f"{answer.trace}.jsonl")
    return {f"tool {e['call']['tool']}": [e["seconds"]] for e in of_type(events, "result")}


def main() -> None:
    """Print medians and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    seconds = {**cold(args.runs), **warm(args.runs)}
    for name, values in seconds.items():
        print(f"{name:<34} median {statistics.median(values):7.3f} s  min {min(values):7.3f}  max {max(values):7.3f}")
    middle = {k: statistics.median(v) for k, v in seconds.items()}
    ratios = {
        "cold ask / import torch, langgraph.graph": middle["secondread ask"] / middle["import torch, langgraph.graph"],
        "warm ask / bare forward passes": middle["warm ask"] / middle["bare forward passes"],
        "--help / import langgraph.graph": middle["secondread --help"] / middle["import langgraph.graph"],
    }
    for name, ratio in ratios.items():
        print(f"{name:<46} {ratio:5.2f}x")
    if args.json:
        args.json.write_text(json.dumps({"seconds": seconds, "ratios": ratios}, indent=2) + "\n")


if __name__ == "__main__":
    main()
