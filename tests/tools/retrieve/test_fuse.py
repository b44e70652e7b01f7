"""Ranks into one ranking, by hand."""

import pytest

from secondread.tools.retrieve.extract import LONGEST, extract
from secondread.tools.retrieve.fuse import adaptive, fused, ranks_of
from secondread.tools.retrieve.lexical import coverage, idf, terms


def test_reciprocal_ranks_add_up() -> None:
    found = fused({"words": [1, 2], "concepts": [2, 3]})
    assert found[0] == (2, pytest.approx(1 / 62 + 1 / 61))
    assert [row for row, _ in found] == [2, 1, 3]
    assert ranks_of({"words": [1, 2], "concepts": [2, 3]}, 2) == {"words": 2, "concepts": 1}


def test_a_list_is_cut_where_scores_fall_off() -> None:
    assert adaptive([3.0, 2.9, 2.1, 1.0]) == 3
    assert adaptive([3.0, 0.1], least=2) == 2
    assert adaptive([], least=2) == 0


def test_words_that_only_ask_do_not_count() -> None:
    assert terms("What does the literature say about an enlarged heart?") == ["enlarged", "heart"]
    assert terms("?!") == [] and len(terms(" ".join(f"w{n}" for n in range(500)))) == 64
    assert coverage(["ratios", "thresholds"], "The ratio has a threshold.") == 1.0
    assert idf(0, 10) > idf(5, 10) > idf(10, 10) > 0


def test_an_extract_quotes_whole_sentences_around_the_best_one() -> None:
    text = " ".join(f"Sentence {n} speaks of nothing." for n in range(40)) + " The ratio has a limit. The end."
    found = extract("limit of the ratio", text)
    assert "The ratio has a limit." in found and found.startswith("... "), found
    assert found.removeprefix("... ").removesuffix(" ...") in text
    assert extract("x", "short text") == "short text"
    assert len(extract("x", "a" * 3000)) <= LONGEST + 8
