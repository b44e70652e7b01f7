import csv
import json
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from secondread.schema.errors import UsageError
from secondread.serve.batch.questions import read_questions
from secondread.serve.batch.recorder import Recorder
from secondread.serve.cli.main import main
from tests.serve.conftest import draw

QUESTIONS = """
- Is it bright?
- id: ptx
  question: Is there a pneumothorax?
- id: size
  question: How bright?
  choices: [dark, bright]
  when: {source_format: png}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two films in sub-folders, a JPEG, a broken PNG, and things that are no images."""
    base = tmp_path / "in"
    draw(base / "a" / "JaneDoe.png", 0.5, 1)
    draw(base / "b" / "JohnRoe.png", 0.3, 2)
    draw(base / "b" / "third.jpg", 0.5, 3)
    (base / "BrokenSmith.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    (base / "notes.txt").write_text("not an image")
    (base / ".hidden.png").write_bytes(b"")
    os.symlink("/etc", base / "outside")
    (tmp_path / "q.yaml").write_text(QUESTIONS)
    return base


def batch(folder: Path, *more: str) -> int:
    top = folder.parent
    return main(["batch", str(folder), "--questions", str(top / "q.yaml"), "--out", str(top / "out"), *more])


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.parent / "out" / "results.jsonl").read_text().splitlines()]


def test_one_row_per_image_and_question_without_names(factory: Any, folder: Path) -> None:
    assert batch(folder) == 2  # one case cannot be read
    rows = rows_of(folder)
    assert len(rows) == len({(r["key"], r["question_id"]) for r in rows}) == 4 * 3
    text = (folder.parent / "out" / "results.jsonl").read_text() + (folder.parent / "out" / "manifest.json").read_text()
    for name in ("JaneDoe", "JohnRoe", "BrokenSmith", str(folder)):
        assert name not in text
    by_kind = {
        "failed": [r for r in rows if "error" in r],
        "skipped": [r for r in rows if "skipped" in r],
        "abstained": [r for r in rows if r.get("abstained")],
        "answered": [r for r in rows if r.get("abstained") is False],
    }
    assert {k: len(v) for k, v in by_kind.items()} == {"failed": 3, "skipped": 1, "abstained": 3, "answered": 5}
    assert {r["error"]["code"] for r in by_kind["failed"]} == {"unreadable_image"}
    assert by_kind["skipped"][0]["skipped"] == "source_format is jpeg"
    assert by_kind["answered"][0]["verdict"] in ("yes", "no")
    dead = (folder.parent / "out" / "dead_letters.jsonl").read_text().splitlines()
    assert [json.loads(d) for d in dead] == by_kind["failed"]


def test_the_crosswalk_is_private_and_resolves_keys(factory: Any, folder: Path) -> None:
    batch(folder)
    file = folder.parent / "out" / "crosswalk.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.reader(file.open()))
    assert rows[0] == ["key", "path"]
    assert {path for _, path in rows[1:]} == {"BrokenSmith.png", "a/JaneDoe.png", "b/JohnRoe.png", "b/third.jpg"}


def test_the_manifest_names_versions_settings_and_counts(factory: Any, folder: Path) -> None:
    batch(folder, "--view", "PA")
    manifest = json.loads((folder.parent / "out" / "manifest.json").read_text())
    assert manifest["versions"]["secondread"]
    assert manifest["plan"]["view"] == "PA"
    assert manifest["cases"] == 4
    assert manifest["tally"]["rows"] == 12
    assert manifest["ended"] is not None
    assert factory.last.asked[0]["image"].infos[0].view == "PA"


def test_rows_of_an_earlier_batch_are_never_mixed_up(factory: Any, folder: Path) -> None:
    batch(folder)
    before = rows_of(folder)
    assert batch(folder) == 2
    assert batch(folder, "--resume", "--view", "AP") == 2
    (folder.parent / "q.yaml").write_text("- Another question?\n")
    assert batch(folder, "--resume") == 2
    assert rows_of(folder) == before


