"""What a graph store holds and answers: names, nodes, edges, and results that say what is missing from them."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from secondread.schema.evidence import GraphEdge
from secondread.schema.record import Record

Direction = Literal["out", "in", "both"]
EdgePolarity = Literal["positive", "negative", "uncertain"]

SUPPRESSED, INVERTED, INFERRED = 1, 2, 4
"""Bits of an edge's flag byte: marked obsolete by its source; stored against the direction of its row; not stated."""
POLARITY_SHIFT = 3
"""The next two bits hold the polarity."""
POLARITIES: tuple[EdgePolarity | None, ...] = (None, "positive", "negative", "uncertain")
FLAG_NAMES = ((SUPPRESSED, "suppressed"), (INVERTED, "inverted"), (INFERRED, "inferred"))


class Name(Record):
    """One text by which a node is known."""

    text: str
    language: str = ""
    """As its source writes it, e.g. `ENG`."""
    source: str = ""
    tty: str = ""
    """Term type of the source, e.g. `PT`."""
    srl: int = 0
    """Source restriction level: 0 for none; see the UMLS licence for the others."""
    preferred: bool = False


class Node(Record):
    """One thing that edges join: a concept, an image, a report."""

    id: str
    """`NAMESPACE:key`; ids of the authored core graph have no colon."""
    name: str
    """Preferred name; the id when it has none."""
    kind: str
    synonyms: tuple[Name, ...] = ()
    """Every name, the preferred one included."""
    definition: str = ""
    types: tuple[str, ...] = ()
    """Semantic types of its source."""
    source: str = ""
    srl: int = 0
    """Lowest restriction level of its names."""
    attributes: dict[str, Any] = Field(default_factory=dict)


class StoredEdge(GraphEdge):
    """An edge of a store with what it rests on."""

    id: str
    """`subject|relation|object#n`; n counts parallel edges of the same three from 1."""
    polarity: EdgePolarity | None = None
    confidence: float | None = None
    """0 to 1, in steps of 1/254; None when its source gives none."""
    evidence: dict[str, Any] | None = None
    """E.g. `report`, `section`, `start`, `end` of the text it was read from."""
    srl: int = 0
    """Restriction level of its source."""
    flags: tuple[str, ...] = ()
    """Of `suppressed`, `inverted`, `inferred`."""


class Edges(tuple[StoredEdge, ...]):
    """Edges, and in `truncated` why there are not all of them; None when there are."""

    truncated: str | None

    def __new__(cls, edges: Iterable[StoredEdge] = (), truncated: str | None = None) -> "Edges":
        """Make the tuple."""
        made = super().__new__(cls, tuple(edges))
        made.truncated = truncated
        return made


class Paths(tuple[tuple[StoredEdge, ...], ...]):
    """Chains of edges, shortest first, and in `truncated` why there may be more; None when there are none."""

    truncated: str | None

    def __new__(cls, paths: Iterable[tuple[StoredEdge, ...]] = (), truncated: str | None = None) -> "Paths":
        """Make the tuple."""
        made = super().__new__(cls, tuple(paths))
        made.truncated = truncated
        return made


def names_of(name: str, synonyms: Iterable[str | Name], source: str, srl: int) -> tuple[Name, ...]:
    """The names that a node is given: the preferred one first, where there is one."""
    first = [Name(text=name, source=source, srl=srl, preferred=True)] if name else []
    return (*first, *(s if isinstance(s, Name) else Name(text=s, source=source, srl=srl) for s in synonyms))


def flag_byte(polarity: str | None = None, flags: Iterable[str] = ()) -> int:
    """The flag byte of an edge.

    Raises:
        ValueError: Polarity or flag is none of those known.
    """
    byte = POLARITIES.index(polarity) << POLARITY_SHIFT
    known = {name: bit for bit, name in FLAG_NAMES}
    for flag in flags:
        if flag not in known:
            raise ValueError(f"{flag!r} is no flag of an edge")
        byte |= known[flag]
    return byte


def polarity_of(byte: int) -> EdgePolarity | None:
    """The polarity in a flag byte."""
    return POLARITIES[(byte >> POLARITY_SHIFT) & 3]


def flags_of(byte: int) -> tuple[str, ...]:
    """The names of the set bits of a flag byte."""
    return tuple(name for bit, name in FLAG_NAMES if byte & bit)


def confidence_byte(confidence: float | None) -> int:
    """0 for none, else 1 (confidence 0) to 255 (confidence 1).

    Raises:
        ValueError: The confidence is not in [0, 1].
    """
    if confidence is None:
        return 0
    if not 0 <= confidence <= 1:
        raise ValueError(f"a confidence of {confidence} is not within 0 to 1")
    return 1 + round(confidence * 254)


def confidence_of(byte: int) -> float | None:
    """The confidence in a byte, None for 0."""
    return (byte - 1) / 254 if byte else None
