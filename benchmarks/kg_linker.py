"""Time of one 200-word report and memory of the dictionary, by the number of names.

    python benchmarks/kg_linker.py [--names 1000000] [--full]

Names and texts are pseudo-words; three names a concept. Of a text's words three in ten are drawn from the words of
names, the others from words that no name holds; the count of mentions found is printed beside the time. Memory is that
of a fresh process before the dictionary is opened and after the texts are linked, mapped pages included. `--full` adds
nine million names.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from secondread.kg.text.candidates import Finder
from secondread.kg.text.dictionary import Dictionary
from secondread.kg.text.link import Linker

SYLLABLES = [c + v for c in "bcdfglmnprstv" for v in "aeiou"]
PAGE = resource.getpagesize()


def word(rng: np.random.Generator) -> str:
    """One pseudo-word of two to five syllables."""
    return "".join(rng.choice(SYLLABLES, rng.integers(2, 6)))


def resident() -> int:
    """Bytes that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def build(count: int, folder: str) -> None:
    """A dictionary of `count` names in `folder`."""
    rng = np.random.default_rng(0)
    vocabulary = [word(rng) for _ in range(60_000)]
    picks = rng.integers(0, len(vocabulary), (count, 4), np.int32)
    lengths = rng.integers(1, 5, count, np.int8)
    names = ((f"X:{n // 3}", " ".join(vocabulary[i] for i in picks[n, : lengths[n]])) for n in range(count))
    started = time.perf_counter()
    Dictionary.of(names, forms=("exact",)).save(Path(folder))
    print(f"{count:>9} names: build {time.perf_counter() - started:.1f} s", end=", ", flush=True)


def use(folder: str) -> None:
    """Link sixty texts with the dictionary in `folder`."""
    rng = np.random.default_rng(0)
    vocabulary = [word(rng) for _ in range(60_000)]
    others = [word(rng) + "x" for _ in range(60_000)]
    texts = [
        ". ".join(
            " ".join(str(w) for w in rng.permutation([*rng.choice(vocabulary, 3), *rng.choice(others, 7)])).capitalize()
            for _ in range(20)
        )
        + "."
        for _ in range(60)
    ]
    before = resident()
    linker = Linker(Finder(Dictionary.open(Path(folder))))
    linker.link(texts[0])
    times, found = [], 0
    for text in texts:
        started = time.perf_counter()
        found += len(linker.link(text))
        times.append(time.perf_counter() - started)
    held = resident() - before
    p50, p95 = np.quantile(times, [0.5, 0.95]) * 1000
    size = sum(p.stat().st_size for p in Path(folder).iterdir())
    print(
        f"{size / 1e6:.0f} MB on disk, {held / 1e6:.0f} MB held, "
        f"200-word report with {found / len(texts):.0f} mentions p50 {p50:.2f} ms, p95 {p95:.2f} ms",
        flush=True,
    )


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--full", action="store_true", help="nine million names too")
    args = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    for count in [*args.names, *([9_000_000] if args.full else [])]:
        with tempfile.TemporaryDirectory() as folder:
            for step, given in ((build, (count, folder)), (use, (folder,))):
                process = fresh.Process(target=step, args=given)
                process.start()
                process.join()


if __name__ == "__main__":
    main()
