"""Free wording is read as what it asks; what cannot be answered asks nothing of the tools."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from secondread.kg.graph import core_graph
from secondread.kg.questions import Question, parse

HERE = Path(__file__).parent
ROWS: list[list[Any]] = yaml.safe_load((HERE / "questions.yaml").read_text(encoding="utf-8"))
HELD_BACK: list[list[Any]] = yaml.safe_load((HERE / "held_back_questions.yaml").read_text(encoding="utf-8"))


def asked(text: str, *choices: str) -> Question:
    return parse(text, core_graph(), choices or None)


def right(row: list[Any]) -> bool:
    text, kind, concepts, polarity, *_ = row
    got = asked(text)
    return (got.kind, list(got.concepts), got.polarity) == (kind, concepts, polarity)


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_a_worded_question_is_read_as_meant(row: list[Any]) -> None:
    text, kind, concepts, polarity, *more = row
    got = asked(text)
    assert (got.kind, list(got.concepts), got.polarity) == (kind, concepts, polarity)
    for name, value in (more[0] if more else {}).items():
        if name in Question.model_fields:
            found = getattr(got, name)
            assert (list(found) if isinstance(found, tuple) else found) == value
        else:
            assert getattr(got.asked[0], name) == value


def test_the_list_is_long_and_varied() -> None:
    assert len(ROWS) >= 150
    assert {r[1] for r in ROWS} == {
        "presence", "value", "comparison", "location", "quality", "listing", "knowledge", "unknown",
    }  # fmt: skip


def test_wordings_that_no_rule_was_fitted_to_are_mostly_read_too(record_property: Any) -> None:
    share = sum(right(r) for r in HELD_BACK) / len(HELD_BACK)
    record_property("held_back_accuracy", share)
    assert len(HELD_BACK) == 40
    assert share >= 0.85


@pytest.mark.parametrize(
    ("text", "labels", "answers"),
    [
        ("Is the heart enlarged? A) yes B) no", ["A", "B"], ["yes", "no"]),
        ("Is the heart enlarged?\nA. yes\nB. no\nC. cannot tell", ["A", "B", "C"], ["yes", "no", "uncertain"]),
        ("Is there cardiomegaly? (a) Yes (b) No", ["A", "B"], ["yes", "no"]),
        ("Is there cardiomegaly? 1) no 2) yes", ["1", "2"], ["no", "yes"]),
        ("Is the heart normal in size? A) yes B) no", ["A", "B"], ["yes", "no"]),
        ("Is there an enlarged heart? A: cardiomegaly B: no cardiomegaly", ["A", "B"], ["yes", "no"]),
        ("Heart size? normal / enlarged", ["normal", "enlarged"], ["no", "yes"]),
        ("Is the heart A) normal B) enlarged?", ["A", "B"], ["no", "yes"]),
    ],
)
def test_yes_no_choices(text: str, labels: list[str], answers: list[str]) -> None:
    got = asked(text)
    assert got.kind == "choice"
    assert got.concepts[0] == "enlarged_cardiac_silhouette"
    assert [c.label for c in got.choices] == labels
    polarity = {"yes": "present", "no": "absent", "uncertain": "uncertain"}
    flip = got.polarity == "absent"
    for choice, answer in zip(got.choices, answers, strict=True):
        said = (
            {"present": "absent", "absent": "present"}.get(polarity[answer], "uncertain") if flip else polarity[answer]
        )
        assert choice.polarity == said


def test_ranges_become_intervals() -> None:
    got = asked("What is the CTR? (A) below 0.45 (B) 0.45-0.50 (C) above 0.50 (D) 55 to 60 %")
    assert got.kind == "choice"
    assert got.concepts == ("cardiothoracic_ratio",)
    assert [(c.low, c.high) for c in got.choices] == [(None, 0.45), (0.45, 0.5), (0.5, None), (0.55, 0.6)]


def test_choices_given_apart_take_the_place_of_written_ones() -> None:
    got = asked("Is the heart enlarged?", "yes", "no")
    assert [(c.label, c.answer) for c in got.choices] == [("yes", "yes"), ("no", "no")]
    assert asked("Which lung is larger?", "A) left", "B) right", "C) equal").choices[2].laterality == "equal"


def test_findings_to_choose_from_are_what_is_asked() -> None:
    got = asked("Which finding is present? A) cardiomegaly B) pneumothorax C) pleural effusion")
    assert got.kind == "choice"
    assert got.concepts == ("enlarged_cardiac_silhouette", "pneumothorax", "pleural_effusion")


def test_a_question_survives_json() -> None:
    got = asked("Is the CTR above 0.55? A) yes B) no")
    assert Question.model_validate(got.model_dump(mode="json")) == got


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n",
        "?" * 500,
        "🫀🫁",
        "心臓は大きいですか",
        "heart " * 2000,
        "a" * 10_000,
        "A) B) C)",
        "1) 2)",
        "\x00",
        "' or 1=1 --",
    ],
)
def test_odd_texts_are_read_without_an_error(text: str) -> None:
    assert asked(text).text == text


@pytest.mark.parametrize(
    "phrase", ["heart ", "what does it ", "why is ", "A) ", "is there ", "no ", "1-", "show me / ", "x, "]
)
def test_long_texts_are_read_in_linear_time(phrase: str) -> None:
    start = time.process_time()
    asked((phrase * 5000)[:10_000])
    assert time.process_time() - start < 3.0


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_concepts_of_the_graph(text: str) -> None:
    got = asked(text)
    assert all(core_graph().has(c) for c in got.concepts)


@given(
    st.sampled_from([r for r in ROWS if r[0].isascii() and not r[0].startswith("AP")]),
    st.sampled_from(["please ", "Hello, ", "  "]),
)
def test_politeness_and_case_change_nothing(row: list[Any], opening: str) -> None:
    plain, polite = asked(row[0]), asked(opening + row[0].upper())
    assert (plain.kind, plain.concepts, plain.polarity) == (polite.kind, polite.concepts, polite.polarity)
