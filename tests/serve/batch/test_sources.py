"""What was given becomes cases: studies, pictures, files that cannot be read; priors; manifests; conditions."""

import os
from pathlib import Path

import pytest
from batches import packed, study

from secondread.schema.errors import UsageError
from secondread.serve.batch.case import Case
from secondread.serve.batch.scan import Given, Scanned, scan
from secondread.serve.batch.state import State
from secondread.serve.batch.where import conditions
from tests.serve.conftest import draw


def found(*sources: Path, questions: tuple[str, ...] = ("q1",)) -> tuple[list[Case], Scanned]:
    state = State(None)
    told = scan(Given(tuple(map(str, sources))), state, questions)
    cases = list(state.cases(told.scan))
    state.close()
    return cases, told


def test_files_of_one_study_are_one_case_wherever_they_lie(tmp_path: Path) -> None:
    study(tmp_path / "a" / "1.dcm", "1.2.3", number=1)
    study(tmp_path / "b" / "2.dcm", "1.2.3", number=2)
    study(tmp_path / "b" / "3.dcm", "1.2.4", patient="P2")
    draw(tmp_path / "picture.png", 0.5)
    (tmp_path / "notes.txt").write_text("no image")
    cases, told = found(tmp_path)
    assert [(c.kind, len(c.files)) for c in cases] == [("plain", 1), ("study", 2), ("study", 1)]
    assert (told.files, told.skipped, told.unread) == (4, 1, 0)
    assert cases[1].modalities == ("DX",)


def test_one_study_uid_for_two_patients_is_two_cases(tmp_path: Path) -> None:
    study(tmp_path / "1.dcm", "1.2.3", patient="P1")
    study(tmp_path / "2.dcm", "1.2.3", patient="P2", number=2)
    cases, _ = found(tmp_path)
    assert [len(c.files) for c in cases] == [1, 1]


def test_the_latest_earlier_study_of_the_patient_is_the_prior(tmp_path: Path) -> None:
    for year in (2023, 2024, 2025):
        study(tmp_path / f"{year}.dcm", f"1.2.{year}", date=f"{year}0101")
    study(tmp_path / "other.dcm", "1.2.9", patient="P2", date="20220101")
    study(tmp_path / "same_id.dcm", "1.2.8", date="20240601", PatientName="ROE^RICHARD")
    cases, told = found(tmp_path)
    by_name = {c.shown[0]: c for c in cases}
    assert by_name["2023.dcm"].prior is None
    assert by_name["2024.dcm"].prior == by_name["2023.dcm"].n
    assert by_name["2025.dcm"].prior == by_name["2024.dcm"].n
    assert by_name["other.dcm"].prior is by_name["same_id.dcm"].prior is None
    assert told.paired == 2


def test_archives_are_read_in_place_alone_and_inside_folders(tmp_path: Path) -> None:
    study(tmp_path / "in" / "1.dcm", "1.2.3")
    study(tmp_path / "in" / "2.dcm", "1.2.3", number=2)
    (tmp_path / "top").mkdir()
    archive = packed(tmp_path / "in", tmp_path / "top" / "disc.zip")
    for source in (archive, tmp_path / "top"):
        [case], _ = found(source)
        assert {place.member for place in case.files} == {"1.dcm", "2.dcm"}


def test_what_cannot_be_read_is_a_case_with_a_reason(tmp_path: Path) -> None:
    study(tmp_path / "good.dcm", "1.2.3")
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / "good.dcm").read_bytes()[:700])
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    cases, told = found(tmp_path)
    unread = {c.shown[0]: c.reason for c in cases if c.kind == "unread"}
    assert set(unread) == {"empty.dcm", "cut.dcm", "broken.zip"}
    assert "empty" in unread["empty.dcm"]
    assert "truncated" in unread["cut.dcm"]
    assert "zip" in unread["broken.zip"]
    assert told.unread == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_case_with_a_reason(tmp_path: Path) -> None:
    study(tmp_path / "good.dcm", "1.2.3")
    (tmp_path / "locked").mkdir(mode=0)
    cases, _ = found(tmp_path)
    assert [c.reason for c in cases if c.kind == "unread"] == ["locked cannot be read: Permission denied."]


