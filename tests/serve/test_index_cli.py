"""`secondread index`: build, look, search, change."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from secondread.serve.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    for number in range(3):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 255, (64, 64), dtype=np.uint8)).save(made / f"{number}.png")
    (made / "a.md").write_text("# Heart\nThe cardiothoracic ratio compares heart and chest.\n")
    (made / "bad.png").write_bytes(b"no image")
    return made


def run(*words: str) -> int:
    return main(["index", *map(str, words)])


def test_build_info_search_delete_and_compact(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "c")
    assert run("build", str(folder), "--out", out, "--encoder", "pixels", "--licence", "MIT", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["added"] == 4 and told["problems"] == 1 and told["indices"][0]["kind"] == "flat"
    assert run("info", "--out", out, "--json") == 0
    info = json.loads(capsys.readouterr().out)
    assert info["kinds"] == {"image": 3, "passage": 1} and info["encoder"] == "pixels"
    assert "bad.png" in info["problems"][0][0]
    assert run("search", "cardiothoracic", "ratio", "--out", out) == 0
    assert "The cardiothoracic ratio compares" in capsys.readouterr().out
    assert run("search", str(folder / "0.png"), "--out", out, "--json") == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert len(hits) == 2
    assert run("delete", hits[0]["item"]["id"], "--out", out) == 0
    assert run("compact", "--out", out) == 0
    assert run("search", "giraffes", "--out", out) == 3


def test_mistakes_are_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", str(folder)) == 2
    assert run("search", "x", "--out", str(tmp_path / "nowhere")) == 2
    assert run("build", str(tmp_path / "none"), "--out", str(tmp_path / "c")) == 2
    assert run("search", "x", "--out", str(tmp_path / "c"), "--where", "colour") == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 4 and not any("Traceback" in line for line in said)


def test_the_encoders_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("encoders") == 0
    told = capsys.readouterr().out
    assert "trunk" in told and "clip:FOLDER" in told
