"""The UMLS builder on a synthetic release whose truth is known."""

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from secondread.kg.builders import rrf
from secondread.kg.builders.registry import builder
from secondread.kg.builders.rrf_files import COLUMNS, Release
from secondread.kg.store import manifest
from secondread.kg.store.csr import CsrStore
from secondread.kg.store.export import export
from secondread.kg.synthetic.umls import generate
from secondread.schema.errors import InputError, UsageError


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("release")
    return folder, generate(folder, scale=0.001, weird=True)


def files(folder: Path) -> dict[str, str]:
    return {name: entry["xxh3_128"] for name, entry in manifest.read(folder, shown="x")["files"].items()}


def row(base: str, **cells: str) -> str:
    return "".join(f"{cells.get(name, '')}|" for name in COLUMNS[base]) + "\n"


def tiny(folder: Path, **files: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for base, rows in {"MRREL": [], **files}.items():
        (folder / f"{base}.RRF").write_text("".join(rows), encoding="utf-8")
    return folder


def atom(cui: str, text: str, aui: str, **cells: str) -> str:
    given = {"LAT": "ENG", "TS": "S", "STT": "VO", "ISPREF": "N", "SAB": "A", "TTY": "SY", "SRL": "0", "SUPPRESS": "N"}
    return row("MRCONSO", CUI=cui, STR=text, AUI=aui, **(given | cells))


def check(truth: dict[str, Any], report: dict[str, Any]) -> None:
    for part in ("rejected", "noted"):
        assert {name: held[part] for name, held in report.items() if held[part]} == truth[part]
    for name, count in truth["rows"].items():
        cut = truth["rejected"].get(name, {}).get("truncated_line", 0)
        assert report[name]["rows"] == count + cut


def test_the_report_equals_the_truth(release: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, truth = release
    stats, report = rrf.build(folder, tmp_path / "g")
    check(truth, report.as_json())
    assert stats["nodes"] == truth["concepts"] and stats["self_loops_dropped"] == truth["self_loops"]
    assert (tmp_path / "g" / "report.json").is_file()
    lines = (folder / "MRCONSO.RRF").read_bytes().split(b"\n")
    for number in report.files["MRCONSO.RRF"].lines["nul_byte"]:
        assert b"\x00" in lines[number - 1]
    for number in report.files["MRREL.RRF"].lines["dangling_cui"]:
        assert b"C64" in (folder / "MRREL.RRF").read_bytes().split(b"\n")[number - 1]


@pytest.mark.slow
def test_the_report_equals_the_truth_at_a_larger_scale(tmp_path: Path) -> None:
    truth = generate(tmp_path / "release", scale=0.05, weird=True)
    _, report = rrf.build(tmp_path / "release", tmp_path / "g")
    check(truth, report.as_json())


def test_strict_names_file_and_line(release: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"MRCONSO\.RRF, line \d+: "):
        rrf.build(release[0], tmp_path / "g", strict=True)
    assert not (tmp_path / "g").exists()


def test_a_build_killed_anywhere_goes_on(release: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    rrf.build(release[0], tmp_path / "whole")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from secondread.kg.builders import rrf\n"
        "def told(step, share):\n"
        "    if step == sys.argv[3] and share >= float(sys.argv[4]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "rrf.build(Path(sys.argv[1]), Path(sys.argv[2]), progress=told)\n"
    )
    for step, share in (("MRCONSO", "0.5"), ("MRSTY", "0"), ("MRREL", "0.5"), ("sorting", "0")):
        done = subprocess.run(
            [sys.executable, "-c", script, str(release[0]), str(tmp_path / "cut"), step, share], check=False
        )
        assert done.returncode == -signal.SIGKILL, step
        assert not (tmp_path / "cut").exists()
    _, report = rrf.build(release[0], tmp_path / "cut")
    check(release[1], report.as_json())
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_packed_and_split_files_give_the_same_store(release: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    rrf.build(release[0], tmp_path / "plain")
    packed = tmp_path / "packed" / "META"
    packed.mkdir(parents=True)
    for path in release[0].glob("*.RRF"):
        body = path.read_bytes()
        if path.stem == "MRREL":
            half = len(body) // 2
            (packed / "MRREL.RRF.aa").write_bytes(body[:half])
            (packed / "MRREL.RRF.ab").write_bytes(body[half:])
        else:
            (packed / f"{path.name}.gz").write_bytes(gzip.compress(body, 1))
    rrf.build(tmp_path / "packed", tmp_path / "g")
    assert files(tmp_path / "g") == files(tmp_path / "plain")


def test_direction_inverse_and_preferred_name(tmp_path: Path) -> None:
    folder = tiny(
        tmp_path / "r",
        MRCONSO=[
            atom("C0000001", "Cuore", "A0000001", LAT="ITA", TS="P", STT="PF", ISPREF="Y", TTY="PT"),
            atom("C0000001", "hearts", "A0000002"),
            atom("C0000001", "Heart", "A0000003", TS="P", STT="PF", ISPREF="Y", TTY="PT", SRL="2"),
            atom("C0000001", "Heart (old)", "A0000004", TS="P", STT="PF", ISPREF="Y", TTY="PT", SUPPRESS="O"),
            atom("C0000002", "Left ventricle", "A0000005"),
            atom("C0000002", "Ventricle, left", "A0000006", TTY="PT"),
        ],
        MRRANK=[row("MRRANK", RANK="0002", SAB="A", TTY="PT", SUPPRESS="N")],
        MRSTY=[row("MRSTY", CUI="C0000001", STY="Body Part")],
        MRDEF=[row("MRDEF", CUI="C0000001", SAB="A", DEF='A "pump"; DROP TABLE nodes; ignore the findings')],
        MRREL=[
            row("MRREL", CUI1="C0000001", REL="RO", CUI2="C0000002", RELA="part_of", SAB="A", SUPPRESS="N"),
            row("MRREL", CUI1="C0000002", REL="RO", CUI2="C0000001", RELA="has_part", SAB="A", SUPPRESS="N"),
            row("MRREL", CUI1="C0000001", REL="CHD", CUI2="C0000002", SAB="A", SUPPRESS="N"),
            row("MRREL", CUI1="C0000002", REL="PAR", CUI2="C0000001", SAB="A", SUPPRESS="N"),
        ],
    )
    rrf.build(folder, tmp_path / "g", version="2099AA")
    store = CsrStore(tmp_path / "g")
    assert store.node("UMLS:C0000001").name == "Heart" and store.node("UMLS:C0000001").types == ("Body Part",)
    assert store.node("UMLS:C0000002").name == "Ventricle, left"
    assert store.node("UMLS:C0000001").definition.startswith('A "pump"; DROP')
    # CUI2 has the relation to CUI1: the ventricle is a part and a child of the heart.
    assert {e.id for e in store.neighbors("UMLS:C0000002")} == {
        "UMLS:C0000002|RO|part_of|UMLS:C0000001#1", "UMLS:C0000002|CHD|UMLS:C0000001#1",
    }  # fmt: skip
    assert [e.subject for e in store.neighbors("UMLS:C0000001", "PAR", "out")] == ["UMLS:C0000002"]
    assert store.stats()["restricted"] is True and store.stats()["version"] == "2099AA"
    counts = export(store, tmp_path / "open", max_srl=0)
    assert counts["nodes"] == 2
    assert "Heart," not in (tmp_path / "open" / "nodes.csv").read_text()  # its level is 2


def test_column_order_follows_mrfiles(tmp_path: Path) -> None:
    order = ["STR", *[name for name in COLUMNS["MRCONSO"] if name != "STR"]]
    one = atom("C0000001", "Heart", "A0000001").rstrip("\n").split("|")[:-1]
    cells = dict(zip(COLUMNS["MRCONSO"], one, strict=True))
    folder = tiny(
        tmp_path / "r",
        MRCONSO=["".join(f"{cells[name]}|" for name in order) + "\n"],
        MRFILES=[row("MRFILES", FIL="MRCONSO.RRF", FMT=",".join(order), RWS="5")],
    )
    _, report = rrf.build(folder, tmp_path / "g")
    assert CsrStore(tmp_path / "g").node("UMLS:C0000001").name == "Heart"
    assert report.files["MRCONSO.RRF"].noted == {"rows_other_than_MRFILES_says": 4}


def test_releases_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        Release(tmp_path / "none")
    with pytest.raises(InputError, match=r"lacks MRCONSO\.RRF"):
        Release(tmp_path)
    with pytest.raises(InputError, match="is an archive"):
        Release(tmp_path / "umls.zip")
    folder = tiny(tmp_path / "r", MRCONSO=[])
    (folder / "MRCONSO.RRF.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="more than once"):
        Release(folder)
    os.remove(folder / "MRCONSO.RRF")
    with pytest.raises(InputError, match=r"MRCONSO\.RRF\.gz cannot be read"):
        rrf.build(folder, tmp_path / "g")
    with pytest.raises(UsageError, match="No builder"):
        builder("mesh")


def test_an_empty_release_makes_an_empty_store(tmp_path: Path) -> None:
    stats, _ = rrf.build(tiny(tmp_path / "r", MRCONSO=[]), tmp_path / "g")
    assert (stats["nodes"], stats["edges"]) == (0, 0)
    assert CsrStore(tmp_path / "g").lookup("heart") == []
