"""What a batch writes beside its rows: tables, pages, the summary of the cohort with figures worked out by hand."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from secondread.schema.evidence import CalibrationRecord
from secondread.serve.batch.case import Case
from secondread.serve.batch.cohort import Cohort
from secondread.serve.batch.cohort_page import cohort_page
from secondread.serve.batch.drift import drift
from secondread.serve.batch.figures import Distribution, differs, kappa, share
from secondread.serve.batch.progress import Pace, spoken
from secondread.serve.batch.questions import BatchQuestion, FollowUp, read_questions
from secondread.serve.batch.study_page import study_page
from secondread.serve.batch.tables import Tables
from secondread.serve.batch.work import Job


def measured(value: float | None = 0.6, **more: Any) -> dict[str, Any]:
    found = {
        "evidence": "E1", "tool": "ruler", "name": "ratio", "structure": None, "value": value, "unit": "1", "low": 0.5,
        "high": 0.7, "level": 0.9, "uncertainty": 0.05, "threshold": 0.5, "concept": "large",
        "says": None if value is None else "present" if value > 0.5 else "absent", "not_measurable": None,
        "cited": True, "calibration": None,
    }  # fmt: skip
    return found | more


def row(n: int, question: str = "q1", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": f"case-{n:06d}", "question_id": question, "question": "Is it <large>?", "text": "Yes & so on.",
        "verdict": "yes", "value": None, "choice": None, "confidence": 0.9, "confidence_method": "fit",
        "abstained": False, "reason": None, "claims": [], "evidence": [], "measurements": [], "findings": [],
        "tool_failures": [], "warnings": [], "image": "img-1", "trace": "t", "tries": 1, "seconds": 0.5,
    }  # fmt: skip
    return found | more


def failed(n: int) -> dict[str, Any]:
    return {"key": f"case-{n:06d}", "question_id": "q1", "question": "Is it?", "tries": 1, "seconds": 0.0,
            "error": {"code": "unreadable_image", "message": "=cmd()"}, "internal": False}  # fmt: skip


def skipped(n: int) -> dict[str, Any]:
    return {"key": f"case-{n:06d}", "question_id": "q2", "question": "And?", "tries": 1, "seconds": 0.0,
            "skipped": "q1 is no"}  # fmt: skip


def figures(*rows: dict[str, Any]) -> dict[str, Any]:
    cohort = Cohort(Job((BatchQuestion(id="q1", question="Is it <large>?"),), None, None))  # type: ignore[arg-type]
    for one in rows:
        cohort.add(one)
    return cohort.figures()


def test_tables_hold_a_row_per_question_and_per_measurement_and_parquet_agrees(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    value = {"name": "ratio", "value": 0.6, "unit": "1", "low": None, "high": None, "level": None}
    with Tables(tmp_path) as tables:
        tables.add(row(1, value=value, measurements=[measured(), measured(None, not_measurable="cropped")]))
        tables.add(failed(2))
        tables.add(skipped(2))
        assert tables.finish() == []
    with (tmp_path / "questions.csv").open(newline="") as file:
        questions = list(csv.DictReader(file))
    assert [q["kind"] for q in questions] == ["answered", "failed", "skipped"]
    assert (questions[0]["value"], questions[0]["value_name"]) == ("0.6", "ratio")
    assert questions[1]["error"] == "'=cmd()"
    table = parquet.read_table(tmp_path / "questions.parquet").to_pylist()
    assert [t["key"] for t in table] == [q["key"] for q in questions]
    assert (table[0]["value"], table[1]["error"], table[0]["abstained"]) == (0.6, "=cmd()", False)
    both = parquet.read_table(tmp_path / "measurements.parquet").to_pylist()
    assert [(m["value"], m["not_measurable"], m["key"]) for m in both] == [
        (0.6, None, "case-000001"), (None, "cropped", "case-000001"),
    ]  # fmt: skip
    assert not list(tmp_path.glob("*.partial"))


def test_tables_that_are_not_finished_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Tables(tmp_path) as tables:
        tables.add(row(1))
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_prevalence_abstention_and_failures_are_counted() -> None:
    found = figures(
        row(1), row(2), row(3, verdict="no"), row(4, verdict="indeterminate", abstained=True, reason="blurred"),
        failed(5), skipped(5), row(6, tool_failures=[{"tool": "ruler", "code": "tool_timeout"}]),
    )  # fmt: skip
    one, two = found["questions"]
    assert (one["answered"], one["abstained"], one["failed"], two["skipped"]) == (4, 1, 1, 1)
    assert one["prevalence"] == share(3, 4)
    assert one["abstention"]["share"] == 0.2
    assert one["reasons"] == {"blurred": 1}
    assert found["errors"] == {"unreadable_image": 1}
    assert found["tool_failures"] == [{"tool": "ruler", "code": "tool_timeout", "count": 1}]
    assert found["cases"] == 6


def test_a_measurement_that_two_questions_rest_on_counts_once_for_its_case() -> None:
    found = figures(*(row(n, q, measurements=[measured(0.1 * n)]) for n in (4, 5, 6) for q in ("q1", "q2")))
    [one] = found["measurements"]
    assert (one["count"], one["threshold"]) == (3, 0.5)
    assert one["mean"] == pytest.approx(0.5)
    assert one["sd"] == pytest.approx(0.1)
    assert one["quartiles"][1] == pytest.approx(0.5)
    assert sum(one["histogram"]) == 3


def test_tools_that_judge_one_concept_are_compared_case_by_case() -> None:
    def said(n: int, ruler: float, eye: str) -> dict[str, Any]:
        finding = {
            "evidence": "E2",
            "tool": "eye",
            "concept": "large",
            "says": eye,
            "score": 1,
            "score_kind": "sigmoid",
        }
        return row(n, measurements=[measured(ruler)], findings=[finding])

    found = figures(
        said(1, 0.6, "present"), said(2, 0.6, "present"), said(3, 0.4, "absent"), said(4, 0.4, "present"),
        said(5, 0.4, "uncertain"),
    )  # fmt: skip
    [one] = found["agreement"]
    assert (one["tools"], one["cases"], one["agreed"]["share"]) == (["eye", "ruler"], 4, 0.75)
    assert one["kappa"] == pytest.approx(0.5)  # agreed 3/4, by chance 1/2


def test_drift_tells_another_prevalence_and_films_outside_the_range(tmp_path: Path) -> None:
    record = CalibrationRecord(
        name="ratio", method="m", data="train", data_sha256="0", date="2026-01-01", n=100,
        parameters={"uncertainty_range": [0.0, 0.1]}, figures={"prevalence": 0.7},
    )  # fmt: skip
    (tmp_path / "ratio.json").write_text(record.model_dump_json())
    alike = drift("ratio", {"present": 70, "absent": 30}, [0.05] * 100, tmp_path)
    assert alike["p_value"] == 1.0
    assert alike["notes"] == []
    other = drift("ratio", {"present": 20, "absent": 80}, [0.05] * 50 + [0.2] * 50, tmp_path)
    assert other["p_value"] < 1e-6
    assert [note[:10] for note in other["notes"]] == ["Prevalence", "50% of the"]
    assert "not installed" in drift("gone", {}, [], tmp_path)["notes"][0]


def test_drift_is_read_from_the_rows_and_shipped_records() -> None:
    rows = [row(n, measurements=[measured(0.6, calibration="cardiothoracic_ratio")]) for n in range(1, 60)]
    [one] = figures(*rows)["drift"]
    assert one["prevalence"]["share"] == 1.0
    assert one["calibration_prevalence"]["share"] == pytest.approx(0.71, abs=0.01)
    assert one["p_value"] < 0.01


def test_shares_agreement_and_differences_by_hand() -> None:
    assert (share(5, 10)["low"], share(5, 10)["high"]) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert share(0, 0)["share"] is None
    assert kappa({("a", "a"): 20, ("a", "b"): 5, ("b", "a"): 10, ("b", "b"): 15}) == pytest.approx(0.4)
    assert kappa({("a", "a"): 3}) is None
    assert differs(30, 100, 50, 100) == pytest.approx(math.erfc(2.886751 / math.sqrt(2)), rel=1e-4)
    assert differs(0, 0, 1, 2) is None


def test_a_distribution_keeps_a_bounded_sample() -> None:
    made = Distribution()
    for k in range(50_000):
        made.add(k)
    found = made.figures()
    assert (found["count"], found["lowest"], found["highest"], found["mean"]) == (50_000, 0, 49_999, 24_999.5)
    assert sum(found["histogram"]) == 20_000
    assert abs(found["quartiles"][1] - 25_000) < 1000


def test_pages_show_answers_and_escape_what_they_are_given() -> None:
    files = ["q1/overlay-E1-ratio.png", "q1/sr.dcm"]
    text = study_page(
        Case(n=1, kind="study", modalities=("DX",)), [row(1, measurements=[measured()]), failed(1)], files
    )
    assert "Is it &lt;large&gt;?" in text
    assert 'src="q1/overlay-E1-ratio.png"' in text
    assert 'href="q1/sr.dcm"' in text
    assert "case-000001" in text
    assert "=cmd()" in text
    page = cohort_page(figures(row(1, measurements=[measured(calibration="cardiothoracic_ratio")]), failed(2)))
    for heading in ("prevalence", "Abstention", "Distributions", "Agreement", "Drift", "Failures"):
        assert heading in page
    assert "<large>" not in page
    assert "Research use only" in page
    assert cohort_page(json.loads(json.dumps(figures(failed(1)))))


def test_follow_ups_look_at_the_row_of_the_earlier_question() -> None:
    value = {"name": "ratio", "value": 0.55}
    for condition, given, met in (
        ({"verdict": "yes"}, row(1), True), ({"verdict": ["no"]}, row(1), False), ({"verdict": True}, row(1), True),
        ({"above": 0.5}, row(1, value=value), True), ({"above": 0.5}, row(1), False),
        ({"below": 0.5}, row(1, value=value), False), ({"choice": "a"}, row(1, choice="a"), True),
        ({"confidence_below": 0.8}, row(1), False), ({"confidence_from": 0.8}, row(1), True),
        ({"abstained": True}, row(1), False), ({"verdict": "yes"}, failed(1), False), ({"verdict": "yes"}, None, False),
    ):  # fmt: skip
        assert (FollowUp(question="q1", **condition).unmet(given) is None) is met, condition


def test_questions_from_templates_and_errors_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    file.write_text(
        "- id: width-{side}\n  question: How wide is the {side} lung?\n  each: {side: [left, right]}\n- '{ask}'\n"
    )
    found = read_questions(file)
    assert [(q.id, q.question) for q in found[:2]] == [
        ("width-left", "How wide is the left lung?"), ("width-right", "How wide is the right lung?"),
    ]  # fmt: skip
    assert found[2].worded({"ask": "Is it large?"}) == ("Is it large?", "")
    assert found[2].worded({}) == (None, "the manifest gives no ask")
    for text, line in (
        ("- Is it?\n- id: a b\n  question: q\n", 2), ("- Is it?\n-\n  question: q\n  choices: [one]\n", 4),
        ("- Is it?\n- [x]\n", 2), ("- {id: a, question: q}\n- {id: a, question: q}\n", 2), ("- Is it?\n- 'open\n", 3),
        ("- question: q\n  if: {question: zz, verdict: yes}\n", 2),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(Exception, match=f"line {line}"):
            read_questions(file)


def test_the_rate_is_that_of_the_last_minute_and_tells_what_is_left() -> None:
    now, told = [0.0], list[str]()
    pace = Pace(100, told.append, clock=lambda: now[0])
    for k in range(10):
        now[0] += 0.5
        pace.one(failed=k == 3)
    assert told[-1] == "10 of 100 studies, 2.0/s, 45 s left, 1 with errors"
    assert [spoken(s) for s in (0, 59, 61, 3600, 90_061)] == ["0 s", "59 s", "1 min 1 s", "1 h", "1 d 1 h"]
