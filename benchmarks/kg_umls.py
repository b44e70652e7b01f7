"""Import of a synthetic UMLS release: speed beside a bare parse, memory, size, and answers of the store.

    python benchmarks/kg_umls.py [--scale 0.05] [--keep FOLDER]

Scale 1 has the size of a full release (MRREL 45.5 M rows, MRCONSO 16.8 M) and needs about 12 GB of disk. The bare
parse is pyarrow reading the columns that are used of the same files, block by block, and doing nothing with them. Both
run in a process of their own; peak memory is that process's.
"""

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import time
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np

FILES = {
    "MRCONSO": "CUI AUI STR LAT TS STT ISPREF SAB TTY SRL SUPPRESS",
    "MRSTY": "CUI STY",
    "MRDEF": "CUI SAB DEF",
    "MRREL": "CUI1 CUI2 REL RELA SAB SUPPRESS",
}


def bare(folder: Path, answer: "Queue[Any]") -> None:
    """Seconds and rows of a bare parse."""
    import pyarrow
    from pyarrow import csv

    from secondread.kg.builders.rrf_files import COLUMNS

    total, started = 0, time.perf_counter()
    for base, wanted in FILES.items():
        read = csv.ReadOptions(column_names=[*COLUMNS[base], "_end"], block_size=1 << 24)
        parse = csv.ParseOptions(
            delimiter="|", quote_char=False, escape_char=False, invalid_row_handler=lambda _row: "skip"
        )
        names = wanted.split()
        convert = csv.ConvertOptions(
            include_columns=names, column_types=dict.fromkeys(names, pyarrow.string()), check_utf8=False
        )
        for batch in csv.open_csv(folder / f"{base}.RRF", read, parse, convert):
            total += batch.num_rows
    answer.put((time.perf_counter() - started, total))


def build(folder: Path, out: Path, answer: "Queue[Any]") -> None:
    """Seconds, rows, peak bytes and report of an import."""
    from secondread.kg.builders.rrf import build as run

    started = time.perf_counter()
    _, report = run(folder, out)
    taken = time.perf_counter() - started
    rows = sum(held.rows for held in report.files.values())
    answer.put((taken, rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, report.as_json()))


def ask(out: Path, answer: "Queue[Any]") -> None:
    """Times of opening and of questions, in seconds."""
    import secondread.kg.store.csr as csr

    started = time.perf_counter()
    store = csr.CsrStore(out)
    opened = time.perf_counter() - started
    rng = np.random.default_rng(0)
    ids = [store.id_of(int(row)) for row in rng.integers(0, store.count, 2000)]
    rows = [store.row(node) for node in ids]
    taken: dict[str, list[float]] = {"1 hop": [], "1 hop as records": [], "2 hops": [], "paths": [], "lookup": []}
    for row in rows:
        started = time.perf_counter()
        store.out_edges(row), store.in_edges(row)
        taken["1 hop"].append(time.perf_counter() - started)
    for node in ids[:500]:
        started = time.perf_counter()
        store.neighbors(node, direction="both", limit=20)
        taken["1 hop as records"].append(time.perf_counter() - started)
    for row in rows[:500]:
        started = time.perf_counter()
        store.surroundings([row], 2, 2000, started + 2)
        taken["2 hops"].append(time.perf_counter() - started)
    from secondread.kg.store.search import chains

    for first, second in zip(rows[:300], rows[300:600], strict=True):
        started = time.perf_counter()
        chains(store, first, second, 4, 5, None, started + 2)
        taken["paths"].append(time.perf_counter() - started)
    for node in ids[:300]:
        name = store.node(node).name
        started = time.perf_counter()
        store.lookup_rows(name)
        taken["lookup"].append(time.perf_counter() - started)
    answer.put((opened, {name: tuple(np.quantile(v, [0.5, 0.95])) for name, v in taken.items()}))


def fresh(step: Any, *given: Any) -> Any:
    """What a step answers from a new process."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=step, args=(*given, answer))
    process.start()
    while process.is_alive() and answer.empty():
        process.join(0.05)
    if answer.empty():
        raise SystemExit("The step ended without an answer.")
    made = answer.get()
    process.join()
    return made


def main() -> None:
    """Generate, import, ask, print."""
    from secondread.kg.synthetic.umls import generate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--keep", type=Path, help="folder for release and store, kept")
    args = parser.parse_args()
    folder = args.keep or Path(tempfile.mkdtemp(prefix="umls-"))
    try:
        started = time.perf_counter()
        truth = generate(folder / "release", scale=args.scale, weird=True)
        print(f"generated {truth['rows']} in {time.perf_counter() - started:.0f} s", flush=True)
        seconds, parsed = fresh(bare, folder / "release")
        print(f"bare parse: {parsed} rows in {seconds:.1f} s, {parsed / seconds / 1e6:.2f} M rows/s", flush=True)
        taken, rows, peak, report = fresh(build, folder / "release", folder / "graph")
        size = sum(p.stat().st_size for p in (folder / "graph").iterdir())
        print(
            f"import: {rows} rows in {taken:.1f} s, {rows / taken / 1e6:.2f} M rows/s, ratio {taken / seconds:.2f} "
            f"(aim 6); peak {peak / 1e9:.2f} GB (aim 4); store {size / 1e9:.2f} GB (aim 3)"
        )
        for part in ("rejected", "noted"):
            told = {name: held[part] for name, held in report.items() if held[part]}
            print(f"{part}: {'as generated' if told == truth[part] else f'{told} in place of {truth[part]}'}")
        opened, times = fresh(ask, folder / "graph")
        print(f"open {opened * 1000:.0f} ms (aim 300)")
        aims = {"1 hop": "0.05", "2 hops": "5", "paths": "20"}
        for name, (p50, p95) in times.items():
            aim = f" (aim {aims[name]})" if name in aims else ""
            print(f"{name}: p50 {p50 * 1000:.3f} ms, p95 {p95 * 1000:.3f} ms{aim}")
    finally:
        if args.keep is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
