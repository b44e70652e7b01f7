"""`secondread deidentify` on the command line: what it writes, says and returns."""

import json
from pathlib import Path

import pydicom
import pytest

from secondread.serve.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_folder_is_cleaned_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.dcm").write_bytes((EXAMPLES / "chest.dcm").read_bytes())
    (source / "b.txt").write_text("x")
    assert main(["deidentify", str(source), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == "1 file cleaned, 0 failed, 1 skipped."
    assert "b.txt: It is not a DICOM file." in told.err
    (path,) = (tmp_path / "out").rglob("*.dcm")
    assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"


def test_a_bad_file_gives_exit_2_and_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.dcm"
    source.write_bytes((EXAMPLES / "chest.dcm").read_bytes()[:300])
    assert main(["deidentify", str(source), "--out", str(tmp_path / "out"), "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert not report["written"]
    assert report["failed"][0]["file"] == str(source)


def test_a_key_is_made_once_kept_private_and_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    for number in range(2):
        code = main(
            ["deidentify", str(EXAMPLES / "chest.dcm"), "--out", str(tmp_path / str(number)), "--key", str(key)]
        )
        assert code == 0
    assert key.stat().st_mode & 0o077 == 0
    names = [{path.relative_to(tmp_path / str(n)) for path in (tmp_path / str(n)).rglob("*.dcm")} for n in range(2)]
    assert names[0] == names[1]
    key.write_text("short")
    assert main(["deidentify", str(EXAMPLES / "chest.dcm"), "--out", str(tmp_path / "x"), "--key", str(key)]) == 2
    assert "too short" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--find-text", "--mask-text"]])
def test_options_that_make_no_sense_are_refused(words: list[str], tmp_path: Path) -> None:
    assert main(["deidentify", str(EXAMPLES / "chest.dcm"), "--out", str(tmp_path / "o"), *words]) == 2
