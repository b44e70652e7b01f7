"""Build a graph store from tables of open ontologies: DO, MONDO, UBERON, RadLex, Open Imaging Finding Models, CUI map.

The folder has the layout described in its README: `doid/`, `mondo/`, `uberon/`, `radlex/`, `oifm/`,
`cui_crosswalk.tsv`; whatever of it is there is read. Synonyms carry a scope (`E:` exact, `R:` related, `N:` narrow,
`B:` broad) that becomes the term type of the name.
"""

import re
from pathlib import Path
from typing import Any

from secondread.kg.builders.lines import found, json_of, lines, stem_of, tsv
from secondread.kg.builders.report import BuildReport
from secondread.kg.builders.staged import Ends, Progress, store
from secondread.kg.store.records import Name
from secondread.kg.store.writer import StoreWriter
from secondread.schema.errors import InputError

LICENCE = "per source: DO CC0 1.0, MONDO CC BY 4.0, UBERON CC BY 3.0, RadLex License 2.0, OIFM MIT"
SCOPES = {"E": "exact", "R": "related", "N": "narrow", "B": "broad"}
_CURIE = re.compile(r"[A-Za-z_]+:\S+")
_ONTOLOGIES = (
    ("doid", "DO", "disease", "CC0 1.0", ("edges.tsv", "relations_2018.tsv")),
    ("mondo", "MONDO", "disease", "CC BY 4.0", ("edges_rare.tsv",)),
    ("uberon", "UBERON", "anatomy", "CC BY 3.0", ("edges.tsv",)),
)
_LISTS = ("attributes", "synonyms", "codes", "modalities", "sections")
"""Values of finding models and gamuts that are lists where they are there."""
_OWN = ("DOID", "MONDO", "UBERON", "RID")


def build(
    source: Path, out: Path, *, strict: bool = False, version: str = "", progress: Progress | None = None
) -> tuple[dict[str, Any], BuildReport]:
    """Build a store; see `rrf.build`.

    Raises:
        InputError: The folder holds none of the tables, or strict and a row is wrong.
    """

    def fill(writer: StoreWriter, report: BuildReport) -> None:
        _Job(source, writer, report, progress or (lambda _step, _share: None)).run()

    if not source.is_dir():
        raise InputError(f"{source} is no folder.")
    return store(
        out, source="open ontologies", version=version, licence=LICENCE, restricted=False, strict=strict, fill=fill
    )


