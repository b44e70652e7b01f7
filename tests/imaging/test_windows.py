"""Windows for CT and the line they draw."""

import numpy as np
import pytest

from secondread.imaging.windows import CT_WINDOWS, apply_window


def test_centre_is_mid_grey_and_the_ends_are_black_and_white() -> None:
    grey = apply_window([-1350, -600, 150, -2000, 3000], -600, 1500)
    np.testing.assert_allclose(grey, [0, 0.5, 1, 0, 1], atol=1e-6)
    assert grey.dtype == np.float32


def test_values_may_span_less_than_one() -> None:
    np.testing.assert_allclose(apply_window(np.array([[0.1, 0.2, 0.3]]), 0.2, 0.2), [[0, 0.5, 1]], atol=1e-6)


def test_what_is_no_number_is_black() -> None:
    assert apply_window([np.nan, np.inf, -np.inf], 0, 10).tolist() == [0, 1, 0]


@pytest.mark.parametrize(("centre", "width"), [(0, 0), (0, -1), (np.nan, 1), (0, np.inf)])
def test_a_window_that_cannot_be_is_refused(centre: float, width: float) -> None:
    with pytest.raises(ValueError, match="finite centre"):
        apply_window([0], centre, width)


def test_the_array_that_was_given_is_left_alone() -> None:
    values = np.array([0, 50, 100], np.float32)
    apply_window(values, 50, 100)
    assert values.tolist() == [0, 50, 100]


def test_presets_show_what_they_are_named_after() -> None:
    lung, soft, bone, air = -850.0, 50.0, 700.0, -1000.0
    for name, (_, width) in CT_WINDOWS.items():
        assert width > 0, name
    shown = {name: apply_window([air, lung, soft, bone], *window) for name, window in CT_WINDOWS.items()}
    assert 0.2 < shown["lung"][1] < 0.5
    assert shown["mediastinum"][1] == 0
    assert 0.4 < shown["mediastinum"][2] < 0.6
    assert 0.5 < shown["bone"][3] < 0.8
    assert shown["brain"][3] == 1
