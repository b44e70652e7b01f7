"""Folders of files into a corpus: isolated failures, resumed builds, changes, other encoders."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secondread.schema.errors import InputError
from secondread.tools.retrieve.build import Report, ingest
from secondread.tools.retrieve.corpus.corpus import Corpus
from secondread.tools.retrieve.retriever import Retriever


def write(folder: Path) -> Path:
    """Texts of several kinds, one bad line, one file that is no image."""
    folder.mkdir()
    (folder / "notes.md").write_text(
        "---\nsource: Notes\nlicence: MIT\n---\n# Heart\nThe heart is a pump.\n\n# Lung\nAir.\n"
    )
    lines = [
        json.dumps(
            {"id": "q1", "question": "What is a pneumothorax?", "answer": "Air in the pleural space.", "source": "S"}
        ),
        "{not json",
        json.dumps(["a list"]),
        json.dumps({"nothing": 1}),
        json.dumps({"text": "Fluid around the lung is a pleural effusion.", "labels": ["Effusion"]}),
    ]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    (folder / "empty.txt").write_text("")
    (folder / "page.exe").write_bytes(b"MZ")
    return folder


def test_each_file_is_read_by_its_kind_and_what_is_wrong_is_listed(tmp_path: Path) -> None:
    report = ingest(write(tmp_path / "in"), tmp_path / "c", images="pixels", source="Folder")
    assert report.added == 4
    listed = {(Path(f).name, w.split(":")[0]) for f, w in report.problems}
    assert {("rows.jsonl", "line 2"), ("rows.jsonl", "line 3"), ("rows.jsonl", "line 4")} <= listed
    assert any(name == "broken.png" for name, _ in listed)
    with Corpus.open(tmp_path / "c") as corpus:
        held = {i.title: i for i in corpus}
        assert held["Heart"].source == "Notes" and held["Heart"].licence == "MIT"
        assert held["What is a pneumothorax?"].id == "doc-q1"
        assert {Path(f).name for f, _ in corpus.problems()} == {"broken.png"}


def test_a_second_build_reads_only_what_changed_and_prunes_what_is_gone(tmp_path: Path) -> None:
    folder = write(tmp_path / "in")
    ingest(folder, tmp_path / "c", images="pixels")
    again = ingest(folder, tmp_path / "c", images="pixels")
    assert again.added == 0 and again.kept == 4
    (folder / "notes.md").write_text("# Heart\nThe heart is a muscle.\n")
    (folder / "rows.jsonl").unlink()
    third = ingest(folder, tmp_path / "c", images="pixels", prune=True)
    assert third.added == 1 and third.removed == 2
    with Corpus.open(tmp_path / "c") as corpus:
        assert [i.text for i in corpus] == ["The heart is a muscle."]


def test_images_are_found_by_their_look(picture_corpus: tuple[Path, Report], pictures: Path) -> None:
    folder, report = picture_corpus
    assert report.added == 60 and report.bad == 0
    import numpy as np
    from PIL import Image

    retriever = Retriever.open(folder)
    asked = np.asarray(Image.open(pictures / "disc05.png").convert("RGB"))
    best = retriever.similar([asked], 1, floor=False).hits[0]
    from secondread.imaging.load import load

    assert best.item.id == load(pictures / "disc05.png").info.ref.id
    assert best.similarity == pytest.approx(1.0, abs=1e-3)


def test_another_encoder_than_the_one_a_corpus_was_built_with_is_refused(tmp_path: Path, pictures: Path) -> None:
    some = tmp_path / "in"
    some.mkdir()
    shutil.copy(pictures / "disc00.png", some)
    ingest(some, tmp_path / "c", images="pixels")
    with pytest.raises(InputError, match="built with the image encoder 'pixels'"):
        ingest(some, tmp_path / "c", images="trunk")
    with Corpus.open(tmp_path / "c", write=True) as corpus:
        corpus.set_meta("fingerprint:image", "0" * 16)
    shutil.copy(pictures / "disc01.png", some)
    report = ingest(some, tmp_path / "c", images="pixels")
    assert any("other weights" in what for _, what in report.problems) and report.added == 0


def test_a_build_that_is_killed_goes_on_and_ends_with_the_same_items(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(40):
        rows = [json.dumps({"text": f"Passage {number} {k} about the lung and the heart."}) for k in range(100)]
        (folder / f"{number:02}.jsonl").write_text("\n".join(rows))
    code = (
        "import sys; from pathlib import Path; from secondread.tools.retrieve.build import ingest;"
        "ingest(Path(sys.argv[1]), Path(sys.argv[2]), images=None)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(folder), str(tmp_path / "c")])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with Corpus.open(tmp_path / "c") as corpus:
                if corpus.info().items > 500:
                    break
        except InputError:
            pass
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    report = ingest(folder, tmp_path / "c", images=None)
    with Corpus.open(tmp_path / "c") as corpus:
        assert corpus.info().items == 4000
    assert report.added < 4000


def test_nothing_at_the_place_named_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        ingest(tmp_path / "nowhere", tmp_path / "c")


def test_an_empty_folder_makes_an_empty_corpus_that_can_be_searched(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert ingest(tmp_path / "in", tmp_path / "c").added == 0
    retriever = Retriever.open(tmp_path / "c")
    assert not retriever.passages("heart").hits
    assert retriever.similar([], 3).note == "the corpus holds no images"
