"""The figures of retrieval on cases that can be counted by hand."""

import numpy as np
import pytest

from secondread.evals.passages import reported, retriever, scores
from secondread.evals.retrieval import precision


def test_precision_counts_the_five_nearest_of_other_groups() -> None:
    angles = np.linspace(0, 1.0, 8)
    gallery = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    query = np.array([[1.0, 0.0]], np.float32)
    labels = ["a", "b", "a", "a", "b", "a", "a", "a"]
    groups = ["me", "x", "x", "x", "x", "x", "x", "x"]
    found, chance = precision(query, gallery, ["a"], labels, ["me"], groups)
    assert found[0] == pytest.approx(3 / 5)  # places 1 to 5: b a a b a
    assert chance[0] == pytest.approx(5 / 7)


def test_a_question_finds_its_topic_in_another_answer_than_its_own() -> None:
    rows = [
        {"id": "1", "question": "What is pneumothorax?", "answer": "Pneumothorax is air by the lung.", "topic": "p"},
        {"id": "2", "question": "Who gets pneumothorax?", "answer": "Pneumothorax occurs in tall men.", "topic": "p"},
        {"id": "3", "question": "What is asthma?", "answer": "Asthma narrows the airways.", "topic": "a"},
    ]
    hit, reciprocal = scores(retriever(rows), rows, ("words",), rows)
    assert hit.tolist() == [1, 1, 0] and reciprocal.tolist() == [1, 1, 0]
    assert {reported(t) for t in map(str, range(50))} == {True, False}
