"""Centre lines: branches are told apart, spurs are not, slanting lines survive."""

from collections.abc import Callable

import numpy as np
import pytest

from secondread.tools.segment.vessels.skeleton import segments


def test_a_cross_has_four_arms(draw_stripe: Callable[..., np.ndarray]) -> None:
    mask = draw_stripe(6, 20) | draw_stripe(6, 110)
    found = segments(mask)
    assert len(found) == 4
    assert [s.length for s in found] == pytest.approx([300 / 2 - 3] * 4, abs=8)


def test_a_fork_has_three_arms() -> None:
    mask = np.zeros((200, 300), bool)
    mask[97:103, 20:150] = True
    for k in range(100):
        mask[97 + k // 2 : 103 + k // 2, 150 + k] = True
        mask[97 - k // 2 : 103 - k // 2, 150 + k] = True
    assert len(segments(mask)) == 3


@pytest.mark.parametrize("width", range(2, 13))
def test_a_line_of_any_thickness_at_45_degrees_is_one_segment(
    draw_stripe: Callable[..., np.ndarray], width: int
) -> None:
    assert len(segments(draw_stripe(width, 45))) == 1


def test_bumps_on_a_vessel_make_no_branches(draw_stripe: Callable[..., np.ndarray]) -> None:
    mask = draw_stripe(10, 0)
    mask[192:196, 120:124] = mask[205:209, 260:264] = True
    assert len(segments(mask)) == 1


def test_a_ring_is_followed_round() -> None:
    y, x = np.mgrid[:200, :200] - 99.5
    found = segments(np.abs(np.hypot(x, y) - 60) <= 3)
    assert len(found) >= 1
    assert sum(s.length for s in found) == pytest.approx(2 * np.pi * 60, rel=0.06)


def test_nothing_comes_of_nothing() -> None:
    assert segments(np.zeros((20, 20), bool)) == []
