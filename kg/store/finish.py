"""The last step of a build: sort the spilled columns, write the store, rename it into place."""

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from secondread.kg.store import manifest
from secondread.kg.store.key import hashes_of
from secondread.kg.store.records import INVERTED

if TYPE_CHECKING:
    from secondread.kg.store.writer import StoreWriter

Ints = NDArray[Any]
BLOCK = 1 << 24
TEXTS = "texts.sqlite"


class Output:
    """The files of a store while they are written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.names: list[str] = []

    def save(self, name: str, array: Ints) -> None:
        """Write `name.npy` by plain writes, and wait until it is on disk."""
        array = np.ascontiguousarray(array)
        with (self.folder / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            view = array.reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
            for begin in range(0, len(view), BLOCK):
                file.write(view[begin : begin + BLOCK])
            file.flush()
            os.fsync(file.fileno())
        self.names.append(f"{name}.npy")

    def take(self, name: str, path: Path) -> None:
        """A spilled column as it is; linked where the file system can, since it is not written to again."""
        target = self.folder / name
        if not path.exists():
            target.touch()
        else:
            try:
                os.link(path, target)
            except OSError:
                shutil.copyfile(path, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
        self.names.append(name)


def finish(writer: "StoreWriter") -> dict[str, Any]:
    """Write the store of a build and rename it into place; its stats."""
    output = Output(writer.partial / "store")
    nodes = writer.nodes.count
    with ThreadPoolExecutor(1) as side:  # sorting lets other threads run, and edges and names share nothing
        named = side.submit(_named, writer, output, nodes)
        edge_stats = _edges(writer, output, nodes)
        names, kinds, definitions = named.result()
    sources = sorted(writer.sources, key=lambda name: writer.sources[name][0])
    relations = list(writer.tables["relations"])
    stats: dict[str, Any] = {
        "nodes": nodes,
        "edges": edge_stats["edges"],
        "names": names,
        "definitions": definitions,
        "kinds": dict(sorted((list(writer.tables["kinds"])[k], n) for k, n in kinds.items())),
        "relations": dict(sorted((relations[r], n) for r, n in edge_stats["relations"].items())),
        "sources": dict(sorted((sources[s], n) for s, n in edge_stats["sources"].items())),
        "self_loops_dropped": edge_stats["loops"],
        "rows_folded": edge_stats["folded"],
    }
    content = {
        **writer.header,
        "stats": stats,
        "tables": {name: list(codes) for name, codes in writer.tables.items()},
        "sources": [[name, *writer.sources[name][1:]] for name in sources],
        "spaces": list(writer.nodes.spaces),
        "formats": {k: v for k, v in writer.nodes.formats.items() if k in writer.nodes.spaces},
        "inverses": writer.inverses,
        "files": manifest.entries(output.folder, sorted(output.names)),
    }
    manifest.write(output.folder, content)
    _rename(output.folder, writer.folder)
    return stats


def _named(writer: "StoreWriter", output: Output, nodes: int) -> tuple[int, Counter[int], int]:
    """Everything but the edges: number of names, nodes by kind, number of definitions."""
    names = _names(writer, output, nodes)
    kinds = _nodes(writer, output, nodes)
    _types(writer, output, nodes)
    return names, kinds, _texts(writer, output)


def _rename(made: Path, folder: Path) -> None:
    old = folder.with_name(f"{folder.name}.old")
    sync_folder(made)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.rename(folder, old)
    os.rename(made, folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Wait until the entries of a folder are on disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def pointers(counts: Ints) -> Ints:
    """Where each group starts, and the end; int32 where that is enough."""
    ends = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    return ends.astype(np.int32) if ends[-1] < 2**31 else ends


def stable_order(keys: Ints, groups: int) -> Ints:
    """Order that sorts whole numbers below `groups`; equal ones stay in order. A counting sort, by scipy."""
    from scipy.sparse import csc_array

    count = len(keys)
    if count == 0:
        return np.zeros(0, np.int64)
    if keys.dtype.itemsize <= 2:
        return np.argsort(keys, kind="stable")
    # A matrix with one entry per column lists, by rows, the columns of each row in order.
    index = np.int32 if count < 2**31 - 1 else np.int64
    columns = csc_array((np.ones(count, np.int8), keys, np.arange(count + 1, dtype=index)), shape=(groups, count))
    order: Ints = columns.tocsr().indices
    return order


def _edges(writer: "StoreWriter", output: Output, nodes: int) -> dict[str, Any]:
    read = writer.columns.read
    subject, obj = read("edge.subject", np.int32), read("edge.object", np.int32)
    relation, source = read("edge.relation", np.uint16), read("edge.source", np.uint16)
    flags, confidence = read("edge.flags", np.uint8), read("edge.confidence", np.uint8)
    evidence = read("edge.evidence", np.uint32)
    rest = [relation, source, flags, confidence, evidence]
    total = len(subject)

    kept = subject != obj
    loops = total - int(np.count_nonzero(kept))
    if loops:
        subject, obj = subject[kept], obj[kept]
        rest = [column[kept] for column in rest]
    _fold(writer, subject, obj, *rest[:3])

    order = np.arange(len(subject), dtype=np.int32 if len(subject) < 2**31 else np.int64)
    for key, size in (*_said(rest[0], rest[1], len(writer.sources)), (obj, nodes), (subject, nodes)):
        order = order[stable_order(key[order], size)]
    subject, obj = subject[order], obj[order]
    rest = [column[order] for column in rest]
    del order
    again = np.zeros(len(subject), bool)
    if len(subject) > 1:
        again[1:] = (subject[1:] == subject[:-1]) & (obj[1:] == obj[:-1]) & (rest[4][1:] == 0) & (rest[4][:-1] == 0)
        for column in (rest[0], rest[1]):
            again[1:] &= column[1:] == column[:-1]
        polarity = rest[2] & np.uint8(0b11000)
        again[1:] &= polarity[1:] == polarity[:-1]
    folded = int(np.count_nonzero(again))
    if folded:
        subject, obj = subject[~again], obj[~again]
        rest = [column[~again] for column in rest]
    relation, source, flags, confidence, evidence = rest

    output.save("out_ptr", pointers(np.bincount(subject, minlength=nodes)))
    output.save("out_object", obj)
    output.save("edge_relation", relation)
    output.save("edge_source", source.astype(np.uint8) if len(writer.sources) <= 256 else source)
    for name, column in (("flags", flags), ("confidence", confidence), ("evidence", evidence)):
        if column.any():
            output.save(f"edge_{name}", column)
    back = stable_order(obj, nodes)
    output.save("in_ptr", pointers(np.bincount(obj, minlength=nodes)))
    output.save("in_edge", back)
    output.save("in_subject", subject[back])
    return {
        "edges": len(subject),
        "loops": loops,
        "folded": folded,
        "relations": _counts(relation),
        "sources": _counts(source),
    }


def _fold(writer: "StoreWriter", subject: Ints, obj: Ints, relation: Ints, source: Ints, flags: Ints) -> None:
    """Turn edges of folded relations round, in place; symmetric ones leave from the lower row."""
    target = np.arange(65536, dtype=np.uint16)
    turned, symmetric = np.zeros(65536, bool), np.zeros(65536, bool)
    for kept, folded in writer.inverses:
        if kept == folded:
            symmetric[kept] = True
        else:
            target[folded], turned[folded] = kept, True
    if not (turned.any() or symmetric.any()):
        return
    round_ = turned[relation]
    round_ |= symmetric[relation] & (subject > obj)
    flags[round_] |= INVERTED
    relation[:] = target[relation]
    swap = subject[round_]
    subject[round_] = obj[round_]
    obj[round_] = swap


def _said(relation: Ints, source: Ints, sources: int) -> list[tuple[Ints, int]]:
    """Keys that sort by relation and then by source, the last first: one key where their pairs have few values."""
    both = [(source, 0), (relation, 0)]
    if not len(relation) or (int(relation.max()) + 1) * sources > 1 << 26:
        return both
    pair = relation.astype(np.uint32) * np.uint32(max(1, sources)) + source
    met = np.flatnonzero(np.bincount(pair))
    if len(met) > 65535:
        return both
    rank = np.zeros(int(met[-1]) + 1, np.uint16)
    rank[met] = np.arange(len(met))
    return [(rank[pair], 0)]


def _counts(codes: Ints) -> dict[int, int]:
    counts = np.bincount(codes) if len(codes) else np.zeros(0, np.int64)
    return {int(code): int(counts[code]) for code in np.flatnonzero(counts)}


def _names(writer: "StoreWriter", output: Output, nodes: int) -> int:
    columns = writer.columns
    row, size = columns.read("name.row", np.int32), columns.read("name.size", np.uint32)
    sorted_already = len(row) < 2 or bool((row[1:] >= row[:-1]).all())
    order = None if sorted_already else stable_order(row, nodes)
    take: Callable[[Ints], Ints] = (lambda a: a) if order is None else (lambda a: a[order])
    if order is None:
        output.take("name_text.bin", columns.folder / "name.text")
    else:
        _reordered(columns.map("name.text", np.uint8), size, order, output)
    row, size = take(row), take(size)
    ends = np.concatenate(([0], np.cumsum(size, dtype=np.int64)))
    ptr = pointers(np.bincount(row, minlength=nodes))
    output.save("name_ptr", ptr)
    output.save("name_start", ends[ptr])
    output.save("name_size", size.astype(np.uint16) if not len(size) or size.max() < 65536 else size)
    del ends, size
    preferred = take(columns.read("name.preferred", np.uint8))
    srl = take(columns.read("name.srl", np.uint8))
    output.save("name_language", take(columns.read("name.language", np.uint8)))
    source = take(columns.read("name.source", np.uint16))
    output.save("name_source", source.astype(np.uint8) if len(writer.sources) <= 256 else source)
    output.save("name_tty", take(columns.read("name.tty", np.uint16)))
    output.save("name_srl", srl)
    output.save("name_preferred", preferred)
    output.save("node_name", _first(row, preferred, ptr, nodes))
    lowest = np.zeros(nodes, np.uint8)
    named = np.flatnonzero(np.diff(ptr))
    if len(named):
        lowest[named] = np.minimum.reduceat(srl, ptr[:-1][named])
    output.save("node_srl", lowest)
    del row, preferred, srl, source
    keys = take(columns.read("name.hash", np.uint64))
    by_hash = np.argsort(keys, kind="stable").astype(np.int32)
    output.save("hash_name", by_hash)
    output.save("hash", keys[by_hash])
    return len(keys)


def _first(row: Ints, preferred: Ints, ptr: Ints, nodes: int) -> Ints:
    """Number of the name that each node goes by: the first preferred one, else the first; -1 without names."""
    found = np.where(np.diff(ptr) > 0, ptr[:-1], -1).astype(np.int32)
    chosen = np.flatnonzero(preferred)[::-1]
    found[row[chosen]] = chosen
    return found


def _reordered(blob: Ints, size: Ints, order: Ints, output: Output) -> None:
    """Write texts in another order, some at a time."""
    starts = np.concatenate(([0], np.cumsum(size, dtype=np.int64)[:-1]))
    path = output.folder / "name_text.bin"
    with path.open("wb") as file:
        for begin in range(0, len(order), 1 << 18):
            part = order[begin : begin + (1 << 18)]
            sizes = size[part].astype(np.int64)
            shift = np.repeat(starts[part] - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes)
            file.write(blob[shift + np.arange(len(shift))].data)
        file.flush()
        os.fsync(file.fileno())
    output.names.append(path.name)


def _nodes(writer: "StoreWriter", output: Output, nodes: int) -> Counter[int]:
    read = writer.columns.read
    space, key = read("node.space", np.uint8), read("node.key", np.int64)
    kind = np.zeros(nodes, np.uint8)
    kind[read("kind.row", np.int32)] = read("kind.code", np.uint8)  # the last one given counts
    output.save("node_space", space)
    output.save("node_key", key)
    output.save("node_kind", kind)
    numbered = np.flatnonzero(key >= 0)
    packed = (space[numbered].astype(np.uint64) << np.uint64(50)) | key[numbered].astype(np.uint64)
    order = np.argsort(packed)
    output.save("number", packed[order])
    output.save("number_row", numbered[order].astype(np.int32))
    size = read("key.size", np.uint32)
    ends = np.concatenate(([0], np.cumsum(size, dtype=np.int64)))
    output.take("key_text.bin", writer.columns.folder / "key.text")
    output.save("key_ptr", pointers(size))
    named = np.flatnonzero(key < 0)
    blob = read("key.text", np.uint8).tobytes()
    spaces = list(writer.nodes.spaces)
    at = -key[named] - 1
    ids = [
        f"{spaces[code]}:{blob[ends[i] : ends[i + 1]].decode()}"
        for code, i in zip(space[named].tolist(), at.tolist(), strict=True)
    ]
    keys = hashes_of(ids)
    order = np.argsort(keys, kind="stable")
    output.save("key_hash", keys[order])
    output.save("key_row", named[order].astype(np.int32))
    return Counter(_counts(kind))


def _types(writer: "StoreWriter", output: Output, nodes: int) -> None:
    row, code = writer.columns.read("type.row", np.int32), writer.columns.read("type.code", np.uint16)
    order = stable_order(row, nodes)
    output.save("type_ptr", pointers(np.bincount(row, minlength=nodes)))
    output.save("type_code", code[order])


def _texts(writer: "StoreWriter", output: Output) -> int:
    """Definitions, attributes and evidence into SQLite; number of definitions."""
    read = writer.columns.read
    path = output.folder / TEXTS
    base = sqlite3.connect(path, isolation_level=None)
    try:
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.execute("BEGIN")
        base.execute("CREATE TABLE definitions (row INTEGER, text TEXT, source INTEGER, srl INTEGER)")
        base.execute("CREATE TABLE attributes (row INTEGER, body TEXT)")
        base.execute("CREATE TABLE evidence (number INTEGER PRIMARY KEY, body TEXT)")
        rows = read("definition.row", np.int32).tolist()
        sources = read("definition.source", np.uint16).tolist()
        srls = read("definition.srl", np.uint8).tolist()
        base.executemany(
            "INSERT INTO definitions VALUES (?, ?, ?, ?)",
            zip(rows, _each(writer, "definition"), sources, srls, strict=True),
        )
        base.executemany(
            "INSERT INTO attributes VALUES (?, ?)",
            zip(read("attributes.row", np.int32).tolist(), _each(writer, "attributes"), strict=True),
        )
        base.executemany("INSERT INTO evidence VALUES (?, ?)", enumerate(_each(writer, "evidence"), 1))
        base.execute("CREATE INDEX definitions_row ON definitions (row)")
        base.execute("CREATE INDEX attributes_row ON attributes (row)")
        base.execute("COMMIT")
    finally:
        base.close()
    with path.open("rb") as file:
        os.fsync(file.fileno())
    output.names.append(TEXTS)
    return len(rows)


def _each(writer: "StoreWriter", name: str) -> Any:
    """Texts of a column in order."""
    writer.columns.flush()
    path = writer.columns.folder / f"{name}.text"
    if not path.exists():
        return
    with path.open("rb") as file:
        for size in writer.columns.read(f"{name}.size", np.uint32).tolist():
            yield file.read(size).decode("utf-8", "replace")
