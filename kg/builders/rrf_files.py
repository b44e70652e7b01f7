"""Files of a UMLS release in Rich Release Format: where they are, which columns they have, their bytes.

Columns: UMLS Reference Manual, chapter 3 (NLM). UTF-8, `|` after every column, no header, no quoting.
"""

import bz2
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from secondread.schema.errors import InputError

COLUMNS: dict[str, tuple[str, ...]] = {
    base: tuple(names.split())
    for base, names in {
        "MRCONSO": "CUI LAT TS LUI STT SUI ISPREF AUI SAUI SCUI SDUI SAB TTY CODE STR SRL SUPPRESS CVF",
        "MRREL": "CUI1 AUI1 STYPE1 REL CUI2 AUI2 STYPE2 RELA RUI SRUI SAB SL RG DIR SUPPRESS CVF",
        "MRSTY": "CUI TUI STN STY ATUI CVF",
        "MRDEF": "CUI AUI ATUI SATUI SAB DEF SUPPRESS CVF",
        "MRRANK": "RANK SAB TTY SUPPRESS",
        "MRSAB": "VCUI RCUI VSAB RSAB SON SF SVER VSTART VEND IMETA RMETA SLC SCC SRL TFR CFR CXTY TTYL ATNL LAT CENC "
        "CURVER SABIN SSN SCIT",
        "MRDOC": "DOCKEY VALUE TYPE EXPL",
        "MRCUI": "CUI1 VER REL RELA MAPREASON CUI2 MAPIN",
        "MRFILES": "FIL DES FMT CLS RWS BTS",
    }.items()
}
REQUIRED = ("MRCONSO", "MRREL")
BLOCK = 1 << 24
_PART = re.compile(r"\.[a-z]{2}")


class Release:
    """The files of a release in one folder.

    Args:
        folder: Holds `MRCONSO.RRF` and the others, plain, gzip or bz2, or split in parts `.aa`, `.ab`, ..; `META`
            below it is looked into when the folder itself holds none.

    Raises:
        InputError: There is no such folder, a needed file is missing, or two copies of one file lie side by side.
    """

    def __init__(self, folder: Path) -> None:
        if folder.suffix == ".zip":
            raise InputError(f"{folder} is an archive.", hint="Unpack it and name the folder with MRCONSO.RRF.")
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder.")
        self.folder = folder if _parts(folder, "MRCONSO") or not (folder / "META").is_dir() else folder / "META"
        self.parts = {base: _parts(self.folder, base) for base in COLUMNS}
        missing = [base for base in REQUIRED if not self.parts[base]]
        if missing:
            raise InputError(f"{folder} lacks {', '.join(f'{base}.RRF' for base in missing)}.")
        self.columns = dict(COLUMNS)
        self.claimed: dict[str, int] = {}
        for row in self.small("MRFILES"):
            base = row["FIL"].removesuffix(".RRF")
            names = tuple(row["FMT"].split(","))
            if base in COLUMNS and set(names) >= set(COLUMNS[base]):
                self.columns[base] = names
            if base in COLUMNS and row["RWS"].isdigit():
                self.claimed[base] = int(row["RWS"])

    def has(self, base: str) -> bool:
        """Whether the release has this file."""
        return bool(self.parts[base])

    def fingerprint(self) -> str:
        """Names and sizes of all files: what tells one release from another."""
        return ";".join(f"{p.name}:{p.stat().st_size}" for parts in self.parts.values() for p in parts)

    def size(self, base: str) -> int:
        """Bytes of a file as it lies on disk."""
        return sum(path.stat().st_size for path in self.parts[base])

    def blocks(self, base: str) -> Iterator[bytes]:
        """The bytes of a file, unpacked, in blocks that end with a line; the last may end without.

        Raises:
            InputError: A packed file is damaged.
        """
        rest = b""
        for path in self.parts[base]:
            try:
                with _opened(path) as file:
                    while block := file.read(BLOCK):
                        cut = block.rfind(b"\n") + 1
                        if not cut:
                            rest += block
                            continue
                        yield rest + block[:cut]
                        rest = block[cut:]
            except (OSError, EOFError) as error:
                raise InputError(f"{path.name} cannot be read: {error}.") from error
        if rest:
            yield rest

    def small(self, base: str) -> Iterator[dict[str, str]]:
        """Rows of a small file as dictionaries; rows of another length are left out."""
        names = COLUMNS[base]
        for block in self.blocks(base):
            for line in block.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
                cells = line.split("|")
                if len(cells) in (len(names), len(names) + 1):
                    yield dict(zip(names, cells, strict=False))


def _parts(folder: Path, base: str) -> list[Path]:
    """The file, or its parts in order; empty when there is none."""
    whole = [path for end in ("", ".gz", ".bz2") if (path := folder / f"{base}.RRF{end}").is_file()]
    split = sorted(p for p in folder.glob(f"{base}.RRF.*") if _PART.fullmatch(p.suffix) and p.suffix != ".gz")
    if len(whole) + bool(split) > 1:
        names = ", ".join(p.name for p in (*whole, *split[:1]))
        raise InputError(f"{folder} holds {base} more than once: {names}.", hint="Keep one of them.")
    return whole or split


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".bz2":
        return bz2.open(path)
    return path.open("rb")
