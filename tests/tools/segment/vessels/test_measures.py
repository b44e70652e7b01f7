"""Density, calibre and tortuosity of drawn vessels whose values are known."""

from collections.abc import Callable

import numpy as np
import pytest

from secondread.schema.errors import NotMeasurable
from secondread.tools.segment.vessels.measures import WINDOW, calibre, density, shape_of, tortuosity
from secondread.tools.segment.vessels.skeleton import segments

Draw = Callable[..., np.ndarray]


@pytest.mark.parametrize("width", [5, 7, 8, 10, 14])
@pytest.mark.parametrize("degrees", [0, 13, 30, 77, 90, 121])
def test_calibre_of_a_straight_vessel_is_its_width_within_two_percent(
    draw_stripe: Draw, width: float, degrees: float
) -> None:
    mask = draw_stripe(width, degrees)
    assert shape_of(mask, np.ones_like(mask)).calibre == pytest.approx(width, rel=0.02)


@pytest.mark.parametrize("degrees", [0, 13, 30, 45, 77])
def test_a_straight_vessel_has_the_length_it_was_drawn_with_and_does_not_wind(
    draw_stripe: Draw, degrees: float
) -> None:
    mask = draw_stripe(8, degrees)
    found = shape_of(mask, np.ones_like(mask))
    assert found.segments == 1
    assert found.length == pytest.approx(300 - 8, rel=0.02)
    assert found.tortuosity == pytest.approx(1, abs=0.002)
    assert found.curvature < 0.001


@pytest.mark.parametrize("radius", [40, 80, 150])
def test_curvature_of_an_arc_is_one_over_its_radius_within_two_percent(draw_arc: Draw, radius: float) -> None:
    mask = draw_arc(radius, 1.0)
    assert shape_of(mask, np.ones_like(mask)).curvature == pytest.approx(1 / radius, rel=0.02)


@pytest.mark.parametrize("radius", [30, 60, 150])
def test_tortuosity_of_an_arc_is_that_of_its_windows(draw_arc: Draw, radius: float) -> None:
    mask = draw_arc(radius, 1.4)
    chord = 2 * radius * np.sin(WINDOW / radius / 2)
    found = shape_of(mask, np.ones_like(mask)).tortuosity
    assert found - 1 == pytest.approx(WINDOW / chord - 1, rel=0.05, abs=0.0005)


def test_calibre_of_an_arc_is_its_width(draw_arc: Draw) -> None:
    mask = draw_arc(80, 1.2, width=9)
    assert shape_of(mask, np.ones_like(mask)).calibre == pytest.approx(9, rel=0.02)


def test_a_wave_winds_as_its_windows_say() -> None:
    y, x = np.mgrid[:300, :600].astype(float)
    slope = 25 / 30 * np.cos(x / 30)
    mask = np.abs(y - 150 - 25 * np.sin(x / 30)) / np.sqrt(1 + slope**2) <= 3
    t = np.linspace(0, 600, 60001)
    curve = np.stack([150 + 25 * np.sin(t / 30), t], 1)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    starts = np.arange(0, along[-1] - WINDOW, 1.0)
    a, b = (np.stack([np.interp(at, along, curve[:, k]) for k in (0, 1)], 1) for at in (starts, starts + WINDOW))
    truth = (WINDOW / np.linalg.norm(b - a, axis=1)).mean()
    assert truth > 1.01
    assert shape_of(mask, np.ones_like(mask)).tortuosity - 1 == pytest.approx(truth - 1, rel=0.05)


def test_tortuosity_does_not_depend_on_a_side_branch() -> None:
    y, x = np.mgrid[:300, :600].astype(float)
    plain = np.abs(y - 150 - 25 * np.sin(x / 30)) <= 4
    branched = plain | ((np.abs(x - 310) <= 3) & (y > 150) & (y < 280))
    field = np.ones_like(plain)
    with_branch, without = shape_of(branched, field), shape_of(plain, field)
    assert with_branch.segments > without.segments
    assert with_branch.tortuosity - 1 == pytest.approx(without.tortuosity - 1, rel=0.25)


def test_calibre_is_that_of_the_main_vessels_only() -> None:
    mask = np.zeros((400, 400), bool)
    mask[100:110, 50:350] = True
    mask[250:254, 50:350] = True
    assert shape_of(mask, np.ones_like(mask)).calibre == pytest.approx(10, rel=0.02)


def test_calibres_of_main_vessels_weigh_by_their_length() -> None:
    mask = np.zeros((400, 400), bool)
    mask[100:110, 50:350] = True
    mask[250:258, 50:350] = True
    assert shape_of(mask, np.ones_like(mask)).calibre == pytest.approx(9, rel=0.02)


def test_density_counts_only_the_field_of_view() -> None:
    mask, field = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    mask[:, 40:50] = True
    field[20:80, 20:80] = True
    assert density(mask, field) == pytest.approx(10 / 60)
    with pytest.raises(NotMeasurable, match="field of view"):
        density(mask, np.zeros_like(field))


def test_measures_do_not_depend_on_place_or_side(draw_arc: Draw) -> None:
    mask = draw_arc(80, 1.2)
    field = np.ones_like(mask)
    plain = shape_of(mask, field)
    for other in (np.roll(mask, (9, -17), (0, 1)), mask[:, ::-1], mask[::-1], mask.T):
        found = shape_of(other, field)
        assert found.calibre == pytest.approx(plain.calibre, rel=0.01)
        assert found.tortuosity == pytest.approx(plain.tortuosity, rel=0.01)
        assert found.density == plain.density


def test_an_empty_mask_and_specks_are_not_measurable() -> None:
    field = np.ones((100, 100), bool)
    with pytest.raises(NotMeasurable):
        shape_of(np.zeros((100, 100), bool), field)
    specks = np.zeros((100, 100), bool)
    specks[::20, ::20] = True
    with pytest.raises(NotMeasurable):
        shape_of(specks, field)


def test_a_short_vessel_has_a_calibre_but_no_tortuosity(draw_stripe: Draw) -> None:
    mask = draw_stripe(6, 20, length=34)
    found = segments(mask)
    assert np.concatenate(calibre(mask, found)).mean() == pytest.approx(6, rel=0.04)
    with pytest.raises(NotMeasurable, match="tortuosity"):
        tortuosity(found)
