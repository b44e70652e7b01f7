"""Lines and rows of small text sources, plain or gzip, with what is wrong about them reported by line."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from secondread.kg.builders.report import BuildReport
from secondread.schema.errors import InputError

MAX_LINE = 1 << 24
"""Longest line that is read, in bytes."""


def stem_of(path: Path) -> str:
    """The name of a file without `.gz`."""
    return path.name.removesuffix(".gz")


def found(folder: Path, name: str) -> Path | None:
    """A file of a folder, plain or as `.gz`."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def lines(path: Path, report: BuildReport) -> Iterator[tuple[int, str]]:
    """(line from 1, text) of every usable line; lines that are no UTF-8 or too long are reported and left out.

    Raises:
        InputError: The file cannot be read or unpacked.
    """
    file = stem_of(path)
    report.begin(file)
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            while raw := stream.readline(MAX_LINE):
                number += 1
                report.read(file, 1)
                if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
                    report.note(file, "byte_order_mark", [1])
                    raw = raw[3:]
                if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                    report.reject(file, "line_too_long", [number])
                    while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                        pass
                    continue
                try:
                    text = raw.decode()
                except UnicodeDecodeError:
                    report.reject(file, "invalid_utf8", [number])
                    continue
                if "\x00" in text:
                    report.reject(file, "nul_byte", [number])
                    continue
                yield number, text.rstrip("\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def tsv(path: Path, wanted: Iterable[str], report: BuildReport) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column) of a table with a header, tabs, and no quoting.

    Raises:
        InputError: The file cannot be read, or lacks a column.
    """
    file, head = stem_of(path), None
    for number, text in lines(path, report):
        cells = text.split("\t")
        if head is None:
            head = _head(path, cells, wanted)
        elif not text.strip():
            report.reject(file, "empty_line", [number])
        elif len(cells) != len(head):
            report.reject(file, "missing_column" if len(cells) < len(head) else "extra_column", [number])
        else:
            yield number, dict(zip(head, cells, strict=True))


def table(path: Path, wanted: Iterable[str], report: BuildReport) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column) of a CSV file with a header; a quoted cell may hold line breaks.

    Raises:
        InputError: The file cannot be read, or lacks a column.
    """
    file, head = stem_of(path), None
    numbers: list[int] = [0]

    def texts() -> Iterator[str]:
        for number, text in lines(path, report):
            numbers[0] = number
            yield text + "\n"

    reader = csv.reader(texts())
    while True:
        begin = numbers[0] + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            report.reject(file, "bad_quoting", [begin])
            continue
        if head is None:
            head = _head(path, cells, wanted)
        elif not any(cell.strip() for cell in cells):
            report.reject(file, "empty_line", [begin])
        elif len(cells) != len(head):
            report.reject(file, "missing_column" if len(cells) < len(head) else "extra_column", [begin])
        else:
            yield begin, dict(zip(head, cells, strict=True))


def _head(path: Path, cells: list[str], wanted: Iterable[str]) -> list[str]:
    missing = [name for name in wanted if name not in cells]
    if missing:
        raise InputError(f"{path}: the header lacks {', '.join(missing)}.")
    return cells


def text_of(path: Path) -> str:
    """A whole text file, plain or gzip; bytes that are no UTF-8 become a replacement sign.

    Raises:
        InputError: It cannot be read.
    """
    try:
        raw = path.read_bytes()
        return io.BytesIO(gzip.decompress(raw) if path.suffix == ".gz" else raw).read().decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def json_of(text: str) -> Any:
    """A JSON text as objects.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
