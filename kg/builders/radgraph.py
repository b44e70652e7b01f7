"""Build a graph store from RadGraph annotations: JSON of reports with entities and relations, version 1 or XL.

Labels: `OBS-DP`, `OBS-DA`, `OBS-U`, `ANAT-DP` (RadGraph 1), `Observation::definitely absent` and the like (RadGraph-XL;
Stanford-AIMI/radgraph). Reports mention entities with a polarity and the tokens they were read from; relations between
entities keep the report as evidence.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from secondread.kg.builders.lines import json_of, stem_of, text_of
from secondread.kg.builders.report import BuildReport
from secondread.kg.builders.staged import Progress, store
from secondread.kg.store.key import normal
from secondread.kg.store.writer import StoreWriter
from secondread.schema.errors import InputError

LICENCE = "RadGraph annotations under the PhysioNet or Stanford agreement: not to be handed on"
SOURCE = "RadGraph"
RELATIONS = ("modify", "located_at", "suggestive_of")
_POLARITY = {
    "dp": "positive", "da": "negative", "u": "uncertain", "definitely present": "positive",
    "definitely absent": "negative", "uncertain": "uncertain", "measurement": "positive",
}  # fmt: skip
_KIND = {"anat": "anatomy", "anatomy": "anatomy", "obs": "finding", "observation": "finding"}

Linked = Callable[[str], str | None]
"""The id of the concept that a text names, or None."""


def build(
    source: Path, out: Path, *, strict: bool = False, version: str = "", progress: Progress | None = None,
    concept: Linked | None = None,
) -> tuple[dict[str, Any], BuildReport]:  # fmt: skip
    """Build a store; see `rrf.build`.

    Args:
        source: A `.json` file, plain or gzip, or a folder of them.
        out: Where the store will lie.
        strict: End at the first entity or relation that would be left out.
        version: Of the annotations.
        progress: Told how far the build is.
        concept: Gives the concept an entity's words name; entities it does not know are named by their words.

    Raises:
        InputError: Nothing usable is there, or strict and an entity is wrong.
    """
    paths = sorted(p for p in source.glob("*.json*") if p.is_file()) if source.is_dir() else [source]
    if not paths or not paths[0].is_file():
        raise InputError(f"{source} holds no RadGraph JSON.")

    def fill(writer: StoreWriter, report: BuildReport) -> None:
        writer.source(SOURCE, srl=9, licence=LICENCE)
        for number, path in enumerate(paths):
            if progress is not None:
                progress(path.name, number / len(paths))
            for name, body in _reports(path):
                _report(stem_of(path), name, body, writer, report, concept)

    return store(out, source=SOURCE, version=version, licence=LICENCE, restricted=True, strict=strict, fill=fill)


def label_of(label: str) -> tuple[str, str] | None:
    """Kind and polarity that a label says, None for an unknown label."""
    kind, sign, state = label.partition("::") if "::" in label else label.partition("-")
    found = _KIND.get(kind.strip().lower()), _POLARITY.get(state.strip().lower())
    return (found[0], found[1]) if sign and found[0] and found[1] else None


def _reports(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        body = json_of(text_of(path))
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}.") from error
    if isinstance(body, list):
        body = {str(one.get("doc_key", n)) if isinstance(one, dict) else str(n): one for n, one in enumerate(body)}
    if not isinstance(body, dict):
        raise InputError(f"{path} is no RadGraph file: an object of reports is expected.")
    yield from body.items()


def _report(file: str, name: str, body: Any, writer: StoreWriter, report: BuildReport, concept: Linked | None) -> None:
    if file not in report.files:
        report.begin(file)
    report.read(file, 1)
    held = body if isinstance(body, dict) else {}
    # Doubly annotated reports keep each reader's entities under a key of its own; the first is used.
    inner = next((v for k, v in held.items() if k.startswith("labeler") and isinstance(v, dict)), {})
    entities = held.get("entities") or inner.get("entities")
    if not isinstance(entities, dict):
        report.reject(file, "no_entities", count=1)
        return
    node = f"RADGRAPH:{name}"
    writer.put(node, kind="report", name=f"report {name}", source=SOURCE, srl=9)
    known: dict[str, str] = {}
    for key, one in entities.items():
        said = label_of(str(one.get("label", ""))) if isinstance(one, dict) else None
        words = normal(str(one.get("tokens", ""))) if isinstance(one, dict) else ""
        if said is None or not words:
            report.reject(file, "bad_label" if words else "no_tokens", count=1)
            continue
        kind, polarity = said
        entity = (concept(str(one["tokens"])) if concept is not None else None) or f"RADGRAPH:entity {words}"
        if not writer.has(entity):
            writer.put(entity, kind=kind, name=str(one["tokens"]), source=SOURCE, srl=9)
        known[key] = entity
        evidence = {"report": name, "start": one.get("start_ix"), "end": one.get("end_ix")}
        writer.join(node, "mentions", entity, source=SOURCE, polarity=polarity, evidence=evidence)
    for key, subject in known.items():
        relations = entities[key].get("relations") or []
        for relation in relations if isinstance(relations, list) else [relations]:
            match relation:
                case [str(kind), str(other)] if kind in RELATIONS and other in known:
                    if known[other] != subject:
                        writer.join(subject, kind, known[other], source=SOURCE, evidence={"report": name})
                case _:
                    report.reject(file, "bad_relation", count=1)
