"""What a page is made of, whatever it is written in."""

from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["plain", "answer", "abstained", "warning", "notice"]


@dataclass(frozen=True)
class Heading:
    """Start of a section; level 1 is the page's title."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Table:
    """Rows of plain texts under a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture with what it shows."""

    name: str
    """File name stem, e.g. `E3`."""
    caption: str
    png: bytes = field(repr=False)


@dataclass(frozen=True)
class Step:
    """One event of the run: which part of the loop, what it did, details as lines."""

    part: str
    """`intake`, `think`, `act`, `rethink`, `rules`, `gate`, .."""
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Steps:
    """The run in order."""

    items: tuple[Step, ...]


Block = Heading | Paragraph | Table | Figure | Steps
