"""The square grid: stretching, squeezing, and the way back."""

import numpy as np
import pytest

from secondread.tools.segment.enlarge import enlarge
from secondread.tools.segment.grid import GRID, place, stretch, to_grid


def test_stretch_ignores_scale_and_offset_of_the_grey_values() -> None:
    film = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    assert np.allclose(stretch(film), stretch(film * 0.1 + 0.4), atol=1e-4)
    assert stretch(film).min() == 0 and stretch(film).max() == 1


def test_a_flat_film_becomes_black() -> None:
    assert not stretch(np.full((8, 8), 0.7, np.float32)).any()


def test_usual_films_are_squeezed_and_long_ones_padded() -> None:
    assert place(400, 500).padded_columns == 500 and place(400, 500).padded_rows == 400
    long = place(900, 300)
    assert (long.padded_rows, long.padded_columns, long.left) == (900, 600, 150)
    wide = place(300, 900)
    assert (wide.padded_rows, wide.top) == (600, 150)


@pytest.mark.parametrize("shape", [(512, 512), (300, 420), (100, 390), (777, 205), (64, 64)])
def test_a_position_survives_the_way_to_the_grid_and_back(shape: tuple[int, int]) -> None:
    rows, columns = shape
    y, x = np.mgrid[:rows, :columns]
    film = np.exp(-(((x / columns - 0.3) * 8) ** 2) - ((y / rows - 0.6) * 8) ** 2).astype(np.float32)
    grid = to_grid(film)
    assert grid.shape == (GRID, GRID)
    back = enlarge(grid, rows, columns)
    assert back.shape == shape
    for axis, size in ((0, rows), (1, columns)):
        where = np.arange(size)
        centre = (back.sum(1 - axis) * where).sum() / back.sum()
        expected = (film.sum(1 - axis) * where).sum() / film.sum()
        assert abs(centre - expected) < 0.02 * size
