"""Words become concepts with negation and side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread.kg.graph import core_graph
from secondread.kg.link import mentions
from secondread.kg.typos import corrected


def linked(text: str) -> list[tuple[str, bool, str | None]]:
    return [(m.concept, m.negated, m.laterality) for m in mentions(text, core_graph())]


ECS = "enlarged_cardiac_silhouette"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The heart is enlarged.", [ECS]),
        ("No pleural effusion on the left, but a pneumothorax.", ["-pleural_effusion left", "pneumothorax"]),
        ("No effusion, pneumothorax or consolidation.", ["-pleural_effusion", "-pneumothorax", "-consolidation"]),
        ("Pneumothorax is not seen.", ["-pneumothorax"]),
        ("Bilateral pleural effusions without pneumothorax", ["pleural_effusion bilateral", "-pneumothorax"]),
        ("No fracture. Nodule in the left lung.", ["-fracture", "nodule left", "left_lung left"]),
        ("We cannot exclude pneumonia", ["pneumonia"]),
        ("cardiomegly with pulmonary oedema", [ECS, "pulmonary_edema"]),
        ("heart failure", ["heart_failure"]),
        ("not only effusion but nodule", ["pleural_effusion", "nodule"]),
        ("effusion right", ["pleural_effusion right"]),
    ],
)
def test_concepts_negation_and_side(text: str, expected: list[str]) -> None:
    shown = [f"{'-' if negated else ''}{concept} {side or ''}".strip() for concept, negated, side in linked(text)]
    assert shown == expected


def test_the_longest_run_wins_and_places_are_exact() -> None:
    text = "Is there tension pneumothorax or heart failure?"
    found = mentions(text, core_graph())
    assert [text[m.start : m.end] for m in found] == ["tension pneumothorax", "heart failure"]


def test_a_run_does_not_cross_sentences() -> None:
    assert [c for c, _, _ in linked("It shows the heart. Failure of the pump.")] == ["heart"]


@pytest.mark.parametrize("word", ["infection", "rotation", "lateral", "conversion", "section", "reflection", "cordial"])
def test_a_known_word_is_never_read_as_another(word: str) -> None:
    vocabulary = frozenset({"injection", "notation", "inversion", "cardiac", "dissection", "collateral"})
    assert corrected(word, vocabulary) == word


def test_two_candidates_or_short_words_are_left_alone() -> None:
    assert corrected("abcdefg", frozenset({"abcdefh", "abcdefi"})) == "abcdefg"
    assert corrected("noduel", frozenset({"nodule"})) == "noduel"
    assert corrected("pnuemothorax", frozenset({"pneumothorax"})) == "pneumothorax"


@pytest.mark.parametrize("text", ["", "🫀" * 50, "x" * 10_000, "심장이 큰가요", "cardiomegaly " * 2000])
def test_odd_texts_survive(text: str) -> None:
    for m in mentions(text, core_graph()):
        assert text[m.start : m.end] == m.text


@given(st.text(max_size=300))
def test_places_always_hold_the_text(text: str) -> None:
    ends = 0
    for m in mentions(text, core_graph()):
        assert m.start >= ends
        assert text[m.start : m.end] == m.text
        ends = m.end