def test_a_fault_of_the_disk_is_a_reason_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path / "good.dcm", "1.2.3")
    study(tmp_path / "locked" / "film.dcm", "1.2.4")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    cases, _ = found(tmp_path)
    assert [c.reason for c in cases if c.kind == "unread"] == ["locked cannot be read: Permission denied."]


def test_links_that_lead_outside_and_pipes_are_passed_over(tmp_path: Path) -> None:
    study(tmp_path / "in" / "good.dcm", "1.2.3")
    study(tmp_path / "out" / "other.dcm", "1.2.4")
    os.symlink(tmp_path / "out" / "other.dcm", tmp_path / "in" / "link.dcm")
    os.symlink(tmp_path / "in", tmp_path / "in" / "loop")
    os.mkfifo(tmp_path / "in" / "pipe.dcm")
    cases, _ = found(tmp_path / "in")
    assert [c.shown for c in cases] == [("good.dcm",)]


def test_numbers_stay_when_the_folder_grows(tmp_path: Path) -> None:
    state = State(None)
    study(tmp_path / "in" / "m.dcm", "1.2.3")
    given = Given((str(tmp_path / "in"),))
    scan(given, state, ("q1",))
    study(tmp_path / "in" / "a.dcm", "1.2.4", patient="P2")
    told = scan(given, state, ("q1",))
    assert [(c.n, c.shown) for c in state.cases(told.scan)] == [(1, ("m.dcm",)), (2, ("a.dcm",))]


def test_a_manifest_names_studies_priors_questions_and_fields(tmp_path: Path) -> None:
    study(tmp_path / "a" / "1.dcm", "1.2.3")
    draw(tmp_path / "new.png", 0.5, 1)
    draw(tmp_path / "old.png", 0.5, 2)
    (tmp_path / "list.csv").write_text(
        "path,prior,view,age,questions,question,ward\n"
        "a,,pa,61,q1;q2,Is the film rotated?,north\n"
        "new.png,old.png,,,,,south\n"
    )
    (tmp_path / "list.jsonl").write_text(
        '{"path": "a", "view": "PA", "age": 61, "questions": ["q1", "q2"], "question": "Is the film rotated?",'
        ' "ward": "north"}\n\n{"path": "new.png", "prior": "old.png", "ward": "south"}\n'
    )
    for name in ("list.csv", "list.jsonl"):
        (first, second), _ = found(tmp_path / name, questions=("q1", "q2", "q3"))
        assert (first.view, first.age, first.ask, first.own) == ("PA", 61, ("q1", "q2"), ("Is the film rotated?",))
        assert first.fields == {"ward": "north"}
        assert Path(second.prior_files[0].path).name == "old.png"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("m.csv", "file\nx\n", "line 1"),
        ("m.csv", "path\nfilm.png\ngone.png\n", "line 3"),
        ("m.csv", "path,age\nfilm.png,old\n", "line 2"),
        ("m.csv", "path,view\nfilm.png,oblique\n", "line 2"),
        ("m.csv", "path\nfilm.png,more\n", "line 2"),
        ("m.csv", "path,questions\nfilm.png,q9\n", "line 2"),
        ("m.jsonl", '{"path": "film.png"}\n{"path"\n', "line 2"),
        ("m.jsonl", '["film.png"]\n', "line 1"),
        ("m.jsonl", "\n", "names no study"),
    ],
)
def test_a_bad_manifest_is_one_error_with_its_line(name: str, text: str, line: str, tmp_path: Path) -> None:
    draw(tmp_path / "film.png", 0.5)
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=line):
        found(tmp_path / name)


def test_conditions_choose_by_header_and_manifest() -> None:
    case = Case(kind="study", modalities=("CT", "DX"), images=4, fields={"ward": "North"})
    for text, fits in (
        ("modality=dx,cr", True), ("modality!=DX", False), ("images>=4", True), ("images<4", False),
        ("ward=north", True), ("ward!=south", True), ("bed=1", False), ("bed!=1", True), ("prior=no", True),
    ):  # fmt: skip
        [condition] = conditions([text])
        assert condition.fits(case) is fits, text
    for text in ("modality", "images>many", "=x", "modality="):
        with pytest.raises(UsageError):
            conditions([text])
