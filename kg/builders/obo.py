"""Build a graph store from an OBO ontology: an `.obo` file or an obographs `.json`, plain or gzip.

OBO 1.4 flat file format (owlcollab.github.io/oboformat); obographs JSON (geneontology/obographs). Obsolete terms are
left out and counted, their `replaced_by` becomes an edge; `alt_id` becomes a node without name and an edge to the term.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from secondread.kg.builders.lines import json_of, lines, stem_of, text_of
from secondread.kg.builders.report import BuildReport
from secondread.kg.builders.staged import Ends, Progress, store
from secondread.kg.store.identity import LONGEST
from secondread.kg.store.records import Name
from secondread.kg.store.writer import StoreWriter
from secondread.schema.errors import InputError

_IRI = re.compile(r"https?://\S*[/#]([A-Za-z]+)_(\S+)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(EXACT|RELATED|NARROW|BROAD)?')
_TAG = re.compile(r"([a-zA-Z_-]+):\s*(.*)")
_ID = re.compile(rf"[A-Za-z0-9_.-]+:[^\s|]{{1,{LONGEST - 100}}}")


class Term(NamedTuple):
    """One term of an ontology."""

    line: int
    """Where it begins, 0 in a JSON file."""
    id: str
    label: str
    definition: str
    synonyms: tuple[tuple[str, str], ...]
    """(text, scope in lower case)."""
    xrefs: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    """(relation, object)."""
    obsolete: bool
    replaced_by: str
    alternatives: tuple[str, ...]


def build(
    source: Path, out: Path, *, strict: bool = False, version: str = "", progress: Progress | None = None
) -> tuple[dict[str, Any], BuildReport]:
    """Build a store; see `rrf.build`.

    Raises:
        InputError: The file is no ontology of a known format, or strict and a term is wrong.
    """
    name = stem_of(source)
    if not name.endswith((".obo", ".json")):
        raise InputError(f"{source} is neither .obo nor .json.", hint="OWL files: convert with ROBOT first.")
    if not source.is_file():
        raise InputError(f"There is no file {source}.")

    def fill(writer: StoreWriter, report: BuildReport) -> None:
        origin = name.split(".")[0]
        writer.source(origin)
        terms = _flat(source, report) if name.endswith(".obo") else _graphs(source, report)
        _add(terms, name, origin, writer, report, progress or (lambda _step, _share: None))

    return store(
        out, source=name, version=version, licence="see the ontology", restricted=False, strict=strict, fill=fill
    )


def _add(
    terms: Iterator[Term], file: str, origin: str, writer: StoreWriter, report: BuildReport, told: Progress
) -> None:
    ends, spaces = Ends(), set()
    for count, term in enumerate(terms):
        if count % 1000 == 0:
            told(file, 0.0)
        at = [term.line] if term.line else []
        if not _ID.fullmatch(term.id):
            report.reject(file, "bad_id", at, count=1)
        elif term.obsolete:
            report.reject(file, "obsolete", at, count=1)
            if term.replaced_by:
                ends.add(file, term.line, term.id, "replaced_by", term.replaced_by, origin)
        elif not term.label.strip():
            report.reject(file, "no_label", at, count=1)
        elif writer.has(term.id):
            report.reject(file, "duplicate_id", at, count=1)
        else:
            spaces.add(term.id.partition(":")[0])
            writer.put(
                term.id, kind="term", name=term.label,
                synonyms=[Name(text=text, source=origin, tty=scope) for text, scope in term.synonyms],
                definition=term.definition, source=origin, attributes={"xrefs": list(term.xrefs)} if term.xrefs else {},
            )  # fmt: skip
            for relation, obj in term.edges:
                ends.add(file, term.line, term.id, relation, obj, origin)
            for other in term.alternatives:
                ends.add(file, term.line, other, "replaced_by", term.id, origin)
    ends.write(writer, report)


def _flat(path: Path, report: BuildReport) -> Iterator[Term]:
    """Terms of a flat file."""
    begin, stanza = 0, ""
    tags: list[tuple[str, str]] = []
    for number, text in lines(path, report):
        body = text.strip()
        if body.startswith("["):
            if stanza == "[Term]":
                yield _term(begin, tags)
            begin, stanza, tags = number, body, []
        elif body and not body.startswith("!"):
            match = _TAG.match(body)
            if match is None:
                report.reject(stem_of(path), "bad_line", [number])
            else:
                tags.append((match.group(1), match.group(2)))
    if stanza == "[Term]":
        yield _term(begin, tags)
    elif not begin:
        raise InputError(f"{path} is no OBO file: it has no stanza.")


def _term(line: int, tags: list[tuple[str, str]]) -> Term:
    def every(name: str) -> list[str]:
        return [value for tag, value in tags if tag == name]

    def first(name: str) -> str:
        return next(iter(every(name)), "")

    quoted = [_QUOTED.match(value) for value in every("synonym")]
    definition = _QUOTED.match(first("def"))
    edges = [("is_a", _bare(value)) for value in every("is_a")]
    for value in every("relationship"):
        relation, _, rest = _bare(value).partition(" ")
        edges.append((relation, rest.strip()))
    return Term(
        line=line,
        id=_bare(first("id")),
        label=first("name"),
        definition=_plain(definition.group(1)) if definition else "",
        synonyms=tuple((_plain(m.group(1)), (m.group(2) or "RELATED").lower()) for m in quoted if m and m.group(1)),
        xrefs=tuple(_bare(value).split(" ")[0] for value in every("xref")),
        edges=tuple((relation, obj) for relation, obj in edges if _ID.fullmatch(obj)),
        obsolete=first("is_obsolete").startswith("true"),
        replaced_by=_bare(first("replaced_by")),
        alternatives=tuple(_bare(value) for value in every("alt_id")),
    )


def _bare(value: str) -> str:
    """A value without its comment and trailing modifiers."""
    return re.sub(r"\s*(\{[^}]*\})?\s*(!.*)?$", "", value).strip()


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _graphs(path: Path, report: BuildReport) -> Iterator[Term]:
    """Terms of an obographs file."""
    file = stem_of(path)
    report.begin(file)
    try:
        graphs = list(json_of(text_of(path))["graphs"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no obographs file: {error}.") from error
    for graph in graphs:
        parts = [graph.get(name) or [] for name in ("nodes", "edges")] if isinstance(graph, dict) else []
        if not parts or not all(isinstance(part, list) for part in parts):
            report.reject(file, "bad_graph", count=1)
            continue
        edges: dict[str, list[tuple[str, str]]] = {}
        for edge in parts[1]:
            try:
                subject, relation, obj = _curie(edge["sub"]), _curie(edge["pred"]), _curie(edge["obj"])
            except (KeyError, TypeError, AttributeError):
                report.reject(file, "bad_edge", count=1)
                continue
            edges.setdefault(subject, []).append((relation.rpartition(":")[2] if relation else "related_to", obj))
        for node in parts[0]:
            if not isinstance(node, dict) or not isinstance(node.get("id"), str):
                report.reject(file, "bad_id", count=1)
                continue
            report.read(file, 1)
            if node.get("type", "CLASS") != "CLASS":
                continue
            try:
                term = _node(node, edges)
            except (AttributeError, TypeError, KeyError):
                report.reject(file, "bad_node", count=1)
                continue
            yield term


def _node(node: dict[str, Any], edges: dict[str, list[tuple[str, str]]]) -> Term:
    meta = node.get("meta") or {}
    name = _curie(node["id"])
    properties = [(p.get("pred", ""), str(p.get("val", ""))) for p in meta.get("basicPropertyValues") or ()]
    return Term(
        line=0,
        id=name,
        label=str(node.get("lbl") or ""),
        definition=str((meta.get("definition") or {}).get("val") or ""),
        synonyms=tuple(
            (str(s["val"]), str(s.get("pred", "hasRelatedSynonym"))[3:].removesuffix("Synonym").lower())
            for s in meta.get("synonyms") or ()
            if s.get("val")
        ),
        xrefs=tuple(str(x["val"]) for x in meta.get("xrefs") or () if x.get("val")),
        edges=tuple((relation, obj) for relation, obj in edges.get(name, ()) if _ID.fullmatch(obj)),
        obsolete=bool(meta.get("deprecated")),
        replaced_by=next((_curie(value) for pred, value in properties if pred.endswith("IAO_0100001")), ""),
        alternatives=tuple(
            value for pred, value in properties if pred.endswith("hasAlternativeId") and _ID.fullmatch(value)
        ),
    )


def _curie(iri: str) -> str:
    """`DOID:4` for `http://purl.obolibrary.org/obo/DOID_4`; other texts as they are."""
    match = _IRI.fullmatch(iri)
    return f"{match.group(1)}:{match.group(2)}" if match else iri
