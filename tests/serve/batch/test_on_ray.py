"""Engine `ray` on a cluster of several nodes in one machine: the same rows as `local`, also when workers are killed."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from batches import MEAN, job, rows_in, settled, studies

from secondread.serve.batch.run import Options, run_batch
from secondread.serve.batch.scan import Given

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
STORE = 100 * 2**20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    support = str(Path(__file__).parents[2] / "support")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{support}{os.pathsep}{before or ''}"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE})
    made.add_node(num_cpus=1, object_store_memory=STORE)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def on_ray(folder: Path, out: Path, *questions: Any, **more: Any) -> Any:
    options = Options(engine="ray", ray={"workers": 2, "cpus": 0.5, "in_flight": 2}, **more)
    return run_batch(Given((str(folder),)), job(*questions), out, options)


def test_rows_and_tables_are_those_of_the_local_engine(cluster: Any, tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 20)
    (folder / "broken.dcm").write_bytes(b"")
    tally = on_ray(folder, tmp_path / "ray")
    run_batch(Given((str(folder),)), job(), tmp_path / "local")
    assert tally.rows == 42
    assert settled(tmp_path / "ray") == settled(tmp_path / "local")
    for name in ("measurements.csv", "cohort.json"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def killer(stop: threading.Event, killed: list[int], out: Path, every: int) -> None:
    """Kill a worker each time that so many rows have come."""
    results = out / "results.jsonl"
    while not stop.is_set():
        rows = results.read_bytes().count(b"\n") if results.exists() else 0
        if rows >= every * (len(killed) + 1):
            workers = [
                p for p in psutil.process_iter(["cmdline"]) if "ray::_Worker" in " ".join(p.info["cmdline"] or ())
            ]
            if workers:
                workers[0].send_signal(signal.SIGKILL)
                killed.append(workers[0].pid)
        time.sleep(0.01)


def test_killed_workers_lose_and_double_nothing(cluster: Any, tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 60)
    stop, killed = threading.Event(), list[int]()
    thread = threading.Thread(target=killer, args=(stop, killed, tmp_path / "out", 15))
    thread.start()
    try:
        tally = on_ray(folder, tmp_path / "out", MEAN)
    finally:
        stop.set()
        thread.join()
    rows = rows_in(tmp_path / "out")
    assert len(killed) >= 2
    assert len(rows) == len({(r["key"], r["question_id"]) for r in rows}) == 60
    assert tally.answered == 60


def test_a_node_that_goes_away_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    folder = studies(tmp_path / "in", 40)
    node = cluster.add_node(num_cpus=1, resources={"spare": 1}, object_store_memory=STORE)
    out = tmp_path / "out"

    def remove() -> None:
        results = out / "results.jsonl"
        while not (results.exists() and results.read_bytes().count(b"\n") >= 5):
            time.sleep(0.01)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=remove)
    thread.start()
    options = Options(engine="ray", ray={"workers": 3, "cpus": 0.9, "in_flight": 2})
    tally = run_batch(Given((str(folder),)), job(MEAN), out, options)
    thread.join()
    assert tally.answered == len({r["key"] for r in rows_in(out)}) == 40
