"""Builds that are interrupted, doubled or damaged never leave a store that opens and lies."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secondread.kg.store import finish, manifest
from secondread.kg.store.csr import CsrStore
from secondread.kg.store.export import export
from secondread.kg.store.open import open_store
from secondread.kg.store.writer import StoreWriter
from secondread.schema.errors import StoreError


def start(folder: Path, inputs: str = "a") -> StoreWriter:
    return StoreWriter.open(folder, source="t", version="1", licence="none", restricted=False, inputs=inputs)


def fill(writer: StoreWriter, stages: int = 3) -> None:
    for stage in range(stages):
        if writer.done(f"s{stage}"):
            continue
        for n in range(50):
            writer.put(f"X:{stage}-{n}", kind="k", name=f"thing {stage} {n}", source="S")
            writer.join(f"X:{stage}-{n}", "r", f"X:0-{n}", source="S")
        writer.mark(f"s{stage}")


def files(folder: Path) -> dict[str, str]:
    return {name: entry["xxh3_128"] for name, entry in manifest.read(folder, shown="x")["files"].items()}


def test_a_killed_build_goes_on_and_gives_the_same_store(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    fill(whole)
    whole.finish()
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from secondread.kg.store.writer import StoreWriter
        writer = StoreWriter.open(
            Path(sys.argv[1]), source="t", version="1", licence="none", restricted=False, inputs="a"
        )
        for n in range(50):
            writer.put(f"X:0-{n}", kind="k", name=f"thing 0 {n}", source="S")
            writer.join(f"X:0-{n}", "r", f"X:0-{n}", source="S")
        writer.mark("s0")
        writer.put("X:lost", kind="k", name="lost", source="S")
        writer.columns.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "cut")], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(StoreError, match="is no folder"):
        open_store(tmp_path / "cut")
    with pytest.raises(StoreError, match="unfinished"):
        open_store(tmp_path / "cut.partial")
    again = start(tmp_path / "cut")
    assert again.done("s0") and not again.done("s1")
    fill(again)
    again.finish()
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    assert not CsrStore(tmp_path / "cut").has("X:lost")
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.lock"))


def test_other_inputs_start_anew(tmp_path: Path) -> None:
    first = start(tmp_path / "g")
    fill(first, 1)
    first.release()
    assert not start(tmp_path / "g", inputs="b").done("s0")


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    first = start(tmp_path / "g")
    with pytest.raises(StoreError, match="Another build"):
        start(tmp_path / "g")
    fill(first)
    first.finish()
    start(tmp_path / "g").release()


def test_a_full_disk_leaves_no_store_and_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start(tmp_path / "g")
    fill(first, 1)
    first.finish()
    second = start(tmp_path / "g", inputs="b")
    fill(second, 2)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(finish.Output, "save", full)
    with pytest.raises(StoreError, match="No space left"):
        second.finish()
    second.release()
    assert CsrStore(tmp_path / "g").stats()["nodes"] == 50


def _cut(folder: Path) -> None:
    path = folder / "out_object.npy"
    path.write_bytes(path.read_bytes()[:-4])


def _flip(folder: Path) -> None:
    path = folder / "name_text.bin"
    path.write_bytes(b"~" + path.read_bytes()[1:])


def _manifest(folder: Path) -> None:
    body = json.loads((folder / "manifest.json").read_text())
    body["licence"] = "do what you like"
    (folder / "manifest.json").write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_cut, "bytes in place of"),
        (_flip, "is damaged"),
        (_manifest, "changed after the build"),
        (lambda f: (f / "manifest.json").unlink(), "holds no graph store"),
        (lambda f: (f / "manifest.json").write_text("{}"), "not a graph store"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (lambda f: (f / "in_ptr.npy").unlink(), "is missing"),
    ],
)
def test_damage_is_told(harm: Callable[[Path], Any], told: str, tmp_path: Path) -> None:
    writer = start(tmp_path / "g")
    fill(writer)
    writer.finish()
    harm(tmp_path / "g")
    with pytest.raises(StoreError, match=told):
        open_store(tmp_path / "g")


def test_a_check_reads_whole_files(tmp_path: Path) -> None:
    writer = start(tmp_path / "g")
    for n in range(3000):
        writer.put(f"X:n{n}", kind="k", name=f"a rather long name of thing {n}", source="S")
    writer.finish()
    assert manifest.check(tmp_path / "g", shown="g") == []
    with (tmp_path / "g" / "name_text.bin").open("r+b") as file:
        file.seek(40_000)
        file.write(b"####")
    assert manifest.check(tmp_path / "g", shown="g") == ["name_text.bin"]


def test_export_leaves_out_restricted_content(tmp_path: Path) -> None:
    writer = start(tmp_path / "g")
    writer.source("open")
    writer.source("closed", srl=3)
    writer.put("X:1", kind="k", name='a "quoted", name', source="open", definition="two\nlines")
    writer.put("X:2", kind="k", name="licensed", source="closed", srl=3)
    writer.put("X:3", kind="k", name="third", source="open")
    writer.join("X:1", "r", "X:2", source="open")
    writer.join("X:1", "r", "X:3", source="closed")
    writer.join("X:1", "s", "X:3", source="open")
    writer.finish()
    store = CsrStore(tmp_path / "g")
    assert export(store, tmp_path / "all") == {"nodes": 3, "edges": 3, "nodes_left_out": 0, "edges_left_out": 0}
    told = export(store, tmp_path / "open", max_srl=0)
    assert told == {"nodes": 2, "edges": 1, "nodes_left_out": 1, "edges_left_out": 2}
    import csv

    with (tmp_path / "open" / "nodes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["id:ID", "name", "kind:LABEL"] and rows[1][:4] == [
        "X:1",
        'a "quoted", name',
        "k",
        "two\nlines",
    ]
    assert "licensed" not in (tmp_path / "open" / "nodes.csv").read_text()


def test_columns_give_the_same_store_as_single_rows(tmp_path: Path) -> None:
    one, many = start(tmp_path / "one"), start(tmp_path / "many")
    numbers = np.arange(7, 57)
    rows = many.numbers("UMLS", numbers, kind="concept")
    many.names(rows, [f"n {n}" for n in numbers], sources=many.source("S"), preferred=True)
    many.edges(rows[1:], rows[:-1], many.relation("r"), many.source("S"))
    for n in numbers:
        one.put(f"UMLS:C{n:07d}", kind="concept", name=f"n {n}", source="S")
    for n in numbers[1:]:
        one.join(f"UMLS:C{n:07d}", "r", f"UMLS:C{n - 1:07d}", source="S")
    many.finish()
    one.finish()
    assert files(tmp_path / "one") == files(tmp_path / "many")
