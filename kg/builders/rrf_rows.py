"""Rows of an RRF file in column form: whole blocks through pyarrow, lines that it would trip over one by one."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secondread.kg.builders.report import BuildReport
from secondread.kg.builders.rrf_files import Release
from secondread.schema.errors import InputError

_BAR, _END = ord("|"), ord("\n")
_SEPARATOR = "\u2028".encode()
_BOM = b"\xef\xbb\xbf"


class Rows(NamedTuple):
    """Some rows of a file."""

    table: Any
    """pyarrow table of the wanted columns: strings, or dictionaries of strings."""
    lines: NDArray[np.int64]
    """Line of each row, from 1."""


def rows(
    release: Release, base: str, wanted: Sequence[str], report: BuildReport, *, coded: Sequence[str] = ()
) -> Iterator[Rows]:
    """The rows of a file, block by block; rows of a wrong shape are reported and left out.

    Args:
        release: Where the file is.
        base: E.g. `MRCONSO`.
        wanted: Names of the columns that are read.
        report: Told of every row, under `BASE.RRF`.
        coded: Those of `wanted` that hold few different texts.

    Raises:
        InputError: pyarrow is not installed; a packed file is damaged; the report is strict and a row is wrong.
    """
    try:
        import pyarrow
        from pyarrow import csv
    except ImportError as error:
        raise InputError("Large graphs are built with pyarrow.", hint="pip install 'secondread[kg]'.") from error
    names = release.columns[base]
    file = f"{base}.RRF"
    report.begin(file)
    kinds = {
        n: pyarrow.dictionary(pyarrow.int32(), pyarrow.string()) if n in coded else pyarrow.string() for n in wanted
    }
    convert = csv.ConvertOptions(column_types=kinds, include_columns=list(wanted), strings_can_be_null=False)
    parse = csv.ParseOptions(delimiter="|", quote_char=False, escape_char=False, ignore_empty_lines=False)

    def parts() -> Iterator[Rows]:
        line = 1
        for block in release.blocks(base):
            if line == 1 and block.startswith(_BOM):
                report.note(file, "byte_order_mark", [1])
                block = block[len(_BOM) :]
            clean, lines, total = _checked(block, len(names), line, file, report)
            report.read(file, total)
            line += total
            if clean:
                read = csv.ReadOptions(column_names=[*names, "_end"], block_size=max(1 << 20, len(clean) + 1))
                yield Rows(csv.read_csv(pyarrow.py_buffer(clean), read, parse, convert), lines)
        claimed = release.claimed.get(base)
        if claimed is not None and claimed != line - 1:
            report.note(file, "rows_other_than_MRFILES_says", count=abs(claimed - (line - 1)))

    yield from _ahead(parts())


def _ahead(parts: Iterator[Rows]) -> Iterator[Rows]:
    """The parts, each read by a thread while the one before is used."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = reader.submit(next, parts, None)
            yield part


def _checked(
    block: bytes, columns: int, first: int, file: str, report: BuildReport
) -> tuple[bytes, NDArray[np.int64], int]:
    """The usable lines of a block, their numbers, and how many lines it has."""
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == _END)
    whole = block.endswith(b"\n")
    if not whole:
        ends = np.append(ends, len(block))
    starts = np.concatenate(([0], ends[:-1] + 1))
    # An empty last line has no first letter; its count is that of nothing and it is odd in any case.
    odd = np.add.reduceat(letters == _BAR, np.minimum(starts, len(letters) - 1), dtype=np.int32) != columns
    # Every line of the right number of bars must also end in one.
    odd |= letters[np.maximum(ends - 1, 0)] != _BAR
    if not whole:
        odd[-1] = True
    unusual = _unusual(block, letters, ends)
    lines = np.arange(first, first + len(ends))
    if not odd.any() and not len(unusual):
        return block, lines, len(ends)
    odd[unusual] = True
    repaired: list[bytes] = []
    kept: list[int] = []
    for n in np.flatnonzero(odd).tolist():
        last = not whole and n == len(ends) - 1
        fixed = _repaired(block[starts[n] : ends[n]], columns, last, int(lines[n]), file, report)
        if fixed is not None:
            repaired.append(fixed + b"\n")
            kept.append(int(lines[n]))
    # Runs of good lines are taken over as they are, the mended ones follow: their order does not matter.
    good = ~odd
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    pieces = [block[starts[a] : ends[b - 1] + 1] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return b"".join([*pieces, *repaired]), np.concatenate((lines[good], np.array(kept, np.int64))), len(ends)


def _unusual(block: bytes, letters: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lines with bytes that need a closer look: control signs, line separators, bytes that are no UTF-8."""
    places: list[int] = []
    for sign in (b"\x00", b"\r", b"\t", _SEPARATOR):
        at = block.find(sign)
        while at >= 0:
            places.append(at)
            at = block.find(sign, at + 1)
    try:
        block.decode()
    except UnicodeDecodeError:
        begin = 0
        for end in ends.tolist():
            try:
                block[begin:end].decode()
            except UnicodeDecodeError:
                places.append(begin)
            begin = end + 1
    return np.unique(np.searchsorted(ends, np.array(places, np.int64)))


def _repaired(line: bytes, columns: int, last: bool, number: int, file: str, report: BuildReport) -> bytes | None:
    """A line as it is used, or None when it is left out; the report is told."""
    noted: list[str] = []
    if line.endswith(b"\r"):
        noted.append("carriage_return")
        line = line[:-1]
    bars = line.count(b"|")
    wrong = None
    if not line.strip():
        wrong = "empty_line"
    elif b"\x00" in line:
        wrong = "nul_byte"
    elif b"\r" in line:
        wrong = "carriage_return_inside"
    elif not _is_utf8(line):
        wrong = "invalid_utf8"
    elif bars == columns - 1 and not (last and bars < columns - 1):
        noted.append("no_closing_bar")
        line += b"|"
    elif bars < columns:
        wrong = "truncated_line" if last else "missing_column"
    elif bars > columns or not line.endswith(b"|"):
        wrong = "extra_column"
    if wrong is not None:
        report.reject(file, wrong, [number])
        return None
    if b"\t" in line:
        noted.append("tab_in_string")
    if _SEPARATOR in line:
        noted.append("line_separator_in_string")
    for what in noted:
        report.note(file, what, [number])
    return line


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def numbers_of(column: Any, prefix: bytes, digits: int) -> NDArray[np.int64]:
    """The numbers of ids such as `C0000001`: int64[n], -1 for any other text.

    Args:
        column: pyarrow string column.
        prefix: One byte before the digits.
        digits: How many follow.
    """
    from secondread.kg.store.key import columns_of

    blob, offsets = columns_of(column)
    count, size = len(offsets) - 1, digits + 1
    found = np.full(count, -1, np.int64)
    if not count:
        return found
    right = np.diff(offsets) == size
    if right.all():
        cells = blob.reshape(count, size)
    else:
        cells = blob[(offsets[:-1][right, None] + np.arange(size)).ravel()].reshape(-1, size)
    values = cells[:, 1:].astype(np.int64) - ord("0")
    fits = (cells[:, 0] == prefix[0]) & ((values >= 0) & (values <= 9)).all(1)
    numbers = values @ (10 ** np.arange(digits - 1, -1, -1, dtype=np.int64))
    found[right] = np.where(fits, numbers, -1)
    return found
