"""Reader of a built store: memory-mapped arrays for edges and names, SQLite for long texts."""

import json
import sqlite3
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store import manifest
from secondread.kg.store.finish import TEXTS
from secondread.kg.store.identity import joined, key_of, number_of, split
from secondread.kg.store.key import hash_of, normal
from secondread.kg.store.records import (
    Name,
    Node,
    StoredEdge,
    confidence_of,
    flags_of,
    polarity_of,
)
from secondread.kg.store.rowstore import MOST_HITS, Fan, Hit, Ints, RowStore, damaged, sample
from secondread.kg.store.wording import sentence
from secondread.schema.errors import StoreError


class CsrStore(RowStore):
    """A store in a folder that a `StoreWriter` made. Safe to read from several threads and processes."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.manifest = manifest.read(self.folder, shown=str(folder))
        self._arrays: dict[str, Ints] = {}
        for name in self.manifest["files"]:
            if name.endswith(".npy"):
                self._arrays[name[:-4]] = np.load(self.folder / name, mmap_mode="r", allow_pickle=False).view(
                    np.ndarray
                )
            elif name.endswith(".bin"):
                self._arrays[name[:-4]] = _raw(self.folder / name)
        tables = self.manifest["tables"]
        self.relations: list[str] = tables["relations"]
        self.sources: list[tuple[str, int, str]] = [tuple(entry) for entry in self.manifest["sources"]]
        self._spaces: list[str] = self.manifest["spaces"]
        self._space_codes = {name: code for code, name in enumerate(self._spaces)}
        self._formats = {name: (str(p), int(w)) for name, (p, w) in self.manifest["formats"].items()}
        self._codes = {name: code for code, name in enumerate(self.relations)}
        self.inverses = {self.relations[b]: self.relations[a] for a, b in self.manifest["inverses"]}
        self._relation = self._arrays["edge_relation"]
        self._out, self._object = self._arrays["out_ptr"], self._arrays["out_object"]
        self._in, self._subject, self._in_edge = (self._arrays[n] for n in ("in_ptr", "in_subject", "in_edge"))
        self.count = len(self._out) - 1
        if len(self._in) != len(self._out) or self._out[-1] != len(self._object) or self._in[-1] != len(self._subject):
            raise StoreError(f"{folder}: the arrays do not fit together.", hint="Build the store again.")

    def close(self) -> None:
        """Let go of the files."""
        self._arrays.clear()
        for name in ("_relation", "_out", "_object", "_in", "_subject", "_in_edge"):
            setattr(self, name, np.zeros(0, np.int32))
        base = self.__dict__.pop("_texts", None)
        if base is not None:
            base.close()

    @cached_property
    def _texts(self) -> sqlite3.Connection:
        path = (self.folder / TEXTS).resolve().as_uri()
        return sqlite3.connect(f"{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)

    # Ids

    def row(self, node: str) -> int:
        """Row of an id, -1 when there is none."""
        space, key = split(node)
        code = self._space_codes.get(space)
        if code is None:
            return -1
        number = number_of(space, key, self._formats)
        if number is not None:
            return self._at(self._arrays["number"], self._arrays["number_row"], code << 50 | number)
        hashed = self._arrays["key_hash"]
        wanted = np.uint64(hash_of(f"{space}:{key}"))
        at = int(np.searchsorted(hashed, wanted))
        while at < len(hashed) and hashed[at] == wanted:
            row = int(self._arrays["key_row"][at])
            if self.id_of(row) == node:
                return row
            at += 1
        return -1

    @staticmethod
    def _at(keys: Ints, rows: Ints, wanted: int) -> int:
        at = int(np.searchsorted(keys, np.uint64(wanted)))
        return int(rows[at]) if at < len(keys) and keys[at] == wanted else -1

    def id_of(self, row: int) -> str:
        """Id of a row.

        Raises:
            StoreError: The row points outside the store.
        """
        if not 0 <= row < self.count:
            raise damaged()
        space = self._spaces[self._arrays["node_space"][row]]
        key = int(self._arrays["node_key"][row])
        if key >= 0:
            return joined(space, key_of(space, key, self._formats))
        ptr = self._arrays["key_ptr"]
        begin, end = int(ptr[-key - 1]), int(ptr[-key])
        return joined(space, self._arrays["key_text"][begin:end].tobytes().decode("utf-8", "replace"))

    # Names

    def label(self, row: int) -> tuple[str, str]:
        """Name and kind of a row."""
        kind = self.manifest["tables"]["kinds"][self._arrays["node_kind"][row]]
        number = int(self._arrays["node_name"][row])
        return (self._name_text(row, number) if number >= 0 else self.id_of(row)), kind

    def _name_text(self, row: int, number: int) -> str:
        """A name of a node by its number."""
        first = int(self._arrays["name_ptr"][row])
        sizes = self._arrays["name_size"][first : number + 1].astype(np.int64)
        end = int(self._arrays["name_start"][row]) + int(sizes.sum())
        return self._arrays["name_text"][end - int(sizes[-1]) : end].tobytes().decode("utf-8", "replace")

    def names(self, row: int) -> list[Name]:
        """Every name of a row, in the order they were added."""
        arrays, tables = self._arrays, self.manifest["tables"]
        first, last = int(arrays["name_ptr"][row]), int(arrays["name_ptr"][row + 1])
        at = int(arrays["name_start"][row])
        found = []
        for number in range(first, last):
            size = int(arrays["name_size"][number])
            found.append(
                Name(
                    text=arrays["name_text"][at : at + size].tobytes().decode("utf-8", "replace"),
                    language=tables["languages"][arrays["name_language"][number]],
                    source=self.sources[arrays["name_source"][number]][0],
                    tty=tables["ttys"][arrays["name_tty"][number]],
                    srl=int(arrays["name_srl"][number]),
                    preferred=bool(arrays["name_preferred"][number]),
                )
            )
            at += size
        return found

    def record(self, row: int) -> Node:
        """Everything about the node of a row."""
        name, kind = self.label(row)
        names = self.names(row)
        number = int(self._arrays["node_name"][row])
        types = self._arrays["type_code"][slice(*self._arrays["type_ptr"][row : row + 2])]
        attributes: dict[str, Any] = {}
        for (body,) in self._texts.execute("SELECT body FROM attributes WHERE row = ? ORDER BY rowid", (row,)):
            attributes.update(json.loads(body))
        return Node(
            id=self.id_of(row),
            name=name,
            kind=kind,
            synonyms=tuple(names),
            definition=" ".join(text for text, _, _ in self.definitions(row)[:1]),
            types=tuple(self.manifest["tables"]["types"][code] for code in types),
            source=names[number - int(self._arrays["name_ptr"][row])].source if number >= 0 else "",
            srl=int(self._arrays["node_srl"][row]),
            attributes=attributes,
        )

    def definitions(self, row: int) -> list[tuple[str, str, int]]:
        """Text, source and restriction level of each definition of a row."""
        found = self._texts.execute("SELECT text, source, srl FROM definitions WHERE row = ? ORDER BY rowid", (row,))
        return [(text, self.sources[source][0], srl) for text, source, srl in found]

    def hits(self, form: str) -> list[Hit]:
        """Names with exactly this normal form."""
        keys, numbers, ptr = self._arrays["hash"], self._arrays["hash_name"], self._arrays["name_ptr"]
        wanted = np.uint64(hash_of(form))
        begin, end = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, side="right")
        found = []
        for number in numbers[begin : min(end, begin + MOST_HITS)].tolist():
            row = group_of(ptr, number)
            text = self._name_text(row, number)
            if normal(text) == form:
                found.append(Hit(row, text, bool(self._arrays["name_preferred"][number])))
        return found

    # Edges

    def degree(self, row: int) -> int:
        """Edges of a row, both ways."""
        return int(self._out[row + 1]) - int(self._out[row]) + int(self._in[row + 1]) - int(self._in[row])

    def out_edges(self, row: int) -> tuple[Ints, Ints]:
        """Objects and edge numbers of the edges that leave a row."""
        begin, end = int(self._out[row]), int(self._out[row + 1])
        return self._object[begin:end], np.arange(begin, end)

    def in_edges(self, row: int) -> tuple[Ints, Ints]:
        """Subjects and edge numbers of the edges that reach a row."""
        begin, end = int(self._in[row]), int(self._in[row + 1])
        return self._subject[begin:end], self._in_edge[begin:end]

    def matching(self, edges: Ints, relations: frozenset[str]) -> NDArray[np.bool_]:
        """Which edges have one of these relations."""
        return self._wanted(relations)[self._relation[edges]]

    @lru_cache(maxsize=64)  # noqa: B019 - a store lives as long as its user; 64 small arrays
    def _wanted(self, relations: frozenset[str]) -> NDArray[np.bool_]:
        wanted = np.zeros(max(1, len(self.relations)), bool)
        wanted[[self._codes[name] for name in relations if name in self._codes]] = True
        return wanted

    def weights(self, edges: Ints) -> Ints | None:
        """Confidence bytes of edges."""
        column = self._arrays.get("edge_confidence")
        return None if column is None else column[edges]

    def expand(self, rows: Ints, cap: int, relations: frozenset[str] | None = None) -> Fan:
        """Edges of several nodes both ways, all at once; see `RowStore.expand`."""
        if relations is not None or "edge_confidence" in self._arrays or len(rows) == 0:
            return super().expand(rows, cap, relations)
        rows = np.asarray(rows, np.int64)
        out_begin, in_begin = self._out[rows].astype(np.int64), self._in[rows].astype(np.int64)
        outs, ins = self._out[rows + 1] - out_begin, self._in[rows + 1] - in_begin
        totals = outs + ins
        big = np.flatnonzero(totals > cap)
        if len(big):
            small = totals.copy()
            small[big] = 0
            outs, ins = np.where(totals > cap, 0, outs), np.where(totals > cap, 0, ins)
        out_at, out_parent = _ranges(out_begin, outs)
        in_at, in_parent = _ranges(in_begin, ins)
        parents, others, edges = (
            [out_parent, in_parent],
            [self._object[out_at], self._subject[in_at]],
            [
                out_at,
                self._in_edge[in_at],
            ],
        )
        for index in big.tolist():
            taken = sample(None, int(totals[index]), cap)
            leaving = int(self._out[rows[index] + 1]) - int(out_begin[index])
            first = out_begin[index] + taken[taken < leaving]
            second = in_begin[index] + taken[taken >= leaving] - leaving
            parents.append(np.full(cap, index))
            others += [self._object[first], self._subject[second]]
            edges += [first, self._in_edge[second]]
        first, second, third = (np.concatenate(parts) for parts in (parents, others, edges))
        order = np.argsort(first, kind="stable")
        return Fan(first[order], second[order], third[order], len(big))

    def edge(self, number: int) -> StoredEdge:
        """The record of an edge."""
        if not 0 <= number < len(self._object):
            raise damaged()
        subject = group_of(self._out, number)
        obj, code = int(self._object[number]), int(self._relation[number])
        nth, before, begin = 1, number - 1, int(self._out[subject])
        while before >= begin and self._object[before] == obj and self._relation[before] == code:
            nth, before = nth + 1, before - 1
        relation = self.relations[code]
        source, srl, _ = self.sources[self._arrays["edge_source"][number]]
        byte = self._byte("edge_flags", number)
        evidence = self._byte("edge_evidence", number)
        start, end = self.id_of(subject), self.id_of(obj)
        return StoredEdge(
            subject=start,
            relation=relation,
            object=end,
            text=sentence(self.label(subject)[0], relation, self.label(obj)[0], polarity_of(byte)),
            source=source,
            id=f"{start}|{relation}|{end}#{nth}",
            polarity=polarity_of(byte),
            confidence=confidence_of(self._byte("edge_confidence", number)),
            evidence=self._evidence(evidence) if evidence else None,
            srl=srl,
            flags=flags_of(byte),
        )

    def _byte(self, name: str, number: int) -> int:
        column = self._arrays.get(name)
        return 0 if column is None else int(column[number])

    def _evidence(self, number: int) -> dict[str, Any] | None:
        found = self._texts.execute("SELECT body FROM evidence WHERE number = ?", (number,)).fetchone()
        return None if found is None else json.loads(found[0])

    def stats(self) -> dict[str, Any]:
        """Counts by kind, relation and source, and where the store comes from."""
        head = {name: self.manifest[name] for name in ("source", "version", "licence", "restricted")}
        return {**head, **self.manifest["stats"]}

    def ids(self) -> Iterator[str]:
        """Every node id, by row."""
        return (self.id_of(row) for row in range(self.count))


def group_of(pointers: Ints, number: int) -> int:
    """Which group a number lies in. The number is given the type of the pointers, else the whole array is converted."""
    return int(np.searchsorted(pointers, pointers.dtype.type(number), side="right")) - 1


def _ranges(begin: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Every number from each begin on for its count, and which of them it belongs to."""
    parents = np.repeat(np.arange(len(counts)), counts)
    first = begin - np.concatenate(([0], np.cumsum(counts)[:-1]))
    return np.repeat(first, counts) + np.arange(len(parents)), parents


def _raw(path: Path) -> Ints:
    if path.stat().st_size == 0:
        return np.zeros(0, np.uint8)
    return np.memmap(path, np.uint8, "r").view(np.ndarray)
