"""Bad input through the real agent: one clear error or an abstention, never a traceback, nothing half-written."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from secondread.agent.agent import Agent
from secondread.agent.config import Settings
from secondread.serve.cli import options
from secondread.serve.cli.main import main

RNG = np.random.default_rng(7)
QUESTION = "Is the heart enlarged?"


def grey(path: Path, values: Any) -> None:
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path, format="PNG")


def cut(path: Path) -> None:
    grey(path, RNG.integers(0, 255, (200, 200)))
    path.write_bytes(path.read_bytes()[:9000])


def photograph(path: Path) -> None:
    y, x = np.mgrid[0:300, 0:400]
    Image.fromarray(np.stack([x * 255 // 400, y * 255 // 300, (x + y) % 256], -1).astype(np.uint8)).save(path, "PNG")


def dicom(path: Path, *, pixels: bool) -> None:
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Modality, data.PatientName, data.PatientID = "CT", "Roe^Jane", "4711"
    if pixels:
        data.Rows = data.Columns = 128
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.PixelData = RNG.integers(0, 2000, (128, 128), dtype=np.uint16).tobytes()
    data.save_as(path, enforce_file_format=True)


REFUSED: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "truncated": cut,
    "text": lambda path: path.write_text("not an image"),
    "a folder": lambda path: path.mkdir(),
    "dicom without pixels": lambda path: dicom(path, pixels=False),
    "20000 pixels wide": lambda path: grey(path, np.zeros((10, 20000))),
}
ABSTAINED: dict[str, Callable[[Path], object]] = {
    "black": lambda path: grey(path, np.zeros((256, 256))),
    "white": lambda path: grey(path, np.full((256, 256), 255)),
    "one pixel": lambda path: grey(path, [[9]]),
    "noise": lambda path: grey(path, RNG.integers(0, 255, (256, 256))),
    "photograph": photograph,
    "ct slice": lambda path: dicom(path, pixels=True),
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with Agent(settings=Settings(trace_dir=tmp_path_factory.mktemp("traces"))) as real:
        yield real


@pytest.fixture
def ask(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `secondread ask` in an empty folder with one agent kept alive."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(agent, "close", lambda: None)
    monkeypatch.setattr(options, "open_agent", lambda settings: agent)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["ask", *words])
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return run


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("suffix", [".png", ".dcm"])
def test_what_cannot_be_read_is_one_line_and_leaves_nothing(kind: str, suffix: str, ask: Any, tmp_path: Path) -> None:
    REFUSED[kind](tmp_path / f"film{suffix}")
    before = set(tmp_path.iterdir())
    code, out, err = ask(f"film{suffix}", QUESTION, "--json", "--out", "made")
    assert code == 2
    assert set(json.loads(out)) == {"code", "message", "hint"}
    assert json.loads(out)["code"] in ("unreadable_image", "unsupported_image")
    assert len(err.splitlines()) == 1
    assert "film" in err
    assert "Roe" not in out + err
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ABSTAINED)
def test_what_is_no_chest_film_gets_an_abstention_with_its_reason(kind: str, ask: Any, tmp_path: Path) -> None:
    ABSTAINED[kind](tmp_path / "film.png")
    code, out, err = ask("film.png", QUESTION, "--view", "PA", "--age", "50", "--json", "--out", "made")
    assert (code, err) == (3, "")
    answer = json.loads(out)
    assert answer["abstained"] is True
    assert answer["abstain_reason"]
    assert answer["verdict"] in (None, "indeterminate")
    assert answer["confidence"] is None
    assert "Roe" not in out
    assert (tmp_path / "made" / "answer.json").exists()


@pytest.mark.parametrize("question", ["", "   \n", "Is the heart enlarged? " * 500])
def test_an_empty_or_endless_question_is_refused(question: str, ask: Any, tmp_path: Path) -> None:
    grey(tmp_path / "film.png", RNG.integers(0, 255, (64, 64)))
    code, out, err = ask("film.png", question, "--out", "made")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert len(err) < 1200
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "words", [["9" * 1999], ["?" * 50], ["\x1b[31mred"], ["Ist das Herz vergr\u00f6\u00dfert? \U0001fac0"]]
)
def test_odd_questions_end_in_an_answer_or_an_abstention(words: list[str], ask: Any, tmp_path: Path) -> None:
    grey(tmp_path / "film.png", RNG.integers(0, 255, (64, 64)))
    code, out, _ = ask("film.png", *words)
    assert code == 3
    assert "\x1b" not in out


def test_a_region_outside_the_image_is_one_clear_error(ask: Any, tmp_path: Path) -> None:
    grey(tmp_path / "film.png", RNG.integers(0, 255, (64, 64)))
    code, _, err = ask("film.png", QUESTION, "--region", "500,500,600,600")
    assert code == 2
    assert len(err.splitlines()) == 1