def test_resume_repairs_a_torn_line_and_does_only_what_is_missing(factory: Any, folder: Path) -> None:
    batch(folder)
    results = folder.parent / "out" / "results.jsonl"
    whole = results.read_bytes().splitlines(keepends=True)
    results.write_bytes(b"".join(whole[:7]) + whole[7][:25])
    draw(folder / "a" / "Added.png", 0.5, 9)
    batch(folder, "--resume")
    rows = rows_of(folder)
    assert len(rows) == len({(r["key"], r["question_id"]) for r in rows}) == 5 * 3
    assert rows[:7] == [json.loads(line) for line in whole[:7]]
    assert len(factory.last.asked) == 15 - 7 - sum("skipped" in r for r in rows[7:])


def test_nothing_to_do_opens_no_agent(factory: Any, folder: Path) -> None:
    batch(folder)
    factory.last = None
    batch(folder, "--resume")
    assert factory.last is None


def test_a_defect_on_one_case_costs_only_its_rows(factory: Any, folder: Path) -> None:
    def sometimes(image: Any, question: str) -> None:
        if factory.last.runtime.store.pixels(image.infos[0].ref.id).mean() < 0.4:
            raise ZeroDivisionError("JohnRoe")

    factory.prepare = lambda agent: setattr(agent, "before_answer", sometimes)
    assert batch(folder, "--retries", "0") == 1
    broken = [r for r in rows_of(folder) if r.get("internal")]
    assert len(broken) == 3
    assert broken[0]["error"] == {"code": "internal", "message": "ZeroDivisionError"}
    assert len(rows_of(folder)) == 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_the_rows_that_are_there(
    number: int, factory: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def after_five(image: Any, question: str) -> None:
        if len(factory.last.asked) == 3:
            os.kill(os.getpid(), number)
            time.sleep(2.0)  # the main thread serves the signal when it looks again

    factory.prepare = lambda agent: setattr(agent, "before_answer", after_five)
    # A job in the background, as the tests may be, ignores Ctrl-C, and has to heed SIGTERM all the same.
    before = signal.signal(signal.SIGINT, signal.default_int_handler if number == signal.SIGINT else signal.SIG_IGN)
    try:
        assert batch(folder, "--in-flight", "1") == 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert "--resume" in capsys.readouterr().err
    first = rows_of(folder)
    assert len(first) < 12
    manifest = json.loads((folder.parent / "out" / "manifest.json").read_text())
    assert manifest["ended"] is None
    assert manifest["tally"]["rows"] == len(first)
    factory.prepare = lambda agent: None
    batch(folder, "--resume")
    assert rows_of(folder)[: len(first)] == first
    assert len(rows_of(folder)) == 12


@pytest.mark.parametrize(
    "text",
    ["", "just text", "- [1, 2]", "- {id: a}", "- {id: 'a b', question: q}", "- {question: q, choices: [one]}",
     "- {question: q, when: {colour: red}}", "- {id: x, question: q}\n- {id: x, question: r}", "- 'unclosed",
     "- ''", "- {question: q, extra: 1}", "- {question: q, if: {question: b, verdict: yes}}\n- {id: b, question: r}",
     "- {question: q, each: {side: []}}", "- {question: q, if: {question: q1}}", "- {id: own-1, question: q}"],
)  # fmt: skip
def test_a_bad_questions_file_is_one_clear_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"q\.yaml"):
        read_questions(file)


def test_an_empty_folder_and_a_missing_one_are_refused(factory: Any, tmp_path: Path) -> None:
    (tmp_path / "q.yaml").write_text("- Is it bright?\n")
    (tmp_path / "in").mkdir()
    assert batch(tmp_path / "in") == 2
    assert batch(tmp_path / "gone") == 2
    assert not (tmp_path / "out").exists()


def test_two_batches_cannot_write_the_same_rows(tmp_path: Path) -> None:
    with Recorder(tmp_path, ("q1",)), pytest.raises(UsageError, match="Another batch"):
        Recorder(tmp_path, ("q1",))


def test_a_damaged_line_in_the_middle_is_an_error_not_a_repair(factory: Any, folder: Path) -> None:
    batch(folder)
    results = folder.parent / "out" / "results.jsonl"
    whole = results.read_bytes()
    place = whole.index(b"\n") + 30
    results.write_bytes(whole[:place] + b"#" + whole[place + 1 :])
    with pytest.raises(UsageError, match="line 2, is damaged"):
        Recorder(results.parent, ("q1", "ptx", "size"))
    assert batch(folder, "--resume") == 2
    assert len(results.read_bytes()) == len(whole)


