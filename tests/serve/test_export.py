import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from secondread.serve.cli.main import main


def test_the_folder_holds_overlay_answer_trace_and_a_private_crosswalk(
    factory: Any, film: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    assert main(["ask", str(film), "Is it bright?", "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "answer.json",
        "crosswalk.csv",
        "overlay-E2-bright_share.png",
        "trace.jsonl",
    ]
    assert Image.open(out / "overlay-E2-bright_share.png").size == (80, 100)
    answer = json.loads((out / "answer.json").read_text())
    rows = list(csv.reader((out / "crosswalk.csv").open()))
    assert rows == [["image", "path"], [answer["evidence"][0]["image"], str(film)]]
    assert stat.S_IMODE((out / "crosswalk.csv").stat().st_mode) == 0o600
    assert "JaneDoe" not in (out / "answer.json").read_text()
    assert [p.name for p in out.parent.iterdir()] == ["out"]


def test_overlays_of_an_earlier_answer_go_and_other_files_stay(factory: Any, film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "overlay-E9-old.png").write_bytes(b"")
    (out / "overlay-mine.png").write_bytes(b"")
    assert main(["ask", str(film), "Is it bright?", "--out", str(out)]) == 0
    names = {p.name for p in out.iterdir()}
    assert "overlay-E9-old.png" not in names
    assert "overlay-mine.png" in names


def test_a_file_in_the_way_is_refused_before_any_work(factory: Any, film: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    assert main(["ask", str(film), "Is it bright?", "--out", str(tmp_path / "taken" / "out")]) == 2
    assert main(["ask", str(film), "Is it bright?", "--out", str(tmp_path / "taken")]) == 2
    assert factory.last is None


def test_a_failure_while_writing_leaves_nothing_half_written(
    factory: Any, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secondread.serve import export

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "crosswalk", full)
    out = tmp_path / "parent" / "out"
    assert main(["ask", str(film), "Is it bright?", "--out", str(out)]) == 2
    assert not list(out.parent.iterdir())
