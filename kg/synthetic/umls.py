"""A synthetic UMLS release: `python -m secondread.kg.synthetic.umls OUT --scale 0.001 --seed 1 [--weird]`.

Row totals and shares follow published counts of the real one; no string, code or pairing of it occurs. Concepts are
numbered from C6500001. With `--weird` rows of every bad class are added, and `truth.json` says how many of each.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.kg.builders.rrf_files import COLUMNS

CONCEPTS, RELATIONS, DEFINITIONS = 3_400_000, 45_500_000, 441_000
FIRST = 6_500_001
CHUNK = 1 << 20
_ONSETS = [*"bcdfglmnprstvz", "br", "cr", "dr", "gl", "pl", "pr", "st", "tr"]
_VOWELS = "aeiou"
_ENDINGS = ["itis", "osis", "oma", "emia", "pathy", "ectomy", "algia", "plasia", "gram", "scopy", "genic", "ine", "ol"]
LANGUAGES = ("ENG", "SPA", "FRE", "POR", "JPN", "DUT", "GER", "ITA", "CZE", "RUS")
_SHARES = (0.70, 0.10, 0.03, 0.03, 0.03, 0.03, 0.03, 0.02, 0.015, 0.015)
TYPES = tuple(f"Synthetic type {n}" for n in range(127))
TTYS = ("PT", "SY", "FN", "LLT", "ET", "AB", "OP", "IS")
_TTY_SHARES = (0.30, 0.25, 0.08, 0.06, 0.05, 0.02, 0.12, 0.12)
SOURCES = tuple(f"SYN{n}" for n in range(180))
_WORD_OF = {"JPN": "\u5fc3\u81d3 ", "RUS": "\u0441\u0435\u0440\u0434\u0446\u0435 "}


def vocabulary(rng: np.random.Generator, count: int = 20_000) -> list[str]:
    """Pseudo-words with medical-looking endings."""
    made: list[str] = []
    for _ in range(count):
        syllables = [rng.choice(_ONSETS) + rng.choice(list(_VOWELS)) for _ in range(int(rng.integers(1, 4)))]
        made.append("".join(syllables) + (str(rng.choice(_ENDINGS)) if rng.random() < 0.4 else ""))
    return made


def zipf(rng: np.random.Generator, count: int, size: int, exponent: float = 1.0) -> NDArray[np.int64]:
    """Numbers below `count`, the small ones more often."""
    weights = 1.0 / np.arange(1, count + 1) ** exponent
    edges = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(edges, rng.random(size)), count - 1)


class _Out:
    """Writes rows of columns as RRF through pyarrow."""

    def __init__(self, folder: Path, base: str) -> None:
        self.columns = COLUMNS[base]
        self.file = (folder / f"{base}.RRF").open("wb")
        self.rows = 0

    def write(self, count: int, **given: Any) -> None:
        """Rows; columns that are not given are empty."""
        import pyarrow
        from pyarrow import csv

        empty = pyarrow.array([""] * 1).take(pyarrow.array(np.zeros(count, np.int32)))
        table = {}
        for name in (*self.columns, "_end"):
            values = given.get(name, empty)
            if isinstance(values, str):
                values = pyarrow.array([values]).take(pyarrow.array(np.zeros(count, np.int32)))
            table[name] = values
        options = csv.WriteOptions(include_header=False, delimiter="|", quoting_style="none")
        csv.write_csv(pyarrow.table(table), self.file, options)
        self.rows += count

    def lines(self, lines: Sequence[bytes]) -> None:
        """Rows as bytes."""
        for line in lines:
            self.file.write(line + b"\n")
        self.rows += len(lines)

    def close(self, tail: bytes = b"") -> None:
        """Close, with an unfinished last line when one is given."""
        self.file.write(tail)
        self.file.close()


def _ids(prefix: str, numbers: NDArray[np.int64], width: int) -> Any:
    import pyarrow
    import pyarrow.compute as pc

    digits = pc.utf8_lpad(pyarrow.array(numbers).cast(pyarrow.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def generate(out: Path, *, scale: float, seed: int = 1, weird: bool = False) -> dict[str, Any]:
    """Write a release; returns the truth about it.

    Args:
        out: Folder.
        scale: 1 for the size of the full release.
        seed: Of everything drawn; equal arguments give equal files.
        weird: Add rows of every bad class.
    """
    import pyarrow
    import pyarrow.compute as pc

    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    words = pyarrow.array(vocabulary(rng))
    count = max(50, int(CONCEPTS * scale))
    truth: dict[str, Any] = {"scale": scale, "seed": seed, "concepts": count, "rejected": {}, "noted": {}}
    sources, types = pyarrow.array(SOURCES), pyarrow.array(TYPES)
    levels = rng.choice([0, 1, 2, 3, 4, 9], len(SOURCES), p=[0.65, 0.05, 0.05, 0.15, 0.05, 0.05])

    sab = _Out(out, "MRSAB")
    sab.write(1, VSAB="MTH2099AA", RSAB="MTH", SRL="0", LAT="ENG")
    sab.write(len(SOURCES), RSAB=sources, VSAB=sources, SRL=pyarrow.array(levels).cast(pyarrow.string()), LAT="ENG")
    sab.close()
    rank = _Out(out, "MRRANK")
    pairs = [(s, t) for s in SOURCES for t in TTYS]
    order = pyarrow.array([f"{len(pairs) - n:04}" for n in range(len(pairs))])
    sabs, ttys = (pyarrow.array(column) for column in zip(*pairs, strict=True))
    rank.write(len(pairs), RANK=order, SAB=sabs, TTY=ttys, SUPPRESS="N")
    rank.close()

    conso = _Out(out, "MRCONSO")
    atoms = np.clip(np.round(rng.lognormal(0.95, 1.05, count)), 1, 2500).astype(np.int64)
    start = atom = 0
    while start < count:
        stop = min(count, start + CHUNK // 6)
        rows = np.repeat(np.arange(start, stop), atoms[start:stop])
        first = np.concatenate(([True], rows[1:] != rows[:-1]))
        size = len(rows)
        language = rng.choice(len(LANGUAGES), size, p=np.array(_SHARES) / sum(_SHARES))
        language[first] = 0
        parts = [words.take(pyarrow.array(zipf(rng, len(words), size, 0.8))) for _ in range(4)]
        length = rng.choice([1, 2, 3, 4], size, p=[0.12, 0.35, 0.33, 0.20])
        text = parts[0]
        for n in range(1, 4):
            longer = pc.binary_join_element_wise(text, parts[n], " ")
            text = pc.if_else(pyarrow.array(length > n), longer, text)
        for name, word in _WORD_OF.items():
            foreign = pyarrow.array(language == LANGUAGES.index(name))
            text = pc.if_else(foreign, pc.binary_join_element_wise(word, text, ""), text)
        conso.write(
            size, CUI=_ids("C", FIRST + rows, 7), LAT=pyarrow.array(LANGUAGES).take(pyarrow.array(language)),
            TS=pc.if_else(pyarrow.array(first), "P", "S"), STT="PF", ISPREF=pc.if_else(pyarrow.array(first), "Y", "N"),
            AUI=_ids("A", np.arange(atom, atom + size, dtype=np.int64) + 1, 8),
            SAB=sources.take(pyarrow.array(zipf(rng, len(SOURCES), size))),
            TTY=pyarrow.array(TTYS).take(pyarrow.array(rng.choice(len(TTYS), size, p=_TTY_SHARES))),
            CODE="X", STR=text, SRL="0",
            SUPPRESS=pyarrow.array(list("NOYE")).take(pyarrow.array(rng.choice(4, size, p=[0.88, 0.08, 0.02, 0.02]))),
        )  # fmt: skip
        start, atom = stop, atom + size

    sty = _Out(out, "MRSTY")
    several = 1 + (rng.random(count) < 0.08).astype(np.int64)
    several[rng.random(count) < 0.0005] = 0
    for low in range(0, count, CHUNK):
        rows = np.repeat(np.arange(low, min(count, low + CHUNK)), several[low : low + CHUNK])
        kinds = zipf(rng, len(TYPES), len(rows))
        sty.write(len(rows), CUI=_ids("C", FIRST + rows, 7), STY=types.take(pyarrow.array(kinds)), TUI="T000")
    truth["concepts_without_type"] = int((several == 0).sum())
    definitions = _Out(out, "MRDEF")
    size = max(5, int(DEFINITIONS * scale))
    rows = rng.integers(0, count, size)
    definitions.write(
        size, CUI=_ids("C", FIRST + rows, 7), AUI="A00000001", SAB=sources.take(pyarrow.array(zipf(rng, 180, size))),
        DEF=pc.binary_join_element_wise(
            *(words.take(pyarrow.array(rng.integers(0, len(words), size))) for _ in range(12)), " "
        ),
        SUPPRESS="N",
    )  # fmt: skip
    definitions.close()

    rel = _Out(out, "MRREL")
    truth |= _relations(rel, rng, count, scale, sources)
    if weird:
        _weird(truth, conso, sty, rel, atom)
        (out / "MRCUI.RRF").write_bytes(b"C6499999|2098AA|DEL||||Y|\n")
        tail, rel_tail = b"C6500001|ENG|P|L1|PF|S1|Y|A99", b""
        truth["rejected"]["MRCONSO.RRF"]["truncated_line"] = 1
    else:
        tail = rel_tail = b""
    conso.close(tail)
    sty.close()
    rel.close(rel_tail)
    truth["rows"] = {
        "MRCONSO.RRF": conso.rows,
        "MRSTY.RRF": sty.rows,
        "MRREL.RRF": rel.rows,
        "MRDEF.RRF": definitions.rows,
    }
    (out / "truth.json").write_text(json.dumps(truth, indent=1))
    return truth


def _relations(rel: _Out, rng: np.random.Generator, count: int, scale: float, sources: Any) -> dict[str, Any]:
    """Rows of MRREL: a tree, siblings, other relations; each with its inverse row."""
    import pyarrow
    import pyarrow.compute as pc

    total = int(RELATIONS * scale) // 2
    tree = min(count - 1, total // 2)
    loops = 0
    kinds = (("RO", "part_of", "RO", "has_part"), ("SIB", "", "SIB", ""), ("RB", "", "RN", ""), ("SY", "", "SY", ""),
             ("RO", "related_to", "RO", "inverse_related_to"))  # fmt: skip
    done = 0
    while done < total:
        size = min(CHUNK, total - done)
        child = np.arange(done, done + size)
        is_tree = child < tree
        child = np.where(is_tree, child + 1, rng.integers(0, count, size))
        parent = np.where(is_tree, (child - 1) // 13, zipf(rng, count, size, 0.65) if count <= 1 << 22 else 0)
        kind = rng.choice(len(kinds), size, p=[0.35, 0.35, 0.12, 0.10, 0.08])
        loop = (~is_tree) & (rng.random(size) < 0.02)
        parent = np.where(loop, child, parent)
        loops += int((parent == child).sum())
        first, second = _ids("C", FIRST + child, 7), _ids("C", FIRST + parent, 7)
        table = [pyarrow.array([k[n] for k in kinds]).take(pyarrow.array(kind)) for n in range(4)]
        marks = pyarrow.array(is_tree)
        common = {
            "STYPE1": "AUI",
            "STYPE2": "AUI",
            "SAB": sources.take(pyarrow.array(zipf(rng, 180, size))),
            "SUPPRESS": "N",
        }
        # CUI1 is the child: "CUI2 is PAR of CUI1"
        rel.write(size, CUI1=first, CUI2=second, REL=pc.if_else(marks, "PAR", table[0]),
                  RELA=pc.if_else(marks, "", table[1]), **common)  # fmt: skip
        rel.write(size, CUI1=second, CUI2=first, REL=pc.if_else(marks, "CHD", table[2]),
                  RELA=pc.if_else(marks, "", table[3]), **common)  # fmt: skip
        done += size
    return {"self_loops": 2 * loops, "tree_edges": tree}


def _weird(truth: dict[str, Any], conso: _Out, sty: _Out, rel: _Out, atom: int) -> None:
    """One to three rows of every bad class at the end of each file, and what a reader must say of them."""

    def atom_row(cui: str = "C6500001", text: str = "zabritis", aui: int = 0, sab: str = "SYN0") -> bytes:
        return f"{cui}|ENG|S|L1|VO|S1|N|A{aui:08}|||| {sab}".replace(" ", "").encode() + (
            f"|SY|X|{text}|0|N||".encode()
        )

    new = atom + 1
    bad: dict[str, list[bytes]] = {
        "bad_cui": [atom_row(cui="C650001", aui=new), atom_row(cui="c6500001", aui=new + 1)],
        "empty_string": [atom_row(text="", aui=new + 2), atom_row(text="   ", aui=new + 3)],
        "duplicate_aui": [atom_row(aui=1)],
        "nul_byte": [atom_row(text="za\x00b", aui=new + 4)],
        "invalid_utf8": [atom_row(aui=new + 5).replace(b"zabritis", b"zab\xff\xfe")],
        "missing_column": [b"|".join(atom_row(aui=new + 6).split(b"|")[:-4]) + b"|"],
        "extra_column": [atom_row(aui=new + 7) + b"more|"],
        "empty_line": [b""],
    }
    noted: dict[str, list[bytes]] = {
        "tab_in_string": [atom_row(text="zab\tritis", aui=new + 8)],
        "line_separator_in_string": [atom_row(text="zab\u2028ritis", aui=new + 9)],
        "carriage_return": [atom_row(aui=new + 10) + b"\r"],
        "no_closing_bar": [atom_row(aui=new + 11)[:-1]],
    }
    plain = [atom_row(text='un"balanced', aui=new + 12), atom_row(text="back\\", aui=new + 13)]
    conso.lines([*(line for lines in (*bad.values(), *noted.values()) for line in lines), *plain])
    truth["rejected"]["MRCONSO.RRF"] = {k: len(v) for k, v in bad.items()}
    truth["noted"]["MRCONSO.RRF"] = {k: len(v) for k, v in noted.items()}
    sty.lines([b"C6400000|T000||Synthetic type 1|||", b"C65|T000||Synthetic type 1|||"])
    truth["rejected"]["MRSTY.RRF"] = {"dangling_cui": 1, "bad_cui": 1}

    def rel_row(first: str, second: str, kind: str = "PAR") -> bytes:
        return f"{first}||AUI|{kind}|{second}||AUI||||SYN0||||N||".encode()

    rel.lines(
        [
            rel_row("C6400001", "C6500001"), rel_row("C6500001", "C6400002"), rel_row("C6499999", "C6500001"),
            rel_row("C65", "C6500001"), rel_row("C6500010", "C6500011"), rel_row("C6500011", "C6500010"),
        ]
    )  # fmt: skip
    truth["rejected"]["MRREL.RRF"] = {"dangling_cui": 2, "retired_cui": 1, "bad_cui": 1}
    truth["hierarchy_cycles_added"] = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Write a release and print its truth."""
    parser = argparse.ArgumentParser(prog="python -m secondread.kg.synthetic.umls", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weird", action="store_true", help="add rows of every bad class")
    args = parser.parse_args(argv)
    started = time.perf_counter()
    truth = generate(args.out, scale=args.scale, seed=args.seed, weird=args.weird)
    sys.stdout.write(f"{json.dumps(truth['rows'])} in {time.perf_counter() - started:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
