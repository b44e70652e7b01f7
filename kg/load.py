"""Read the authored graph: YAML files with `sources`, `concepts` by kind, and `edges` as short lists.

An edge is `[subject, relation, object, source]` with optional qualifiers; `[[a, b], relation, [c, d], source]` stands
for four of them. A concept without a name is called by its id; four attributes may stand as a list: shape, density,
location, border.
"""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from secondread.kg.concept import SENTENCES, Concept, Edge, sentence
from secondread.schema.errors import InputError


def core_files() -> list[tuple[str, str]]:
    """Name and text of each file of the shipped graph, in a fixed order."""
    folder = files("secondread.kg").joinpath("core")
    return sorted((f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".yaml"))


def folder_files(folder: Path) -> list[tuple[str, str]]:
    """Name and text of each `*.yaml` file of a folder.

    Raises:
        InputError: The folder holds none.
    """
    found = [(p.name, p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.yaml"))]
    if not found:
        raise InputError("No graph files (*.yaml) were found in the folder.", hint="See kg/core for the format.")
    return found


def read(texts: Iterable[tuple[str, str]]) -> tuple[list[Concept], list[Edge]]:
    """Concepts and edges of graph files.

    Args:
        texts: File name and YAML text of each file; names appear in errors.

    Raises:
        InputError: Not YAML, an unknown key, a concept given twice, or an edge with an unknown end, relation or
            source; the message names file and entry.
    """
    parsed = [(name, _parse(name, text)) for name, text in texts]
    sources = {key: value for _, part in parsed for key, value in part.get("sources", {}).items()}
    concepts: dict[str, Concept] = {}
    for name, part in parsed:
        for concept in _concepts(name, part):
            if concept.id in concepts:
                raise InputError(f"{name}: concept {concept.id} is given twice.")
            concepts[concept.id] = concept
    edges: dict[str, Edge] = {}
    for name, part in parsed:
        for index, entry in enumerate(part.get("edges", []), start=1):
            for one in _spread(entry):
                edge = _edge(f"{name}: edge {index} {str(one)[:120]}", one, concepts, sources)
                if edge.id in edges:
                    raise InputError(f"{name}: edge {index} {edge.id} is given twice.")
                edges[edge.id] = edge
    return list(concepts.values()), list(edges.values())


def _parse(name: str, text: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise InputError(f"{name}{where}: not valid YAML.") from error
    if not isinstance(found, dict) or set(found) - {"sources", "concepts", "edges"}:
        raise InputError(f"{name}: a graph file has the keys sources, concepts and edges.")
    return found


def _concepts(name: str, part: dict[str, Any]) -> Iterable[Concept]:
    for kind, entries in part.get("concepts", {}).items():
        for index, entry in enumerate(entries, start=1):
            where = f"{name}: {kind} {index} {entry.get('id', '') if isinstance(entry, dict) else entry}"
            if not isinstance(entry, dict):
                raise InputError(f"{where}: a concept is a mapping.")
            try:
                yield Concept(kind=kind, **_filled(entry))
            except (ValidationError, TypeError) as error:
                first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
                raise InputError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


_LOOKS = ("shape", "density", "location", "border")


def _filled(entry: dict[str, Any]) -> dict[str, Any]:
    """A concept entry with its name from the id, and attributes from a list in the order of `_LOOKS`."""
    made = {"name": str(entry.get("id", "")).replace("_", " "), **entry}
    looks = made.get("attributes")
    if isinstance(looks, list) and len(looks) == len(_LOOKS):
        made["attributes"] = dict(zip(_LOOKS, looks, strict=True))
    return made


def _spread(entry: Any) -> list[Any]:
    """One entry per edge: subject and object may be lists, for several edges of one relation and source."""
    if not isinstance(entry, list) or len(entry) < 3 or not (isinstance(entry[0], list) or isinstance(entry[2], list)):
        return [entry]
    subjects, objects = (e if isinstance(e, list) else [e] for e in (entry[0], entry[2]))
    return [[s, entry[1], o, *entry[3:]] for s in subjects for o in objects]


def _edge(where: str, entry: Any, concepts: dict[str, Concept], sources: dict[str, str]) -> Edge:
    if not isinstance(entry, list) or len(entry) not in (4, 5) or not all(isinstance(e, str) for e in entry[:4]):
        raise InputError(f"{where}: an edge is [subject, relation, object, source] and optional qualifiers.")
    subject, relation, obj, source = entry[:4]
    qualifiers = dict(entry[4]) if len(entry) == 5 else {}
    for end in (subject, obj):
        if end not in concepts:
            raise InputError(f"{where}: no concept {end}.")
    if relation not in SENTENCES:
        raise InputError(f"{where}: unknown relation {relation}.")
    if source not in sources:
        raise InputError(f"{where}: unknown source {source}.")
    text = qualifiers.pop("text", None) or sentence(concepts[subject], relation, concepts[obj])
    return Edge(
        subject=subject, relation=relation, object=obj, text=text, source=sources[source], qualifiers=qualifiers
    )
