"""Build a graph store from the released tables of MedMKG: `MedMKG.csv`, and `image_mapping.csv` where it is there.

Columns Head, Relation, Tail, Head_Name, Tail_Name (XiaochenWang-PSU/MedMKG). Heads `I` + study id are images, the
others UMLS concepts; the relations POSITIVE, NEGATIVE and UNCERTAIN of images also become the polarity of their edges.
"""

import re
from pathlib import Path
from typing import Any

from secondread.kg.builders.lines import found, stem_of, table
from secondread.kg.builders.report import BuildReport
from secondread.kg.builders.staged import Progress, store
from secondread.kg.store.writer import StoreWriter
from secondread.schema.errors import InputError

FILE, IMAGES = "MedMKG.csv", "image_mapping.csv"
COLUMNS = ("Head", "Relation", "Tail", "Head_Name", "Tail_Name")
POLARITIES = {"POSITIVE": "positive", "NEGATIVE": "negative", "UNCERTAIN": "uncertain"}
LICENCE = "no licence stated; UMLS names and MIMIC study ids under the terms of both: not to be handed on"
SOURCE = "MedMKG"
_IMAGE, _CUI = re.compile(r"I\d+"), re.compile(r"C\d{7}")


def build(
    source: Path, out: Path, *, strict: bool = False, version: str = "", progress: Progress | None = None
) -> tuple[dict[str, Any], BuildReport]:
    """Build a store; see `rrf.build`.

    Args:
        source: `MedMKG.csv`, or its folder.
        out: Where the store will lie.
        strict: End at the first row that would be left out.
        version: Of the tables.
        progress: Told how far the build is.

    Raises:
        InputError: The file is missing or has other columns, or strict and a row is wrong.
    """
    path = found(source, FILE) if source.is_dir() else source
    if path is None or not path.is_file():
        raise InputError(f"{source} holds no {FILE}.")

    def fill(writer: StoreWriter, report: BuildReport) -> None:
        if progress is not None:
            progress(FILE, 0.0)
        writer.source(SOURCE, srl=9, licence=LICENCE)
        _triples(path, writer, report)
        mapping = found(path.parent, IMAGES)
        if mapping is not None:
            _paths(mapping, writer, report)

    return store(out, source=SOURCE, version=version, licence=LICENCE, restricted=True, strict=strict, fill=fill)


def node_of(key: str) -> str | None:
    """Node id of a head or tail, None for a malformed one."""
    if _IMAGE.fullmatch(key):
        return f"MEDMKG:{key}"
    return f"UMLS:{key}" if _CUI.fullmatch(key) else None


def _triples(path: Path, writer: StoreWriter, report: BuildReport) -> None:
    file = stem_of(path)
    seen: set[tuple[str, str, str]] = set()
    said: dict[tuple[str, str], set[str]] = {}
    for number, row in table(path, COLUMNS, report):
        ends = [node_of(row[name].strip()) for name in ("Head", "Tail")]
        relation = row["Relation"].strip()
        if None in ends:
            report.reject(file, "bad_id", [number])
            continue
        if not relation:
            report.reject(file, "empty_relation", [number])
            continue
        head, tail = (end or "" for end in ends)
        if (head, relation, tail) in seen:
            report.reject(file, "duplicate_triple", [number])
            continue
        seen.add((head, relation, tail))
        for node, name in ((head, row["Head_Name"]), (tail, row["Tail_Name"])):
            if not writer.has(node):
                if node.startswith("MEDMKG:"):
                    writer.put(node, kind="image", name=f"image of study {node[8:]}", source=SOURCE, srl=9)
                else:
                    writer.put(node, kind="concept", name=name.strip(), source=SOURCE, srl=9)
        polarity = POLARITIES.get(relation) if head.startswith("MEDMKG:") else None
        if polarity is not None:
            before = said.setdefault((head, tail), set())
            if before:
                report.note(file, "two_polarities", [number])
            before.add(polarity)
        writer.join(head, relation, tail, source=SOURCE, polarity=polarity)


def _paths(path: Path, writer: StoreWriter, report: BuildReport) -> None:
    """Paths of the images that the graph uses."""
    unused = 0
    for number, row in table(path, ("IID", "Image_Path"), report):
        node = node_of(row["IID"].strip())
        if node is None:
            report.reject(stem_of(path), "bad_id", [number])
        elif writer.has(node):
            writer.put(node, kind="image", name="", source=SOURCE, attributes={"path": row["Image_Path"]})
        else:
            unused += 1
    report.note(stem_of(path), "image_without_edge", count=unused)
