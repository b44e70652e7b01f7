"""Passages from markdown, plain text and PDF files."""

from collections.abc import Iterator
from pathlib import Path

from secondread.schema.errors import InputError, ToolUnavailable
from secondread.tools.retrieve.readers.chunks import chunks, sections
from secondread.tools.retrieve.readers.draft import Defaults, Draft
from secondread.tools.retrieve.readers.keys import text_id
from secondread.tools.retrieve.records import Item

MAX_BYTES = 64 << 20
"""Of a text file; larger ones are refused rather than half read."""


def read_text(path: Path, defaults: Defaults) -> Iterator[Draft]:
    """Passages of a markdown or plain text file.

    Front matter (`key: value` between `---` lines) sets their fields; a last line `Source: ..` of a section its source.

    Raises:
        InputError: It cannot be read or is not UTF-8 text.
    """
    fields, body = front_matter(_text(path))
    title = fields.pop("title", path.stem.replace("_", " ").replace("-", " "))
    source = fields.get("source", defaults.source)
    for heading, part in sections(body):
        named = heading or title
        part, said = own_source(part)
        for text in chunks(part):
            yield _passage(text, named, said or source, fields, defaults)


def read_pdf(path: Path, defaults: Defaults) -> Iterator[Draft]:
    """Passages of a PDF file, by page.

    Raises:
        InputError: It cannot be read, is encrypted, or holds no text (a scan).
        ToolUnavailable: pypdf is not installed.
    """
    try:
        import pypdf
    except ImportError as error:
        raise ToolUnavailable(
            "Reading PDF files needs pypdf.", hint="Install the extra: pip install 'secondread[retrieve]'."
        ) from error
    try:
        document = pypdf.PdfReader(path)
        pages = [page.extract_text() or "" for page in document.pages]
        title = str((document.metadata and document.metadata.get("/Title")) or path.stem)
    except Exception as error:  # damaged PDF files raise errors of any class
        raise InputError(f"{path.name} cannot be read as PDF: {type(error).__name__}.") from error
    if not any(p.strip() for p in pages):
        raise InputError(f"{path.name} holds no text; it may be a scan.", hint="Run text recognition on it first.")
    for number, page in enumerate(pages, 1):
        for text in chunks(page):
            yield _passage(text, f"{title}, page {number}", defaults.source, {}, defaults)


def _passage(text: str, title: str, source: str, fields: dict[str, str], defaults: Defaults) -> Draft:
    labels = tuple(part.strip() for part in fields.get("labels", "").split(",") if part.strip())
    return Draft(
        Item(
            id=text_id(source, text, title), kind="passage", title=title, text=text, source=source,
            licence=fields.get("licence", defaults.licence), date=fields.get("date", defaults.date), labels=labels,
            language=fields.get("language", "en"),
        )
    )  # fmt: skip


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name} is larger than {MAX_BYTES >> 20} MB.", hint="Split it, or use JSON lines.")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8 text (byte {error.start}).") from error


def own_source(part: str) -> tuple[str, str]:
    """A section without its last line `Source: ..`, and what that line names; empty when it has none."""
    body, _, last = part.rstrip().rpartition("\n")
    if last.lower().startswith("source:"):
        return body, last.partition(":")[2].strip()
    return part, ""


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """Fields between two `---` lines at the beginning, and the rest; no fields when there are none."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, text
    for number, line in enumerate(lines[1:], 1):
        if line.strip() == "---":
            pairs = (part.partition(":") for part in lines[1:number])
            return {k.strip().lower(): v.strip() for k, c, v in pairs if c}, "\n".join(lines[number + 1 :])
    return {}, text
