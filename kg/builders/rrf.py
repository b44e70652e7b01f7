"""Build a graph store from a UMLS release (RRF).

MRREL reads "CUI2 has REL/RELA to CUI1" (UMLS Reference Manual 3.3.9), so CUI2 is the subject. The release states every
relation in both directions; one is stored, the other is answered from it. The preferred name of a concept is its best
atom by language, suppression, TS, STT, ISPREF and the rank of its source and term type (MRRANK).
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.kg.builders.report import BuildReport
from secondread.kg.builders.rrf_files import Release
from secondread.kg.builders.rrf_rows import numbers_of, rows
from secondread.kg.builders.staged import REPORT, Progress
from secondread.kg.store.records import SUPPRESSED
from secondread.kg.store.writer import StoreWriter

NAMESPACE, KIND = "UMLS", "concept"
LICENCE = "UMLS Metathesaurus licence; content of the sources under their own terms (restriction level per atom)"
LANGUAGE = "ENG"
"""Language of preferred names."""
_STEPS = ("MRCONSO", "MRSTY", "MRDEF", "MRREL")
_INVERSE = {"CHD": "PAR", "RN": "RB", "AQ": "QB", "SIB": "SIB", "SY": "SY", "RO": "RO", "RL": "RL", "RQ": "RQ"}
"""REL that is stored -> REL of the same pair the other way round (UMLS Reference Manual, appendix B.4)."""


def build(
    folder: Path, out: Path, *, strict: bool = False, version: str = "", progress: Progress | None = None
) -> tuple[dict[str, Any], BuildReport]:
    """Build a store; an interrupted build of the same release goes on after the last whole file.

    Args:
        folder: The release.
        out: Where the store will lie.
        strict: End at the first row that would be left out.
        version: Release name, e.g. `2026AA`.
        progress: Told how far the build is.

    Returns:
        Stats of the store, and what was read and left out, which also lies in the store as `report.json`.

    Raises:
        InputError: The release cannot be used, or strict and a row is wrong.
        StoreError: The place cannot be written, or another build is writing it.
    """
    release = Release(folder)
    writer = StoreWriter.open(
        out, source="UMLS", version=version, licence=LICENCE, restricted=True, inputs=release.fingerprint()
    )
    report = BuildReport(strict=strict)
    try:
        report.restore(writer.partial / REPORT)
        job = _Job(release, writer, report, progress or (lambda _step, _share: None))
        for step in _STEPS:
            if release.has(step) and not writer.done(step):
                getattr(job, step.lower())()
                report.save(writer.partial / REPORT)
                writer.mark(step)
        job.told("sorting", 0.0)
        stats = writer.finish()
        report.save(out / REPORT)
        return stats, report
    finally:
        writer.release()


class _Job:
    """One build."""

    def __init__(self, release: Release, writer: StoreWriter, report: BuildReport, told: Progress) -> None:
        self.release, self.writer, self.report, self.told = release, writer, report, told
        for row in release.small("MRSAB"):
            level = int(row["SRL"]) if row["SRL"].isdigit() else 0
            writer.source(row["RSAB"], srl=level)
        self.ranks = {
            (row["SAB"], row["TTY"]): int(row["RANK"])
            for row in release.small("MRRANK")
            if row["RANK"].isdigit() and row["SUPPRESS"] != "Y"
        }
        self.retired = np.sort(
            np.array([int(r["CUI1"][1:]) for r in release.small("MRCUI") if r["CUI1"][1:].isdigit()], np.int64)
        )

    def _read(self, base: str, wanted: str, coded: str) -> Any:
        size, done = max(1, self.release.size(base)), 0
        self.told(base, 0.0)
        for part in rows(self.release, base, wanted.split(), self.report, coded=coded.split()):
            yield part
            done += part.table.nbytes
            self.told(base, min(0.99, done / size))

    def mrconso(self) -> None:
        """Atoms: names of concepts."""
        import pyarrow.compute as pc

        file, writer = "MRCONSO.RRF", self.writer
        atoms = _Seen()
        best: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []
        coded = "LAT TS STT ISPREF SAB TTY SRL SUPPRESS"
        begin = writer.name_count
        for table, lines in self._read("MRCONSO", f"CUI AUI STR {coded}", coded):
            cuis = numbers_of(table["CUI"], b"C", 7)
            texts = table["STR"]
            blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0).to_numpy(zero_copy_only=False)
            again = atoms.again(table["AUI"])
            self.report.reject(file, "bad_cui", lines[cuis < 0])
            self.report.reject(file, "empty_string", lines[blank & (cuis >= 0)])
            self.report.reject(file, "duplicate_aui", lines[again & ~blank & (cuis >= 0)])
            kept = (cuis >= 0) & ~blank & ~again
            if not kept.all():
                table, cuis = table.filter(kept), cuis[kept]
            nodes = writer.numbers(NAMESPACE, cuis, kind=KIND)
            columns = {name: _codes(table[name]) for name in coded.split()}
            sources = _mapped(columns["SAB"], writer.source)
            writer.names(
                nodes, table["STR"], languages=_mapped(columns["LAT"], writer.language), sources=sources,
                ttys=_mapped(columns["TTY"], writer.tty),
                srls=_mapped(columns["SRL"], lambda text: int(text) if text.isdigit() and int(text) < 256 else 0),
            )  # fmt: skip
            best.append((nodes, self._merits(columns)))
        if best:
            nodes, merits = (np.concatenate(parts) for parts in zip(*best, strict=True))
            order = np.lexsort((-np.arange(len(nodes)), merits, nodes))
            last = np.append(nodes[order][1:] != nodes[order][:-1], True)
            writer.prefer(begin + order[last])

    def _merits(self, columns: "dict[str, tuple[list[str], NDArray[np.int64]]]") -> NDArray[np.int64]:
        """How fit each atom is to name its concept, the higher the better."""
        total = np.zeros(len(columns["LAT"][1]), np.int64)
        for name, value in (("LAT", LANGUAGE), ("SUPPRESS", "N"), ("TS", "P"), ("STT", "PF"), ("ISPREF", "Y")):
            total = 2 * total + _mapped(columns[name], partial(_equal, value))
        (sabs, sab), (ttys, tty) = columns["SAB"], columns["TTY"]
        ranks = np.array([[self.ranks.get((s, t), 0) for t in ttys] for s in sabs], np.int64)
        return total * 100_000 + (ranks[sab, tty] if ranks.size else 0)

    def mrsty(self) -> None:
        """Semantic types."""
        for table, lines in self._read("MRSTY", "CUI STY", "STY"):
            nodes, kept = self._nodes("MRSTY.RRF", numbers_of(table["CUI"], b"C", 7), lines)
            if len(nodes):
                codes = _mapped(_codes(table.filter(kept)["STY"]), lambda text: self.writer.type_code(text))
                self.writer.types(nodes, codes)

    def mrdef(self) -> None:
        """Definitions."""
        for table, lines in self._read("MRDEF", "CUI SAB DEF", "SAB"):
            nodes, kept = self._nodes("MRDEF.RRF", numbers_of(table["CUI"], b"C", 7), lines)
            if len(nodes):
                fit = table.filter(kept)
                sources = _mapped(_codes(fit["SAB"]), self.writer.source)
                levels = {code: srl for code, srl, _ in self.writer.sources.values()}
                self.writer.definitions(nodes, fit["DEF"], sources, [levels[s] for s in sources.tolist()])

    def _nodes(
        self, file: str, cuis: NDArray[np.int64], lines: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Rows of known concepts, and which rows of the file name them; the others are reported."""
        self.report.reject(file, "bad_cui", lines[cuis < 0])
        nodes = self.writer.find(NAMESPACE, cuis)
        unknown = (nodes < 0) & (cuis >= 0)
        retired = unknown & np.isin(cuis, self.retired)
        self.report.reject(file, "retired_cui", lines[retired])
        self.report.reject(file, "dangling_cui", lines[unknown & ~retired])
        return nodes[nodes >= 0], nodes >= 0

    def mrrel(self) -> None:
        """Relations between concepts."""
        writer = self.writer
        self._inverses()
        coded = "REL RELA SAB SUPPRESS"
        for table, lines in self._read("MRREL", f"CUI1 CUI2 {coded}", coded):
            ends = [numbers_of(table[name], b"C", 7) for name in ("CUI2", "CUI1")]
            subjects, objects, kept = self._ends(ends[0], ends[1], lines)
            relations = self._relations(table)
            sources = _mapped(_codes(table["SAB"]), writer.source)
            flags = _mapped(_codes(table["SUPPRESS"]), lambda text: 0 if text == "N" else SUPPRESSED)
            writer.edges(
                subjects[kept], objects[kept], relations[kept].astype(np.uint16), sources[kept].astype(np.uint16),
                flags=flags[kept].astype(np.uint8),
            )  # fmt: skip

    def _ends(
        self, subject: NDArray[np.int64], obj: NDArray[np.int64], lines: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
        file = "MRREL.RRF"
        rows_ = [self.writer.find(NAMESPACE, numbers) for numbers in (subject, obj)]
        kept = (rows_[0] >= 0) & (rows_[1] >= 0)
        if not kept.all():
            bad = (subject < 0) | (obj < 0)
            gone = [(r < 0) & np.isin(n, self.retired) for r, n in zip(rows_, (subject, obj), strict=True)]
            retired = ~kept & ~bad & (gone[0] | gone[1])
            self.report.reject(file, "bad_cui", lines[bad])
            self.report.reject(file, "retired_cui", lines[retired])
            self.report.reject(file, "dangling_cui", lines[~kept & ~bad & ~retired])
        return rows_[0], rows_[1], kept

    def _relations(self, table: Any) -> NDArray[np.int64]:
        """Codes of `REL` or `REL|RELA`."""
        (rels, rel), (relas, rela) = _codes(table["REL"]), _codes(table["RELA"])
        both = rel * max(1, len(relas)) + rela
        met = np.bincount(both, minlength=max(1, len(rels) * len(relas)))
        codes = np.zeros(len(met), np.int64)
        for pair in np.flatnonzero(met).tolist():
            first, second = rels[pair // len(relas)], relas[pair % len(relas)]
            codes[pair] = self.writer.relation(f"{first}|{second}" if second else first)
        found: NDArray[np.int64] = codes[both]
        return found

    def _inverses(self) -> None:
        """Declare which relations say the same the other way round."""
        pairs = {
            (row["VALUE"], row["EXPL"])
            for row in self.release.small("MRDOC")
            if row["DOCKEY"] == "RELA" and row["TYPE"] == "rela_inverse" and row["VALUE"] and row["EXPL"]
        } or _USUAL
        for kept, folded in _INVERSE.items():
            self.writer.inverse(kept, folded)
        for first, second in sorted({(min(p, key=_plainest), max(p, key=_plainest)) for p in pairs}):
            for kept, folded in _INVERSE.items():
                self.writer.inverse(f"{kept}|{first}", f"{folded}|{second}")
                if first != second and kept != folded:
                    self.writer.inverse(f"{kept}|{second}", f"{folded}|{first}")


_USUAL = {
    ("isa", "inverse_isa"), ("part_of", "has_part"), ("related_to", "inverse_related_to"),
    ("mapped_to", "mapped_from"), ("finding_site_of", "has_finding_site"), ("member_of", "has_member"),
}  # fmt: skip
"""Inverse pairs of RELA where the release brings no MRDOC."""


def _plainest(name: str) -> tuple[bool, bool, str]:
    """Which of two inverse names is stored: `isa` before `inverse_isa`, `part_of` before `has_part`."""
    return name.startswith("inverse_"), name.startswith("has_"), name


def _equal(value: str, text: str) -> int:
    return int(text == value)


def _codes(column: Any) -> tuple[list[str], NDArray[np.int64]]:
    """Texts of a dictionary column, and which of them each row has."""
    whole = column.unify_dictionaries().combine_chunks()
    if not len(whole):
        return [], np.zeros(0, np.int64)
    return whole.dictionary.to_pylist(), whole.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _mapped(coded: tuple[list[str], NDArray[np.int64]], code: Callable[[str], int]) -> NDArray[np.int64]:
    """Codes of a column; `code` is asked once per text that occurs."""
    texts, indices = coded
    met = np.zeros(len(texts), bool)
    met[indices] = True
    table = np.array([code(text) if used else 0 for text, used in zip(texts, met, strict=True)], np.int64)
    return table[indices] if len(texts) else np.zeros(0, np.int64)


class _Seen:
    """Which atom ids were met: bits for `A` and seven or eight digits, a set for others."""

    def __init__(self) -> None:
        self._bits = {digits: np.zeros(10**digits // 8, np.uint8) for digits in (7, 8)}
        self._others: set[str] = set()

    def again(self, column: Any) -> NDArray[np.bool_]:
        """Which ids were met before, in this column or an earlier one."""
        found = np.zeros(len(column), bool)
        rest = np.ones(len(column), bool)
        for digits, bits in self._bits.items():
            numbers = numbers_of(column, b"A", digits)
            at = np.flatnonzero(numbers >= 0)
            rest[at] = False
            met = numbers[at]
            known = (bits[met >> 3] >> (met & 7).astype(np.uint8)) & 1 != 0
            if not (np.diff(met) > 0).all():  # ids that rise occur once
                first = np.zeros(len(met), bool)
                first[np.unique(met, return_index=True)[1]] = True
                known |= ~first
            found[at] = known
            np.bitwise_or.at(bits, met >> 3, np.uint8(1) << (met & 7).astype(np.uint8))
        for place in np.flatnonzero(rest).tolist():
            text = column[place].as_py()
            found[place] = text in self._others
            self._others.add(text)
        return found
