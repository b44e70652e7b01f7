"""A batch is killed, stopped, starved of disk and fed with damage: nothing is lost, doubled or written to its input."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from batches import BLUR, MEAN, job, rows_in, settled, studies, study

from secondread.serve.batch import recorder as recording
from secondread.serve.batch.run import MOST_CRASHES, Options, run_batch
from secondread.serve.batch.scan import Given
from secondread.serve.batch.state import OutputFailed
from tests.serve.conftest import draw

ROOT = Path(__file__).parents[3]
RUNNER = """
import os, pathlib, sys
from batches import job, small_agent
from secondread.kg.graph import core_graph
from secondread.serve.batch import local, study_page
from secondread.serve.batch.run import Options, run_batch
from secondread.serve.batch.scan import Given
core_graph(), job()
for line in sys.stdin:
    child = os.fork()
    if not child:
        out = pathlib.Path(sys.argv[2])
        tally = run_batch(Given((sys.argv[1],)), job(), out, Options(resume=True, in_flight=4))
        out.with_name("tally.json").write_text(tally.model_dump_json())
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Starts a batch in a child for each line it is told, without importing everything anew; tells its process and end."""


def take(folder: Path, out: Path, *questions: Any, options: Options | None = None, **more: Any) -> Any:
    return run_batch(Given((str(folder),)), job(*questions, **more), out, options)


def until_it_writes(out: Path) -> None:
    """Wait until a batch records rows, or for some seconds."""
    results = out / "results.jsonl"
    size = results.stat().st_size if results.exists() else 0
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not (results.exists() and results.stat().st_size > size):
        time.sleep(0.002)


def kills(folder: Path, out: Path, times: int, seed: int, *, spread: float) -> dict[str, Any]:
    """Kill a batch so many times at random moments, then let it finish; its tally."""
    chance = random.Random(seed)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "support"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(folder), str(out)],
        env=env, cwd=out.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for run in range(times + 1):
            process.stdin.write("go\n")
            child = int(process.stdout.readline())
            if run < times:
                if chance.random() < 0.7:
                    until_it_writes(out)
                time.sleep(chance.uniform(0, spread))
                os.kill(child, signal.SIGKILL)
            status = int(process.stdout.readline())
        process.stdin.close()
    assert status == 0
    tally: dict[str, Any] = json.loads(out.with_name("tally.json").read_text())
    return tally


def check_whole(folder: Path, out: Path, tmp_path: Path, count: int, tally: dict[str, Any]) -> None:
    rows = rows_in(out)
    assert len(rows) == len({(r["key"], r["question_id"]) for r in rows}) == 2 * count == tally["rows"]
    assert tally["failed"] == 0
    take(folder, tmp_path / "undisturbed")
    assert settled(out) == settled(tmp_path / "undisturbed")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 400)
    tally = kills(folder, tmp_path / "out", 50, seed=1, spread=0.25)
    check_whole(folder, tmp_path / "out", tmp_path, 400, tally)


def test_a_case_that_ends_its_run_is_filed_and_the_others_are_answered(tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 6)
    take(folder, tmp_path / "out", MEAN, options=Options(limit=2))
    with recording.Recorder(tmp_path / "out", ("mean",)) as recorder:
        for n in [3, 4] + [4] * (MOST_CRASHES - 1):
            recorder.state.crash(n)
    tally = take(folder, tmp_path / "out", MEAN, options=Options(resume=True))
    assert (tally.answered, tally.internal) == (5, 1)
    [lost] = [r for r in rows_in(tmp_path / "out") if "error" in r]
    assert (lost["key"], lost["error"]["code"]) == ("case-000004", "crashed")
    assert [r["key"] for r in rows_in(tmp_path / "out")].index("case-000003") == 4  # a suspect comes last
    again = take(folder, tmp_path / "out", MEAN, options=Options(resume=True, retry_failed=True))
    assert (again.answered, again.failed) == (6, 0)


@pytest.mark.parametrize("row", [1, 3])
def test_a_full_disk_is_one_error_and_nothing_recorded_is_lost(
    row: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = studies(tmp_path / "in", 5)
    write, count = os.write, [0]

    def full(file: int, data: Any) -> int:
        if os.readlink(f"/proc/self/fd/{file}").endswith("results.jsonl"):
            count[0] += 1
            if count[0] == row:
                write(file, data[:40])
            if count[0] >= row:
                raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputFailed, match="the disk is full"):
        take(folder, tmp_path / "out", options=Options(in_flight=1))
    monkeypatch.setattr(os, "write", write)
    assert len(rows_in(tmp_path / "out")) == 2 * (row - 1)
    tally = take(folder, tmp_path / "out", options=Options(resume=True))
    assert (tally.rows, tally.answered) == (10, 10)


def test_damage_in_the_middle_stays_with_its_case_and_the_input_is_not_written(tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 6)
    (folder / "s0002" / "film.dcm").write_bytes((folder / "s0002" / "film.dcm").read_bytes()[:900])
    (folder / "s0003" / "film.dcm").write_bytes(b"")
    (folder / "s0003" / "more.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    study(folder / "s0004" / "copy.dcm", "1.2.3.4", patient="P4", level=228)
    for k in range(300):
        (folder / f"note{k}.txt").write_text("no image")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    tally = take(folder, folder / ".." / "out", MEAN, overlays=True)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")} == before
    assert (tally.answered, tally.failed, tally.internal) == (4, 3, 0)
    text = (tmp_path / "out" / "results.jsonl").read_text()
    assert "s0002" not in text
    assert "more.png" not in text


def test_an_output_folder_inside_the_input_is_not_read(tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 2)
    take(folder, folder / "out", MEAN, overlays=True, dicom=True)
    tally = run_batch(
        Given((str(folder),), leave_out=folder / "out"), job(MEAN, overlays=True, dicom=True), folder / "out",
        Options(resume=True),
    )  # fmt: skip
    assert (tally.rows, tally.new) == (2, 0)


def test_a_question_that_takes_too_long_fails_alone(tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 2)
    tally = take(folder, tmp_path / "out", MEAN, BLUR, timeout=1e-4, retries=0)
    assert tally.failed == 4
    assert {r["error"]["code"] for r in rows_in(tmp_path / "out")} == {"tool_timeout"}


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "one.png", 0.5)
    folder = studies(tmp_path / "in", 20)
    tally = kills(folder, tmp_path / "out", 5, seed=2, spread=0.2)
    check_whole(folder, tmp_path / "out", tmp_path, 21, tally)
