"""Distances, angles, ratios and intervals of known figures."""

import pytest

from secondread.schema.errors import NotMeasurable
from secondread.tools.measure.toolbox import intervals
from secondread.tools.measure.toolbox.lines import angle, angle_of_lines, distance, ratio


def test_distances_and_angles_are_true_to_the_spacing() -> None:
    assert distance((0, 0), (3, 4)) == pytest.approx(5)
    assert distance((0, 0), (3, 4), (0.5, 2.0)) == pytest.approx((36 + 4) ** 0.5)
    assert angle((0, 0), (1, 0), (0, 1)) == pytest.approx(90)
    assert angle((0, 0), (1, 0), (1, 1), (2.0, 1.0)) == pytest.approx(63.4349, abs=1e-3)
    assert angle_of_lines(((0, 0), (1, 0)), ((5, 5), (3, 7))) == pytest.approx(45)


def test_an_angle_without_three_points_and_a_ratio_to_nothing_are_refused() -> None:
    with pytest.raises(NotMeasurable):
        angle((1, 1), (1, 1), (2, 2))
    with pytest.raises(NotMeasurable):
        ratio(1.0, 0.0)


def test_the_spread_of_a_ratio_adds_relative_spreads_in_squares() -> None:
    value, spread = ratio(30.0, 60.0, 3.0, 0.0)
    assert (value, spread) == (pytest.approx(0.5), pytest.approx(0.05))


def test_intervals_grow_with_the_pixel_and_hold_the_value() -> None:
    fine, coarse = intervals.of_length(20.0, 0.5), intervals.of_length(20.0, 2.0)
    assert fine.low < 20 < fine.high
    assert coarse.high - coarse.low == pytest.approx(4 * (fine.high - fine.low))
    assert intervals.of_samples([1.0, 2.0]) is None
