"""Counts, points and boxes that agree and that do not."""

from secondread.tools.measure.toolbox.agreement import agreement

BOXES = [(0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0)]
POINTS = [(5.0, 5.0), (25.0, 25.0)]


def test_what_was_counted_once_each_agrees() -> None:
    assert agreement(2, POINTS, BOXES, [0.95, 0.9, 0.1]) == (True, "")
    assert agreement(0, [], []) == (True, "")


def test_each_kind_of_disagreement_is_named() -> None:
    assert "3 counted, 2 points" in agreement(3, POINTS, BOXES)[1]
    assert "outside their box" in agreement(2, [(5.0, 5.0), (5.0, 5.0)], BOXES)[1]
    assert "same object" in agreement(2, [(5, 5), (5, 5)], [BOXES[0], (0.5, 0.0, 10.0, 10.0)])[1]
    assert "add up to 5.0" in agreement(2, POINTS, BOXES, [1.0] * 5)[1]
