"""Edges and nodes of a store in plain words."""

from collections.abc import Sequence

from secondread.kg.concept import SENTENCES
from secondread.kg.store.records import Node

NAMES_SHOWN = 12


def sentence(subject: str, relation: str, obj: str, polarity: str | None = None) -> str:
    """An edge as a sentence.

    Args:
        subject: Name of the subject.
        relation: Its relation, e.g. `part_of` or `RO|finding_site_of`; what follows the last `|` is read out.
        obj: Name of the object.
        polarity: Said in brackets when there is one.
    """
    if relation in SENTENCES:
        text = SENTENCES[relation].format(s=subject, o=obj)
    else:
        text = f"{subject} {relation.rpartition('|')[2].replace('_', ' ').strip() or 'is related to'} {obj}."
    if polarity is not None:
        text = f"{text[:-1]} ({polarity})."
    return text[:1].upper() + text[1:]


def description(node: Node) -> str:
    """A node in a few lines: name, id, kind and definition; types; other names; attributes."""
    lines = [f"{node.name} ({node.id}, {node.kind})" + (f": {node.definition}" if node.definition else "")]
    if node.types:
        lines.append("types: " + ", ".join(node.types))
    others = list(dict.fromkeys(name.text for name in node.synonyms if name.text != node.name))
    if others:
        more = f" and {len(others) - NAMES_SHOWN} more" if len(others) > NAMES_SHOWN else ""
        lines.append("also: " + ", ".join(others[:NAMES_SHOWN]) + more)
    if node.attributes:
        lines.append("; ".join(f"{key}: {_plain(value)}" for key, value in node.attributes.items()))
    if node.source:
        lines.append(f"source: {node.source}")
    return "\n".join(lines)


def _plain(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)
