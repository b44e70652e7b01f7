"""A run that is killed goes on where it stood: nothing that was completed is done again, nothing is lost or doubled."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from secondread.agent.agent import Agent
from secondread.agent.replay import replay
from secondread.evals.phantom import Film
from secondread.schema.errors import ReplayError, UsageError

SCRIPT = Path(__file__).with_name("slow_tools.py")
Films = Callable[..., Film]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "JaneDoe.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64)).astype(np.uint8)).save(path)
    return path


def start(what: str, folder: Path, picture: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "CALLS": str(folder / "calls.txt"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), what, str(folder / "traces"), str(picture)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


def calls(folder: Path) -> Counter[str]:
    path = folder / "calls.txt"
    return Counter(path.read_text().split("\n")[:-1]) if path.exists() else Counter()


def events(folder: Path) -> list[dict[str, Any]]:
    [path] = (folder / "traces").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def facts(answer: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in answer.items() if k not in ("trace", "budget")}
    return kept | {"used": {k: answer["budget"][k] for k in ("steps", "calls", "tokens")}}


def undisturbed(folder: Path, picture: Path) -> dict[str, Any]:
    out, err = start("ask", folder, picture).communicate(timeout=120)
    assert out, err
    return facts(json.loads(out))


def recorded_calls(folder: Path) -> Counter[str]:
    """Calls whose result stands in the trace, as the tools write them down; a torn last line does not count."""
    found: Counter[str] = Counter()
    for path in (folder / "traces").glob("*.jsonl"):
        for line in path.read_text().split("\n")[:-1]:
            event = json.loads(line)
            if event["type"] == "result":
                found[f"{event['call']['tool']} {event['call']['args'].get('number', 0)}"] += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 8])
def test_killed_at_any_moment_a_run_is_finished_as_if_nothing_had_happened(
    tmp_path: Path, picture: Path, seed: int
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = undisturbed(whole, picture)
    assert len(expected["evidence"]) == 11  # a mask, then a measure and a note in each of five steps
    total = sum(calls(whole).values())
    chance = random.Random(seed)
    first = [1, 3, total // 2, total - 1] if seed == 7 else []
    for number, mark in enumerate([*first, *(chance.randrange(1, total) for _ in range(3))]):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        at_once = chance.random() < 0.5
        child = start("ask", folder, picture)
        kills, settled = 0, []
        while True:
            deadline = time.monotonic() + 120
            while sum(calls(folder).values()) < min(mark + kills * 5, total) and child.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            if child.poll() is not None or kills == 2:
                break
            if not at_once:
                time.sleep(chance.random() * 0.02)
            child.send_signal(signal.SIGKILL)
            child.communicate()
            kills += 1
            # What the trace holds now had been completed and recorded: it must never run again.
            settled.append((recorded_calls(folder), calls(folder)))
            child = start(events(folder)[0]["run"], folder, picture)
        out, err = child.communicate(timeout=120)
        assert out, err
        assert kills
        assert facts(json.loads(out)) == expected, f"killed after {mark} calls"
        made = calls(folder)
        for done, then in settled:
            assert set(done.values()) <= {1}
            assert {c: made[c] for c in done} == {c: then[c] for c in done}, "a recorded call was repeated"
        # Each result is recorded once, none is lost, and each call that was recorded had really been made.
        results = recorded_calls(folder)
        assert results == recorded_calls(whole)
        assert set(results) <= set(made)
        keys = Counter(e["call"]["key"] for e in events(folder) if e["type"] == "result")
        assert set(keys.values()) == {1}
        assert len(keys) == len(expected["evidence"])
        ids = [e["evidence"]["id"] for e in events(folder) if e["type"] == "result"]
        assert sorted(ids, key=lambda i: int(i[1:])) == [f"E{n}" for n in range(1, len(ids) + 1)]
        moves = Counter(e["step"] for e in events(folder) if e["type"] == "moves")
        assert set(moves.values()) == {1}
        # A call whose process died before its result was written had not been completed: it alone may run again.
        assert all(n <= 1 + kills for n in made.values())
        assert sum(n - 1 for n in made.values()) <= 3 * kills, made


def test_a_result_that_is_recorded_is_not_computed_again(
    tmp_path: Path, make_agent: Callable[..., Agent], film: Films, traces: Path
) -> None:
    path = tmp_path / "film.png"
    Image.fromarray((film(3, 0.62).grey * 255).astype(np.uint8)).save(path)
    agent = make_agent()

    def stop_at(tool: str) -> str:
        stream = agent.stream(str(path), "Is the heart enlarged?", view="PA", age=60)
        for event in stream:
            if event.get("node") == "act" and event.get("message") == tool:
                stream.close()
                break
        time.sleep(0.3)
        return agent.unfinished()[-1]

    run = stop_at("crop")
    before = [json.loads(line) for line in (traces / f"{run}.jsonl").read_text().splitlines()]
    assert not any(e["type"] == "answer" for e in before)
    executed = agent.runtime.executed
    answer = agent.resume(run)
    assert answer.verdict == "yes"
    assert agent.runtime.executed - executed <= 3  # the crop, and what is measured on it
    after = [json.loads(line) for line in (traces / f"{run}.jsonl").read_text().splitlines()]
    assert after[: len(before)] == before
    keys = Counter(e["call"]["key"] for e in after if e["type"] == "result")
    assert set(keys.values()) == {1}
    assert replay(traces / f"{run}.jsonl").same
    assert run not in agent.unfinished()
    assert agent.resume(run).text == answer.text  # ended: the recorded answer
    other = tmp_path / "other.png"
    Image.fromarray((film(4, 0.40).grey * 255).astype(np.uint8)).save(other)
    run = stop_at("chest_anatomy")
    with pytest.raises(ReplayError, match="other images"):
        agent.resume(run, str(other))


def test_what_cannot_be_resumed_says_so(make_agent: Callable[..., Agent], tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="no run"):
        make_agent().resume("0" * 16)
    with pytest.raises(ReplayError, match="no run id"):
        make_agent().resume("../../etc/passwd")
    with pytest.raises(UsageError, match="not kept"):
        make_agent(checkpoints=False).resume("0" * 16)


def test_nothing_of_a_finished_run_stays_in_the_checkpoints(agent: Agent, film: Films) -> None:
    answer = agent.ask(film(3, 0.62).grey, "Is the heart enlarged?", view="PA", age=60)
    kept = agent.checkpoints()
    assert kept is not None
    for table, column in (("checkpoints", "thread_id"), ("writes", "thread_id"), ("blobs", "run")):
        assert kept.conn.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", (answer.trace,)).fetchone() == (0,)
    assert kept.file.stat().st_mode & 0o077 == 0
