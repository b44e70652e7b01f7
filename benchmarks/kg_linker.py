"""Time of one 200-word report and memory of the dictionary, by the number of names.

    python benchmarks/kg_linker.py [--names 1000000] [--full]

Names are pseudo-words, so that a text meets them seldom; `--full` adds nine million.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from secondread.kg.text.candidates import Finder
from secondread.kg.text.dictionary import Dictionary
from secondread.kg.text.link import Linker

SYLLABLES = [c + v for c in "bcdfglmnprstv" for v in "aeiou"]


def word(rng: np.random.Generator) -> str:
    """One pseudo-word of two to five syllables."""
    return "".join(rng.choice(SYLLABLES, rng.integers(2, 6)))


def measure(count: int) -> None:
    """One size."""
    rng = np.random.default_rng(0)
    vocabulary = [word(rng) for _ in range(60_000)]
    picks = rng.integers(0, len(vocabulary), (count, 4))
    lengths = rng.integers(1, 5, count)
    names = ((f"X:{n}", " ".join(vocabulary[i] for i in picks[n, : lengths[n]])) for n in range(count))
    started = time.perf_counter()
    made = Dictionary.of(names, forms=("exact",))
    built = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder))
        size = sum(p.stat().st_size for p in Path(folder).glob("*.npy"))
        linker = Linker(Finder(Dictionary.open(Path(folder))))
        texts = [
            ". ".join(" ".join(rng.choice(vocabulary, 10)).capitalize() for _ in range(20)) + "." for _ in range(60)
        ]
        linker.link(texts[0])
        times = []
        for text in texts:
            started = time.perf_counter()
            linker.link(text)
            times.append(time.perf_counter() - started)
    p50, p95 = np.quantile(times, [0.5, 0.95]) * 1000
    print(
        f"{count:>9} names: build {built:.1f} s, {size / 1e6:.0f} MB ({size / len(made):.0f} B a name), "
        f"200-word report p50 {p50:.2f} ms, p95 {p95:.2f} ms",
        flush=True,
    )


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--full", action="store_true", help="nine million names too")
    args = parser.parse_args()
    for count in [*args.names, *([9_000_000] if args.full else [])]:
        measure(count)


if __name__ == "__main__":
    main()
