"""Build a graph store: columns are spilled to disk as they come, sorted and renamed into place at the end."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store.key import columns_of, hashes
from secondread.kg.store.lock import BuildLock
from secondread.kg.store.nodes import Nodes
from secondread.kg.store.records import Name, confidence_byte, flag_byte, names_of
from secondread.kg.store.spill import Columns
from secondread.schema.errors import InputError, StoreError

STATE = "state.json"
BATCH = 1 << 16
"""Row-wise edges and names that are kept in memory before they become columns."""
_TABLES = {"relations": 65535, "kinds": 255, "languages": 255, "ttys": 65535, "types": 65535}
"""Small dictionaries and the most entries of each."""


class StoreWriter:
    """Builds `FOLDER.partial` and renames it to `FOLDER` in `finish()`. Use `StoreWriter.open`.

    Stages are whole input files: `if not writer.done(stage): ...; writer.mark(stage)`. An interrupted build goes on
    after its last marked stage when it is opened with the same inputs, and starts clean otherwise. Columns of millions
    of rows go in with `numbers`, `names`, `types`, `definitions` and `edges`, single things with `put` and `join`.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.folder = folder
        self.partial = folder.with_name(f"{folder.name}.partial")
        self.header = header
        self.tables: dict[str, dict[str, int]] = {name: {} for name in _TABLES}
        self.sources: dict[str, tuple[int, int, str]] = {}
        self.inverses: list[tuple[int, int]] = []
        self.stages: list[str] = []
        self.counts = {"edges": 0, "evidence": 0}
        self.columns = Columns(self.partial / "spill")
        self.nodes = Nodes(self.columns)
        self._edge_rows: list[tuple[int, int, int, int, int, int, int]] = []
        self._name_rows: list[tuple[int, Name]] = []
        self._lock: BuildLock | None = None

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        source: str,
        version: str,
        licence: str,
        restricted: bool,
        inputs: str = "",
    ) -> "StoreWriter":
        """Start a build, or go on with one.

        Args:
            folder: Where the store will lie.
            source: What it is built from, e.g. `UMLS`.
            version: Release of the source.
            licence: Terms of the content in one line.
            restricted: Whether the content must not be handed on.
            inputs: Anything that tells one set of inputs from another, e.g. names and sizes of the files.

        Raises:
            StoreError: The place cannot be written, or another build is writing it.
        """
        folder = Path(folder)
        header = {
            "source": source, "version": version, "licence": licence, "restricted": restricted, "inputs": inputs,
        }  # fmt: skip
        partial = folder.with_name(f"{folder.name}.partial")
        lock = BuildLock(folder)
        state = _state(partial / STATE, header)
        if state is None:
            shutil.rmtree(partial, ignore_errors=True)
        made = cls(folder, header)
        made._lock = lock
        made.columns.cut(state["sizes"] if state else {})
        if state:
            made._restore(state)
        return made

    def _restore(self, state: dict[str, Any]) -> None:
        self.tables = state["tables"]
        self.sources = {name: tuple(entry) for name, entry in state["sources"].items()}
        self.inverses = [tuple(pair) for pair in state["inverses"]]
        self.stages, self.counts = state["stages"], state["counts"]
        self.nodes.restore(state["spaces"], {k: tuple(v) for k, v in state["formats"].items()})

    def done(self, stage: str) -> bool:
        """Whether a stage was finished, now or in the build that this one continues."""
        return stage in self.stages

    def mark(self, stage: str) -> None:
        """A stage is finished: what was added so far outlives a crash."""
        self._flush_rows()
        self.stages.append(stage)
        state = {
            "header": self.header, "tables": self.tables, "sources": self.sources, "inverses": self.inverses,
            "stages": self.stages, "counts": self.counts, "spaces": self.nodes.spaces, "formats": self.nodes.formats,
            "sizes": self.columns.sizes(),
        }  # fmt: skip
        new = self.partial / f"{STATE}.new"
        new.write_text(json.dumps(state), encoding="utf-8")
        os.replace(new, self.partial / STATE)

    # Small dictionaries

    def _code(self, table: str, text: str) -> int:
        codes = self.tables[table]
        if text not in codes:
            if len(codes) > _TABLES[table]:
                raise InputError(f"A store holds at most {_TABLES[table] + 1} {table}.")
            codes[text] = len(codes)
        return codes[text]

    def relation(self, name: str) -> int:
        """Code of a relation."""
        return self._code("relations", name)

    def kind(self, name: str) -> int:
        """Code of a kind of node."""
        return self._code("kinds", name)

    def language(self, name: str) -> int:
        """Code of a language."""
        return self._code("languages", name)

    def tty(self, name: str) -> int:
        """Code of a term type."""
        return self._code("ttys", name)

    def type_code(self, name: str) -> int:
        """Code of a semantic type."""
        return self._code("types", name)

    def source(self, name: str, *, srl: int = 0, licence: str = "") -> int:
        """Code of a source; restriction level and licence are those given when it is first named with one."""
        if name not in self.sources:
            self.sources[name] = (len(self.sources), srl, licence)
        elif (srl or licence) and self.sources[name][1:] == (0, ""):
            self.sources[name] = (self.sources[name][0], srl, licence)
        return self.sources[name][0]

    def inverse(self, kept: str, folded: str) -> None:
        """Declare that `a folded b` says `b kept a`: such rows become one edge. The same name twice: symmetric."""
        pair = (self.relation(kept), self.relation(folded))
        if pair not in self.inverses:
            self.inverses.append(pair)

    def namespace(self, name: str, prefix: str, width: int) -> None:
        """Declare that the keys of a namespace are `prefix` and a number of at least `width` digits."""
        self.nodes.formats.setdefault(name, (prefix, width))

    # Columns

    def numbers(self, namespace: str, numbers: NDArray[np.int64], *, kind: str | int) -> NDArray[np.int32]:
        """Rows of numbered keys; unknown ones are added with this kind."""
        rows, new = self.nodes.numbers(namespace, np.asarray(numbers, np.int64))
        self._kinds(new, self.kind(kind) if isinstance(kind, str) else kind)
        return rows

    def find(self, namespace: str, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Rows of numbered keys, -1 where there is none."""
        return self.nodes.find_numbers(namespace, np.asarray(numbers, np.int64))

    def _kinds(self, rows: NDArray[np.int32], kind: int) -> None:
        if len(rows):
            self.columns.append("kind.row", rows.astype(np.int32))
            self.columns.append("kind.code", np.full(len(rows), kind, np.uint8))

    def _codes(self, table: str, values: Any, count: int, dtype: Any) -> NDArray[Any]:
        """Codes of a column that is codes already, one text for all, or texts (list or pyarrow)."""
        if isinstance(values, str):
            return np.full(count, self._code(table, values), dtype)
        if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
            return values.astype(dtype)
        if isinstance(values, int):
            return np.full(count, values, dtype)
        if hasattr(values, "dictionary_encode"):
            coded = values.dictionary_encode()
            coded = coded.combine_chunks() if hasattr(coded, "chunks") else coded
            table_codes = np.array([self._code(table, t or "") for t in coded.dictionary.to_pylist()], dtype)
            found: NDArray[Any] = table_codes[coded.indices.to_numpy(zero_copy_only=False)]
            return found
        return np.fromiter((self._code(table, text) for text in values), dtype, count)

    def names(
        self,
        rows: NDArray[np.int32],
        texts: Any,
        *,
        languages: Any = "",
        sources: Any,
        ttys: Any = "",
        srls: Any = 0,
        preferred: Any = False,
    ) -> None:
        """Add names of nodes.

        Args:
            rows: int32[n].
            texts: pyarrow string array or list of str.
            languages: Codes from `language`, texts, or one text for all.
            sources: Codes from `source`, or one for all.
            ttys: Codes from `tty`, texts, or one text for all.
            srls: uint8[n] or one for all.
            preferred: bool[n] or one for all; the first preferred name of a node becomes its name.
        """
        blob, offsets = columns_of(texts)
        count = len(rows)
        if len(offsets) != count + 1:
            raise InputError("Names need as many texts as rows.")
        put = self.columns.append
        put("name.row", np.asarray(rows, np.int32))
        self.columns.texts("name", blob, offsets)
        put("name.hash", hashes(blob, offsets))
        put("name.language", self._codes("languages", languages, count, np.uint8))
        put("name.source", np.broadcast_to(np.asarray(sources, np.uint16), count))
        put("name.tty", self._codes("ttys", ttys, count, np.uint16))
        put("name.srl", np.broadcast_to(np.asarray(srls, np.uint8), count))
        put("name.preferred", np.broadcast_to(np.asarray(preferred, np.uint8), count))
        self.counts["names"] = self.counts.get("names", 0) + count

    @property
    def name_count(self) -> int:
        """Names added so far; the next one has this number."""
        self._flush_names()
        return self.counts.get("names", 0)

    def prefer(self, names: NDArray[np.int64]) -> None:
        """Make exactly these names (by number) the preferred ones, for builders that know only after reading all."""
        chosen = np.zeros(self.name_count, np.uint8)
        chosen[names] = 1
        self.columns.replace("name.preferred", chosen)

    def types(self, rows: NDArray[np.int32], texts: Any) -> None:
        """Add semantic types of nodes; `texts` as in `names`, or codes."""
        self.columns.append("type.row", np.asarray(rows, np.int32))
        self.columns.append("type.code", self._codes("types", texts, len(rows), np.uint16))

    def definitions(self, rows: NDArray[np.int32], texts: Any, sources: Any, srls: Any = 0) -> None:
        """Add definitions of nodes."""
        self.columns.append("definition.row", np.asarray(rows, np.int32))
        self.columns.texts("definition", *columns_of(texts))
        self.columns.append("definition.source", np.broadcast_to(np.asarray(sources, np.uint16), len(rows)))
        self.columns.append("definition.srl", np.broadcast_to(np.asarray(srls, np.uint8), len(rows)))

    def edges(
        self,
        subjects: NDArray[np.int32],
        objects: NDArray[np.int32],
        relations: Any,
        sources: Any,
        *,
        flags: Any = None,
        confidence: Any = None,
        evidence: Any = None,
    ) -> None:
        """Add edges.

        Args:
            subjects: int32[n] rows.
            objects: int32[n] rows.
            relations: uint16[n] codes from `relation`, or one for all.
            sources: uint16[n] codes from `source`, or one for all.
            flags: uint8[n] from `records.flag_byte`; None for 0.
            confidence: uint8[n] from `records.confidence_byte`; None for none.
            evidence: uint32[n] numbers from `evidence`, 0 for none.

        Raises:
            InputError: A row is no node.
        """
        self._flush_edges()
        count = len(subjects)
        for ends in (subjects, objects):
            if count and (int(np.min(ends)) < 0 or int(np.max(ends)) >= self.nodes.count):
                raise InputError("An edge names a row that is no node.")
        put = self.columns.append
        put("edge.subject", np.asarray(subjects, np.int32))
        put("edge.object", np.asarray(objects, np.int32))
        for name, values, dtype in (
            ("relation", relations, np.uint16), ("source", sources, np.uint16), ("flags", flags, np.uint8),
            ("confidence", confidence, np.uint8), ("evidence", evidence, np.uint32),
        ):  # fmt: skip
            put(f"edge.{name}", np.broadcast_to(np.asarray(0 if values is None else values, dtype), count))
        self.counts["edges"] += count

    # One at a time

    def evidence(self, evidence: Mapping[str, Any]) -> int:
        """Number of a piece of evidence, for `edges`."""
        self.columns.texts("evidence", *columns_of([json.dumps(dict(evidence), ensure_ascii=False)]))
        self.counts["evidence"] += 1
        return self.counts["evidence"]

    def has(self, node: str) -> bool:
        """Whether a node with this id was added."""
        return self.nodes.find(node) >= 0

    def row(self, node: str) -> int:
        """Row of an id, -1 when there is none."""
        return self.nodes.find(node)

    def put(
        self,
        node: str,
        *,
        kind: str,
        name: str,
        synonyms: Sequence[str | Name] = (),
        definition: str = "",
        types: Sequence[str] = (),
        source: str,
        srl: int = 0,
        attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a node, or more names to one; its row."""
        row, _ = self.nodes.add(node)
        self._kinds(np.array([row], np.int32), self.kind(kind))
        self._name_rows += [(row, one) for one in names_of(name, synonyms, source, srl)]
        if len(self._name_rows) >= BATCH:
            self._flush_names()
        at = np.array([row], np.int32)
        if definition:
            self.definitions(at, [definition], self.source(source), srl)
        if types:
            self.types(np.full(len(types), row, np.int32), list(types))
        if attributes:
            self.columns.append("attributes.row", at)
            self.columns.texts("attributes", *columns_of([json.dumps(dict(attributes), ensure_ascii=False)]))
        return row

    def join(
        self,
        subject: str,
        relation: str,
        obj: str,
        *,
        source: str,
        polarity: str | None = None,
        confidence: float | None = None,
        evidence: Mapping[str, Any] | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        """Add an edge; ends that were not added become bare nodes of kind `unknown`."""
        first, second = self._end(subject), self._end(obj)
        number = self.evidence(evidence) if evidence else 0
        self._edge_rows.append(
            (first, second, self.relation(relation), self.source(source), flag_byte(polarity, flags),
             confidence_byte(confidence), number)
        )  # fmt: skip
        if len(self._edge_rows) >= BATCH:
            self._flush_edges()

    def _end(self, node: str) -> int:
        row, new = self.nodes.add(node)
        if new:
            self._kinds(np.array([row], np.int32), self.kind("unknown"))
        return row

    def _flush_edges(self) -> None:
        rows, self._edge_rows = self._edge_rows, []
        if rows:
            s, o, r, src, flags, confidence, evidence = np.array(rows, np.int64).T
            self.edges(s, o, r, src, flags=flags, confidence=confidence, evidence=evidence)

    def _flush_names(self) -> None:
        rows, self._name_rows = self._name_rows, []
        if rows:
            names = [name for _, name in rows]
            self.names(
                np.array([row for row, _ in rows], np.int32),
                [n.text for n in names],
                languages=[n.language for n in names],
                sources=[self.source(n.source) for n in names],
                ttys=[n.tty for n in names],
                srls=[n.srl for n in names],
                preferred=[n.preferred for n in names],
            )

    def _flush_rows(self) -> None:
        self._flush_edges()
        self._flush_names()

    def finish(self) -> dict[str, Any]:
        """Sort, write the store and rename it into place; its `stats()`.

        Raises:
            StoreError: The disk is full or cannot be written; there is no store then, and the build can go on later.
        """
        from secondread.kg.store.finish import finish

        try:
            self._flush_rows()
            self.columns.flush()
            stats = finish(self)
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror or error}.") from error
        self.columns.close()
        shutil.rmtree(self.partial)
        self.release()
        return stats

    def release(self) -> None:
        """Let go of the build; what was marked can be continued by another."""
        self.columns.close()
        if self._lock is not None:
            self._lock.release()


def _state(path: Path, header: dict[str, Any]) -> dict[str, Any] | None:
    """The state of an interrupted build of the same inputs, or None."""
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sizes = state["sizes"]
        fits = state["header"] == header and all(
            (path.parent / "spill" / name).stat().st_size >= size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state if fits else None
