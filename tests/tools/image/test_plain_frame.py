"""The content of an image inside a plain frame."""

import numpy as np
import pytest

from secondread.tools.image.plain_frame import content


@pytest.mark.parametrize("grey", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (10, 0, 0, 0), (5, 7, 30, 2)])
def test_the_frame_is_found_on_each_side(grey: float, pads: tuple[int, int, int, int]) -> None:
    inside = np.random.default_rng(0).random((60, 80)).astype(np.float32)
    top, bottom, left, right = pads
    framed = np.pad(inside, ((top, bottom), (left, right)), constant_values=grey)
    assert content(framed) == (top, top + 60, left, left + 80)


def test_slight_noise_in_the_frame_does_not_hide_it() -> None:
    rng = np.random.default_rng(1)
    framed = np.pad(rng.random((60, 80)), 20) + rng.normal(0, 0.004, (100, 120))
    assert content(framed.astype(np.float32)) == (20, 80, 20, 100)


def test_a_plain_image_is_left_whole() -> None:
    assert content(np.zeros((40, 50), np.float32)) == (0, 40, 0, 50)