def test_a_dry_run_counts_and_writes_nothing(factory: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["batch", str(folder), "--questions", str(folder.parent / "q.yaml"), "--dry-run"]
    before = sorted(folder.parent.rglob("*"))
    assert main([*words, "--json", "--where", "format=jpeg"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["cases"], told["selected"], told["rows"], told["unread"]) == (4, 1, 3, 0)
    assert main([*words, "--limit", "2"]) == 0
    assert "2 selected" in capsys.readouterr().out
    assert sorted(folder.parent.rglob("*")) == before
    assert factory.last is None
    assert main(words[:-1]) == 2


def test_conditions_and_limits_do_a_part_and_resuming_does_the_rest(factory: Any, folder: Path) -> None:
    batch(folder, "--where", "format=jpeg")
    assert {r["key"] for r in rows_of(folder)} == {"case-000004"}
    batch(folder, "--resume", "--limit", "1")
    assert {r["key"] for r in rows_of(folder)} == {"case-000001", "case-000004"}
    batch(folder, "--resume")
    assert len(rows_of(folder)) == 12


def test_a_prior_goes_with_the_questions_that_want_it_and_follow_ups_wait_for_their_condition(
    factory: Any, tmp_path: Path
) -> None:
    draw(tmp_path / "in" / "new.png", 0.5, 1)
    draw(tmp_path / "in" / "old.png", 0.3, 2)
    draw(tmp_path / "in" / "dark.png", 0.2, 3)
    (tmp_path / "in" / "list.csv").write_text("path,prior,question\nnew.png,old.png,Is it bright now?\ndark.png,,\n")
    (tmp_path / "q.yaml").write_text(
        "- Is it bright?\n- {id: then, question: 'Is it brighter?', prior: true, if: {question: q1, verdict: yes}}\n"
    )
    words = ["batch", str(tmp_path / "in" / "list.csv"), "--questions", str(tmp_path / "q.yaml")]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    rows = {(r["key"], r["question_id"]): r for r in rows_of(tmp_path / "in")}
    assert set(rows) == {("case-000001", q) for q in ("q1", "then", "own-1")} | {
        ("case-000002", q) for q in ("q1", "then")
    }
    assert rows["case-000002", "then"]["skipped"] == "q1 is no"
    asked = {
        one["question"]: len(one["image"].infos) for one in factory.last.asked if one["question"] != "Is it bright?"
    }
    assert asked == {"Is it brighter?": 2, "Is it bright now?": 1}


def test_pictures_and_pages_lie_beside_the_rows_and_tables_agree_with_them(factory: Any, folder: Path) -> None:
    batch(folder)
    out = folder.parent / "out"
    for key, png in (("case-000002", True), ("case-000001", False)):
        assert (out / "studies" / key / "index.html").exists()
        assert bool(list((out / "studies" / key).rglob("*.png"))) is png
    table = list(csv.DictReader((out / "questions.csv").open()))
    assert [(t["key"], t["question_id"]) for t in table] == sorted(
        ((r["key"], r["question_id"]) for r in rows_of(folder)), key=lambda k: (k[0], ["q1", "ptx", "size"].index(k[1]))
    )
    assert "Cohort summary" in (out / "cohort.html").read_text()
    batch(folder, "--resume", "--no-overlays")
    assert (out / "studies" / "case-000002" / "index.html").exists()


def test_a_page_of_every_run_lies_beside_its_pictures(
    factory: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECONDREAD_TRACE_DIR", "none")
    batch(folder, "--reports")
    case = folder.parent / "out" / "studies" / "case-000002"
    assert "Is it bright?" in (case / "q1" / "report.html").read_text()
    assert "q1/report.html" in (case / "index.html").read_text()


def test_a_file_that_cannot_be_made_costs_no_row(factory: Any, folder: Path) -> None:
    batch(folder, "--reports")  # the traces of the stand-in are none that a page can be made of
    assert len(rows_of(folder)) == 12
    manifest = json.loads((folder.parent / "out" / "manifest.json").read_text())
    assert manifest["notes"] == ["Files of a case could not be made: ReplayError."]