class _Job:
    def __init__(self, folder: Path, writer: StoreWriter, report: BuildReport, told: Progress) -> None:
        self.folder, self.writer, self.report, self.told = folder, writer, report, told
        self.ends = Ends()

    def run(self) -> None:
        steps = (
            *(lambda one=one: self._ontology(*one) for one in _ONTOLOGIES), self._radlex, self._findings, self._gamuts,
            self._crosswalk,
        )  # fmt: skip
        for number, step in enumerate(steps):
            self.told("tables", number / len(steps))
            step()
        if not self.report.files:
            raise InputError(f"{self.folder} holds no table that is known.", hint="See `secondread kg build --help`.")
        self.ends.write(self.writer, self.report, own=_OWN)

    def _ontology(self, name: str, source: str, kind: str, licence: str, edges: tuple[str, ...]) -> None:
        nodes = found(self.folder / name, "nodes.tsv")
        if nodes is None:
            return
        self.writer.source(source, licence=licence)
        file = self._named(nodes)
        for number, row in tsv(nodes, ("id", "label"), file):
            if not self._fits(stem_of(nodes), number, row["id"], row["label"], file):
                continue
            self.writer.put(
                row["id"], kind=kind, name=row["label"], synonyms=_synonyms(row.get("synonyms", ""), source),
                definition=row.get("definition", ""), source=source,
                attributes=_cross(row.get("xrefs") or row.get("exact_matches", "")),
            )  # fmt: skip
        for edge_name in edges:
            path = found(self.folder / name, edge_name)
            if path is not None:
                view = self._named(path)
                for number, row in tsv(path, ("subject", "relation", "object"), view):
                    if not (_CURIE.fullmatch(row["subject"]) and _CURIE.fullmatch(row["object"]) and row["relation"]):
                        view.reject(stem_of(path), "bad_id", [number])
                        continue
                    relation = "is_a" if row["relation"] == "subclass_of" else row["relation"]
                    self.ends.add(view.name(stem_of(path)), number, row["subject"], relation, row["object"], source)

    def _named(self, path: Path) -> "_Under":
        """A report in which the file stands with its folder: several folders have a `nodes.tsv`."""
        return _Under(self.report, path.parent.name)

    def _fits(self, file: str, number: int, node: str, label: str, view: "_Under") -> bool:
        if not _CURIE.fullmatch(node):
            view.reject(file, "bad_id", [number])
        elif not label.strip():
            view.reject(file, "empty_label", [number])
        elif self.writer.has(node):
            view.reject(file, "duplicate_id", [number])
        else:
            return True
        return False

    def _radlex(self) -> None:
        path = found(self.folder / "radlex", "terms.tsv")
        if path is None:
            return
        self.writer.source("RadLex", licence="RadLex License 2.0")
        view = self._named(path)
        parents: list[tuple[int, str, str]] = []
        for number, row in tsv(path, ("rid", "label", "parent_rid"), view):
            node = f"RID:{row['rid']}"
            if not self._fits(stem_of(path), number, node, row["label"], view):
                continue
            self.writer.put(node, kind="term", name=row["label"], source="RadLex")
            if row["parent_rid"]:
                parents.append((number, node, f"RID:{row['parent_rid']}"))
        for number, node, parent in parents:
            if self.writer.has(parent):
                self.writer.join(node, "is_a", parent, source="RadLex")
            else:
                view.note(stem_of(path), "dangling_parent", [number])

    def _findings(self) -> None:
        path = found(self.folder / "oifm", "finding_models.jsonl")
        if path is None:
            return
        self.writer.source("OIFM", licence="MIT")
        for number, one in self._objects(path):
            node, name = str(one.get("oifm_id") or one.get("id") or ""), str(one.get("name") or "")
            view = self._named(path)
            if not node or not name.strip():
                view.reject(stem_of(path), "empty_label" if node else "bad_id", [number])
                continue
            if self.writer.has(f"OIFM:{node}"):
                view.reject(stem_of(path), "duplicate_id", [number])
                continue
            attributes = {
                str(a["name"]): a.get("values")
                or f"{a.get('minimum', '')} to {a.get('maximum', '')} {a.get('unit', '')}"
                for a in one.get("attributes") or ()
                if isinstance(a, dict) and a.get("name")
            }
            self.writer.put(
                f"OIFM:{node}", kind="finding", name=name, synonyms=[str(s) for s in one.get("synonyms") or ()],
                definition=str(one.get("description") or ""), source="OIFM", attributes=attributes,
            )  # fmt: skip
            for code in one.get("codes") or ():
                system, _, value = str(code).partition(":")
                if system == "RADLEX" and self.writer.has(f"RID:{value}"):
                    self.writer.join(f"OIFM:{node}", "exact_match", f"RID:{value}", source="OIFM")

    def _gamuts(self) -> None:
        path = found(self.folder / "oifm", "gamuts_terms.jsonl")
        if path is None:
            return
        self.writer.source("Gamuts", licence="MIT by the repository")
        for number, one in self._objects(path):
            node, name = str(one.get("gamuts_id") or ""), str(one.get("name") or "")
            view = self._named(path)
            if not node or not name.strip():
                view.reject(stem_of(path), "empty_label" if node else "bad_id", [number])
                continue
            if self.writer.has(f"GAMUTS:{node}"):
                view.reject(stem_of(path), "duplicate_id", [number])
                continue
            self.writer.put(
                f"GAMUTS:{node}", kind=str(one.get("category") or "finding"), name=name,
                synonyms=[str(s) for s in one.get("synonyms") or ()], definition=str(one.get("description") or ""),
                source="Gamuts", attributes={k: one[k] for k in ("modalities", "sections") if one.get(k)},
            )  # fmt: skip

    def _objects(self, path: Path) -> "list[tuple[int, dict[str, Any]]]":
        """(line, object) of a JSON-lines file."""
        made: list[tuple[int, dict[str, Any]]] = []
        view = self._named(path)
        for number, text in lines(path, view):
            try:
                one = json_of(text)
            except ValueError:
                one = None
            if isinstance(one, dict) and all(isinstance(one.get(name) or [], list) for name in _LISTS):
                made.append((number, one))
            elif isinstance(one, dict):
                view.reject(stem_of(path), "bad_value", [number])
            else:
                view.reject(stem_of(path), "empty_line" if not text.strip() else "bad_json", [number])
        return made

    def _crosswalk(self) -> None:
        path = found(self.folder, "cui_crosswalk.tsv")
        if path is None:
            return
        self.writer.source("crosswalk", licence=LICENCE)
        for number, row in tsv(path, ("cui", "id", "label"), self.report):
            if not re.fullmatch(r"C\d{7}", row["cui"]):
                self.report.reject(stem_of(path), "bad_cui", [number])
                continue
            if not self.writer.has(f"UMLS:{row['cui']}"):
                self.writer.put(f"UMLS:{row['cui']}", kind="concept", name=row["label"], source="crosswalk")
            self.ends.add(stem_of(path), number, row["id"], "exact_match", f"UMLS:{row['cui']}", "crosswalk")


class _Under(BuildReport):
    """A report that puts a folder before the names of files."""

    def __init__(self, report: BuildReport, folder: str) -> None:
        super().__init__(strict=report.strict)
        self.files = report.files
        self._folder = folder

    def name(self, file: str) -> str:
        """The name under which a file is reported."""
        return f"{self._folder}/{file}"

    def begin(self, file: str) -> None:
        """See `BuildReport.begin`."""
        super().begin(self.name(file))

    def read(self, file: str, rows: int) -> None:
        """See `BuildReport.read`."""
        super().read(self.name(file), rows)

    def _count(self, part: str, file: str, what: str, lines: Any, count: int | None) -> int | None:
        return super()._count(part, self.name(file), what, lines, count)


def _synonyms(cell: str, source: str) -> list[Name]:
    made = []
    for one in filter(None, cell.split("|")):
        scope, colon, text = one.partition(":")
        if not colon or scope not in SCOPES:
            scope, text = "", one
        if text.strip():
            made.append(Name(text=text, source=source, tty=SCOPES.get(scope, "")))
    return made


def _cross(cell: str) -> dict[str, Any]:
    codes = [code for code in cell.split("|") if code]
    return {"xrefs": codes} if codes else {}
