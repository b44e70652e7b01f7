"""Puts a page on disk: one HTML file, or a Markdown file with a folder of pictures beside it."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondread.schema.answer import Answer
from secondread.schema.errors import UsageError
from secondread.serve.report.blocks import Block, Figure
from secondread.serve.report.html import html
from secondread.serve.report.markdown import markdown
from secondread.serve.report.page import page
from secondread.serve.report.pictures import figures

if TYPE_CHECKING:
    from secondread.agent.agent import Agent

ENDINGS = (".html", ".htm", ".md")
MODE = 0o600
"""A page holds pictures of the image, so it is its owner's alone."""


def report_path(text: str) -> Path:
    """The file to write, checked before any work is done.

    Raises:
        UsageError: Its name ends otherwise than in `ENDINGS`, it is a folder, or its folder cannot be written to.
    """
    path = Path(text)
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"The report {text} is neither HTML nor Markdown.", hint="Name it FILE.html or FILE.md.")
    if path.is_dir():
        raise UsageError(f"The report {text} is a folder.")
    if not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise UsageError(f"The report {text} cannot be written: there is no such folder, or it is not yours.")
    return path


def write_report(agent: "Agent", answer: Answer, path: Path) -> None:
    """The page of a run that has just ended.

    Raises:
        UsageError: It cannot be written.
    """
    from secondread.agent.settled import trace_path
    from secondread.agent.trace import read_trace

    trace = trace_path(agent.settings, answer.trace)
    events: list[dict[str, Any]] = read_trace(trace) if trace is not None and trace.is_file() else []
    write_page(page(answer, events, figures(agent, answer), agent.runtime.catalogue), path)


def write_page(blocks: Sequence[Block], path: Path) -> None:
    """Write a page; it appears when it is whole.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        if path.suffix.lower() != ".md":
            _replace(path, html(blocks))
            return
        pictures = [b for b in blocks if isinstance(b, Figure)]
        folder = path.with_name(f"{path.stem}_files")
        if pictures:
            staged = Path(tempfile.mkdtemp(prefix=".secondread-", dir=path.absolute().parent))
            try:
                for one in pictures:
                    (staged / f"{one.name}.png").write_bytes(one.png)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(staged, folder)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
        _replace(path, markdown(blocks, folder.name))
    except OSError as error:
        raise UsageError(f"The report {path} cannot be written: {error.strerror}.") from None


def _replace(path: Path, text: str) -> None:
    number, name = tempfile.mkstemp(prefix=".secondread-", dir=path.absolute().parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(file.fileno(), MODE)
            file.write(text)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
