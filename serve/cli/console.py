"""What every sub-command shares: one-line errors, printable text, a progress line."""

import argparse
import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

from secondread.schema.errors import SecondReadError, UsageError

MESSAGE_LIMIT = 1000
"""Characters of one error line; a file name can be long, a question longer."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError` in place of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", hint=f"See `{self.prog} --help`.")


def printable(text: str) -> str:
    """The text without control characters, so that no file name or header can drive a terminal; newlines stay."""
    return "".join(c if c == "\n" or not unicodedata.category(c).startswith("C") else "?" for c in text)


def one_line(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The text on one line, shortened in the middle past `limit` characters."""
    line = " ".join(printable(text).split())
    if len(line) <= limit:
        return line
    keep = limit // 2 - 2
    return f"{line[:keep]} .. {line[-keep:]}"


def report_error(error: SecondReadError, *, as_json: bool) -> None:
    """One line on stderr; with `as_json` also an object with code, message and hint on stdout."""
    print(f"secondread: {one_line(f'{error.message} {error.hint}')}", file=sys.stderr)
    if as_json:
        print_json({"code": error.code, "message": one_line(error.message), "hint": one_line(error.hint)})


def print_json(value: Any) -> None:
    """A JSON value on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns, two spaces apart; the last column is not padded."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = ("  ".join([c.ljust(w) for c, w in zip(row[:-1], widths, strict=True)] + [row[-1]]) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


class Progress:
    """One line on a terminal that is overwritten; silent when the stream is not a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self.active = self._stream.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        """Replace the line."""
        if self.active:
            self._stream.write(f"\r\x1b[2K{one_line(text, 78)}")
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._shown = False
